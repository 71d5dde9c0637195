internal import Synchronization

/// What a family's number means, as the text format names it.
package enum MetricKind: String, Sendable { case counter, gauge, histogram }

/// Something that the registry can render: one name, its help, its series.
package protocol RenderableFamily: AnyObject, Sendable {
  /// The full name, prefix included.
  var name: String { get }
  /// Appends HELP, TYPE and every series to `output`.
  func render(into output: inout [UInt8])
}

/// All series of one metric name: cells of one kind, found by their labels.
///
/// A look-up takes a lock and is for set-up; the cell it returns is kept. Names and labels are rendered to bytes when
/// a series is made, so a scrape copies bytes and formats numbers. Beyond ``maximumSeries`` a new series is not made:
/// its numbers go to one whose every label is `_other`, so memory stays bounded and nothing is lost from the sum.
public final class MetricFamily<Cell: Sendable, Labels: MetricLabels>: RenderableFamily {
  package let name: String
  private let header: [UInt8]
  private let maximumSeries: Int
  private let makeCell: @Sendable () -> Cell
  private let renderCell: @Sendable (Cell, SeriesText, inout [UInt8]) -> Void
  private let series = Mutex(Series())

  private struct Series {
    var cells: [[String]: (text: SeriesText, cell: Cell)] = [:]
    /// In the order of first use: a scrape's order is stable.
    var order: [[String]] = []
  }

  package init(
    name: String, help: String, kind: MetricKind, maximumSeries: Int, makeCell: @escaping @Sendable () -> Cell,
    renderCell: @escaping @Sendable (Cell, SeriesText, inout [UInt8]) -> Void
  ) {
    self.name = name
    self.maximumSeries = maximumSeries
    self.makeCell = makeCell
    self.renderCell = renderCell
    header = Array(
      "# HELP \(name) \(SeriesText.escapedHelp(help))\n# TYPE \(name) \(kind.rawValue)\n".utf8)
    if Labels.names.isEmpty { _ = self[labels: []] }
  }

  /// The cell of one series, made at first use.
  public subscript(labels: Labels) -> Cell { self[labels: labels.values] }

  private subscript(labels values: [String]) -> Cell {
    series.withLock { series in
      if let found = series.cells[values] { return found.cell }
      var values = values
      if series.order.count >= maximumSeries {
        values = values.map { _ in "_other" }
        if let found = series.cells[values] { return found.cell }
      }
      let made = makeCell()
      series.cells[values] = (SeriesText(name: name, labelNames: Labels.names, labelValues: values), made)
      series.order.append(values)
      return made
    }
  }

  /// Forgets one series (a revoked partition's gauges). Cells already handed out go on working, unseen.
  public func remove(_ labels: Labels) {
    let values = labels.values
    series.withLock { series in
      guard series.cells.removeValue(forKey: values) != nil else { return }
      series.order.removeAll { $0 == values }
    }
  }

  /// Forgets every series that `isGone` says is gone, by its label values in the order of the names.
  public func removeAll(where isGone: ([String]) -> Bool) {
    series.withLock { series in
      for values in series.order where isGone(values) { series.cells.removeValue(forKey: values) }
      series.order.removeAll(where: isGone)
    }
  }

  package func render(into output: inout [UInt8]) {
    let present = series.withLock { series in series.order.compactMap { series.cells[$0] } }
    // A family without series is left out: its header alone says nothing.
    guard !present.isEmpty else { return }
    output.append(contentsOf: header)
    for (text, cell) in present { renderCell(cell, text, &output) }
  }
}

extension MetricFamily where Labels == NoLabels {
  /// The one series of a family without labels.
  public var cell: Cell { self[NoLabels()] }
}
