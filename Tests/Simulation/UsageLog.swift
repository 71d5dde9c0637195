import Metering

/// What the generator meant by a record: the oracle's only source.
struct Meaning {
  enum Kind {
    case event(key: String, customer: String, feature: String, units: Int128, isRevert: Bool)
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
  /// Readers at the end: told once when there is more.
  var waiting: [() -> Void] = []
  private var buffers: [UnsafeMutableRawBufferPointer] = []

  var end: Int64 { Int64(records.count) }

  func append(text: String, customer: String, timestamp: Int64, meaning: Meaning) {
    let value = copy(Array(text.utf8))
    let key = copy(Array(customer.utf8))
    let view = RecordView(value: value, key: key, offset: end, timestampMilliseconds: timestamp)
    records.append(Record(view: view, meaning: meaning))
  }

  /// Tells the readers that wait at the end.
  func tell() {
    let told = waiting
    waiting = []
    for tell in told { tell() }
  }

  /// A transaction marker or an aborted record.
  func appendHole() { records.append(nil) }

  /// At most `limit` records from `offset` on, below `end`, without holes in between; and where the hole ends that
  /// `offset` may be in.
  func batch(from offset: Int64, below end: Int64, limit: Int) -> (hole: Int64, views: [RecordView]) {
    var next = offset
    while next < end, records[Int(next)] == nil { next += 1 }
    let hole = next
    var views: [RecordView] = []
    while next < end, views.count < limit, let record = records[Int(next)] {
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
