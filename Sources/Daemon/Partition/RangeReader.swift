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
  /// The offset behind the last record read.
  private var expected: Int64
  /// Of the views in the buffer, those below `taken` were taken, and those from `limit` on are beyond the range.
  private var taken = 0
  private var limit = 0
  private var failure: RecordBuffer.Failure?
  private var end: Int64?

  /// Starts to read. `reader` must not read that partition already, and must have `enable.partition.eof`.
  init(
    reader: ReaderHandle, topic: String, partition: Int32, from: Int64, to: Int64, batchSize: Int = 20_000
  ) throws(KafkaError) {
    precondition(from <= to, "a range that ends before it begins")
    self.from = from
    self.to = to
    position = from
    expected = from
    stream = try reader.start(topic: topic, partition: partition, offset: .offset(from))
    batch = MessageBatch(capacity: batchSize)
    buffer = RecordBuffer(capacity: batchSize)
  }

  /// Ends the reading; safe to repeat.
  func stop() {
    stream.stop()
    release()
  }

  deinit { stream.stop() }

  /// Hands records of the range to `body`, borrowed until it returns; reads further ones where all were taken.
  ///
  /// - Parameter body: says how many it took, from the first on; the others are offered again by the next call.
  /// - Returns: whether the range is over; false also where nothing came in time.
  func next(
    timeoutMilliseconds: Int32, _ body: (UnsafeBufferPointer<RecordView>) -> Int
  ) throws(Failure) -> Bool {
    if position >= to { return true }
    if taken == limit { try read(timeoutMilliseconds: timeoutMilliseconds) }
    if taken < limit {
      taken += body(UnsafeBufferPointer(rebasing: buffer.views[taken..<limit]))
      guard taken == limit else {
        position = buffer.views[taken].offset
        return false
      }
    }
    position = min(expected, to)
    release()
    if let failure {
      switch failure {
      case .kafka(let error): throw .kafka(error)
      case .wentBack(let expected, let found): throw .wentBack(expected: expected, found: found)
      }
    }
    if position < to, let end {
      guard end >= to else { throw .endsBefore(end: end) }
      position = to
    }
    return position >= to
  }

  private func read(timeoutMilliseconds: Int32) throws(Failure) {
    do throws(KafkaError) {
      try stream.read(into: &batch, timeoutMilliseconds: timeoutMilliseconds, lingerMilliseconds: 5)
    } catch {
      throw .kafka(error)
    }
    let scan = buffer.fill(from: batch, expected: &expected)
    failure = scan.failure
    end = scan.end
    let views = buffer.views
    taken = 0
    limit = views.count
    // Ascending, so the records of the range are a prefix.
    while limit > 0, views[limit - 1].offset >= to { limit -= 1 }
  }

  private func release() {
    taken = 0
    limit = 0
    buffer.clear()
    batch.removeAll()
  }
}
