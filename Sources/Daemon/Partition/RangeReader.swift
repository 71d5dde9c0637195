internal import Kafka
internal import Metering

/// Reads the records of one offset range [from, to) of a usage partition, once: for a replay, for a rebuild, or to look
/// at a single record. Runs on a consumer of its own, while the group member keeps its membership.
///
/// Belongs to one partition worker's queue. The range is over when a record at `to` or beyond was seen, or the end of
/// the partition at or beyond it (the range's last offsets may be transaction markers).
final class RangeReader {
  /// Why a range cannot be read.
  enum Failure: Error {
    case kafka(KafkaError)
    /// The log has changed under us.
    case wentBack(expected: Int64, found: Int64)
    /// The partition ends inside the range.
    case endsBefore(end: Int64)
  }

  let from: Int64
  let to: Int64
  /// The next offset to be read; `to` at the end.
  private(set) var position: Int64
  private let stream: PartitionStream
  private var batch: MessageBatch
  private var buffer: RecordBuffer

  /// Starts to read. `reader` must not read that partition already, and must have `enable.partition.eof`.
  init(
    reader: ReaderHandle, topic: String, partition: Int32, from: Int64, to: Int64, batchSize: Int = 20_000
  ) throws(KafkaError) {
    precondition(from <= to, "a range that ends before it begins")
    self.from = from
    self.to = to
    position = from
    stream = try reader.start(topic: topic, partition: partition, offset: .offset(from))
    batch = MessageBatch(capacity: batchSize)
    buffer = RecordBuffer(capacity: batchSize)
  }

  /// Ends the reading; safe to repeat.
  func stop() {
    stream.stop()
    buffer.clear()
    batch.removeAll()
  }

  deinit { stream.stop() }

  /// Waits for records and hands those of the range to `body`, borrowed until it returns.
  ///
  /// - Returns: whether the range is over; false also where nothing came in time.
  func next(
    timeoutMilliseconds: Int32, _ body: (UnsafeBufferPointer<RecordView>) -> Void
  ) throws(Failure) -> Bool {
    if position >= to { return true }
    do throws(KafkaError) {
      try stream.read(into: &batch, timeoutMilliseconds: timeoutMilliseconds, lingerMilliseconds: 5)
    } catch {
      throw .kafka(error)
    }
    var expected = position
    let scan = buffer.fill(from: batch, expected: &expected)
    defer {
      buffer.clear()
      batch.removeAll()
    }
    let views = buffer.views
    // Ascending, so the records of the range are a prefix.
    var count = views.count
    while count > 0, views[count - 1].offset >= to { count -= 1 }
    if count > 0 { body(UnsafeBufferPointer(rebasing: views[..<count])) }
    position = min(expected, to)
    switch scan.failure {
    case .kafka(let error)?: throw .kafka(error)
    case .wentBack(let expected, let found)?: throw .wentBack(expected: expected, found: found)
    case nil: break
    }
    if position < to, let end = scan.end {
      guard end >= to else { throw .endsBefore(end: end) }
      position = to
    }
    return position >= to
  }
}
