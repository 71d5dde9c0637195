import Metering

/// What the generator meant by a record: the oracle's only source.
struct Meaning {
  struct Event {
    var key: String
    var customer: String
    var feature: String
    var units: Int128
    var isRevert: Bool
    var dimensions: [String: String] = [:]
  }
  enum Kind {
    case event(Event)
    case malformed
  }
  var kind: Kind
  /// The event's time as the record states it; nil: the record's timestamp.
  var timeMilliseconds: Int64?
}

/// One partition of the usage topic, in memory. Its bytes live as long as the log.
final class UsageLog {
  struct Record {
    var view: RecordView
    var meaning: Meaning
  }

  /// By offset; offsets without a record are holes.
  private(set) var records: [Record?] = []
  /// The offset after the last record: what a head can reach. Holes at the end are not seen yet.
  private(set) var endOfRecords: Int64 = 0
  /// Records below this offset are deleted.
  private(set) var low: Int64 = 0
  /// Records that a reader may pass over as if nothing were there; whoever looks a second time finds them.
  private(set) var elusive: Set<Int64> = []
  /// Readers at the end: told once when there is more.
  var waiting: [() -> Void] = []
  /// What the quarantine topic holds of this partition, by offset.
  var quarantined: Set<Int64> = []
  private var buffers: [UnsafeMutableRawBufferPointer] = []

  var end: Int64 { Int64(records.count) }

  func append(text: String, customer: String, timestamp: Int64, meaning: Meaning) {
    let value = copy(Array(text.utf8))
    let key = copy(Array(customer.utf8))
    let view = RecordView(value: value, key: key, offset: end, timestampMilliseconds: timestamp)
    records.append(Record(view: view, meaning: meaning))
    endOfRecords = end
  }

  /// Marks the last record as one that a reader may pass over.
  func hideLast() { elusive.insert(endOfRecords - 1) }

  func delete(below offset: Int64) { low = max(low, min(offset, end)) }

  /// Tells the readers that wait at the end.
  func tell() {
    let told = waiting
    waiting = []
    for tell in told { tell() }
  }

  /// A transaction marker or an aborted record.
  func appendHole() { records.append(nil) }

  /// The first offset whose record's timestamp is at or after `milliseconds`; nil where there is none.
  func offset(at milliseconds: Int64) -> Int64? {
    records[Int(low)...].firstIndex { ($0?.view.timestampMilliseconds ?? .min) >= milliseconds }.map(Int64.init)
  }

  /// At most `limit` records from `offset` on, below `end`, without holes in between; and where the hole ends that
  /// `offset` may be in. `missed`: records that this reader passes over.
  func batch(
    from offset: Int64, below end: Int64, limit: Int, missed: Set<Int64> = []
  ) -> (hole: Int64, views: [RecordView]) {
    var next = offset
    while next < end, records[Int(next)] == nil || missed.contains(next) { next += 1 }
    let hole = next
    var views: [RecordView] = []
    while next < end, views.count < limit, !missed.contains(next), let record = records[Int(next)] {
      views.append(record.view)
      next += 1
    }
    return (hole, views)
  }

  private func copy(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count + 64, alignment: 16)
    buffer.copyBytes(from: bytes)
    buffers.append(buffer)
    return UnsafeRawBufferPointer(rebasing: buffer[..<bytes.count])
  }

  deinit { for buffer in buffers { buffer.deallocate() } }
}
