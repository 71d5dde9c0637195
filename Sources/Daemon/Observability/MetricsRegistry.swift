internal import Synchronization

public typealias CounterFamily<Labels: MetricLabels> = MetricFamily<Counter, Labels>
public typealias GaugeFamily<Labels: MetricLabels> = MetricFamily<Gauge, Labels>
public typealias HistogramFamily<Labels: MetricLabels> = MetricFamily<Histogram, Labels>

/// All metrics of the process, rendered on demand.
///
/// Concurrency: families are registered at start; cells are added to from every thread without a lock; ``render()`` may
/// run at any time and is serialized by a lock of its own, so that collectors need none. Lock order: rendering, then
/// one family; a collector may set cells, and must not call ``render()``.
public final class MetricsRegistry: Sendable {
  /// The most series of one family unless it says otherwise: a topic of 1,000 partitions with ten reasons each fits.
  public static let maximumSeriesDefault = 10_000

  private let families = Mutex<[any RenderableFamily]>([])
  private let collectors = Mutex<[@Sendable () -> Void]>([])
  private let rendering = Mutex(())

  public init() {}

  /// Registers a counter. Its name ends in `_total`; where it ends in `_seconds_total`, cells count nanoseconds.
  public func counter<Labels: MetricLabels>(
    _ name: String, _ help: String, maximumSeries: Int = maximumSeriesDefault
  ) -> CounterFamily<Labels> {
    let countsTime = name.hasSuffix("_seconds_total")
    return register(
      MetricFamily(
        name: name, help: help, kind: .counter, maximumSeries: maximumSeries, makeCell: { Counter() },
        renderCell: { cell, text, output in
          output.append(contentsOf: text.prefix)
          let value = cell.value
          output.append(contentsOf: (countsTime ? SeriesText.seconds(nanoseconds: value) : String(value)).utf8)
          output.append(UInt8(ascii: "\n"))
        }))
  }

  /// Registers a gauge.
  public func gauge<Labels: MetricLabels>(
    _ name: String, _ help: String, maximumSeries: Int = maximumSeriesDefault
  ) -> GaugeFamily<Labels> {
    register(
      MetricFamily(
        name: name, help: help, kind: .gauge, maximumSeries: maximumSeries, makeCell: { Gauge() },
        renderCell: { cell, text, output in
          output.append(contentsOf: text.prefix)
          output.append(contentsOf: SeriesText.number(cell.value).utf8)
          output.append(UInt8(ascii: "\n"))
        }))
  }

  /// Registers a histogram with ascending upper bounds; `+Inf` is implied.
  public func histogram<Labels: MetricLabels>(
    _ name: String, _ help: String, bounds: [Double], maximumSeries: Int = 1_000
  ) -> HistogramFamily<Labels> {
    precondition(bounds == bounds.sorted() && Set(bounds).count == bounds.count, "\(name): bounds ascend")
    let edges = bounds.map { "le=\"\(SeriesText.number($0))\"" } + ["le=\"+Inf\""]
    return register(
      MetricFamily(
        name: name, help: help, kind: .histogram, maximumSeries: maximumSeries, makeCell: { Histogram(bounds: bounds) },
        renderCell: { cell, text, output in
          var cumulated: UInt64 = 0
          for (edge, count) in zip(edges, cell.counts) {
            cumulated += count
            output.append(contentsOf: text.derived("_bucket", extra: edge))
            output.append(contentsOf: "\(cumulated)\n".utf8)
          }
          output.append(contentsOf: text.derived("_sum"))
          output.append(contentsOf: "\(SeriesText.number(cell.sum))\n".utf8)
          output.append(contentsOf: text.derived("_count"))
          output.append(contentsOf: "\(cumulated)\n".utf8)
        }))
  }

  private func register<Cell, Labels>(_ family: MetricFamily<Cell, Labels>) -> MetricFamily<Cell, Labels> {
    families.withLock { families in
      precondition(!families.contains { $0.name == family.name }, "metric \(family.name) is registered twice")
      families.append(family)
    }
    return family
  }

  /// Adds a closure that is run at the start of each scrape, to set the gauges that follow from a snapshot.
  public func addCollector(_ collect: @escaping @Sendable () -> Void) {
    collectors.withLock { $0.append(collect) }
  }

  /// All metrics in the Prometheus text format 0.0.4, families in the order of registration.
  public func render() -> [UInt8] {
    rendering.withLock { _ in
      for collect in collectors.withLock({ $0 }) { collect() }
      var output: [UInt8] = []
      output.reserveCapacity(32_768)
      for family in families.withLock({ $0 }) { family.render(into: &output) }
      return output
    }
  }
}
