/// The totals of the offset range [from, to), frozen for a cut before any mapping to a provider's names.
public struct FrozenRange: Hashable, Sendable {
  /// The range's first offset.
  public var from: Int64
  /// The offset after the range's last: the head that a cut of this range sets.
  public var to: Int64
  /// The rows in canonical order (``CutRow/precedes(_:_:)``), as the payloads of the CUT's chunks.
  public let payloads: [[UInt8]]
  /// How many rows these hold.
  public let rowCount: Int
  /// What happened to the range's records.
  public var counters: RangeCounters
  /// The log's clock after the range's last record, Unix milliseconds.
  public var clockAtEnd: Int64

  /// A frozen range of these values.
  package init(
    from: Int64, to: Int64, payloads: [[UInt8]], rowCount: Int, counters: RangeCounters, clockAtEnd: Int64
  ) {
    self.from = from
    self.to = to
    self.payloads = payloads
    self.rowCount = rowCount
    self.counters = counters
    self.clockAtEnd = clockAtEnd
  }

  /// The same of rows in canonical order.
  public init(from: Int64, to: Int64, rows: [CutRow], counters: RangeCounters, clockAtEnd: Int64) {
    self.init(
      from: from, to: to, payloads: CutChunk.payloads(of: rows), rowCount: rows.count, counters: counters,
      clockAtEnd: clockAtEnd)
  }

  /// The rows, put together anew at each call.
  public var rows: [CutRow] {
    do throws(LedgerCodecError) {
      var rows: [CutRow] = []
      for payload in payloads { rows += try CutChunk.rows(in: payload) }
      return rows
    } catch {
      preconditionFailure("a cut that was just encoded cannot be read: \(error)")
    }
  }
}
