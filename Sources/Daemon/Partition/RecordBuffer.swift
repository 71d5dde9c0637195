internal import Kafka
internal import Metering

/// Turns a batch of Kafka messages into the core's record views, in memory that is used again for every batch, and
/// compares every offset with the expected one.
///
/// The views borrow the batch's bytes: they are valid until the batch is emptied. Belongs to one partition worker.
/// Unsafe memory, because the views point into librdkafka's buffers; nothing is copied.
struct RecordBuffer: ~Copyable {
  /// Offsets [from, to) that hold no record; the view at `index` is the first one behind them.
  struct Hole: Equatable {
    var index: Int
    var from: Int64
    var to: Int64
  }

  /// What one batch was, besides its records.
  struct Scan {
    /// Holes in front of a record of the batch, in order.
    var holes: [Hole] = []
    /// The offset at which the partition ended when the batch was read, where it did.
    var end: Int64?
    /// What ended the scan; the records in front of it are good.
    var failure: Failure?
  }

  enum Failure: Error {
    /// librdkafka's or the broker's error.
    case kafka(KafkaError)
    /// A record came at an offset that has been passed already: the log has changed under us.
    case wentBack(expected: Int64, found: Int64)
  }

  private let records: UnsafeMutableBufferPointer<RecordView>
  private var headers: [UnsafeMutableBufferPointer<HeaderView>] = []
  private(set) var count = 0

  /// A buffer for batches of at most `capacity` messages.
  init(capacity: Int) { records = .allocate(capacity: capacity) }

  deinit {
    for list in headers { list.deallocate() }
    records.deallocate()
  }

  /// The records of the last batch, in offset order; empty after ``clear()``.
  var views: UnsafeBufferPointer<RecordView> { UnsafeBufferPointer(rebasing: records[..<count]) }

  /// Forgets the views; call it before the batch that they borrow is emptied.
  mutating func clear() {
    count = 0
    releaseHeaders()
  }

  /// Fills the buffer from a batch.
  ///
  /// - Parameter expected: the offset that the first record should have; afterwards the one behind the last record.
  mutating func fill(from batch: borrowing MessageBatch, expected: inout Int64) -> Scan {
    precondition(batch.count <= records.count, "the batch is larger than the buffer")
    clear()
    var scan = Scan()
    for index in 0..<batch.count {
      batch.prefetch(beyond: index)
      let message = batch[index]
      guard message.isRecord else {
        if message.code == .partitionEOF {
          scan.end = message.offset
          continue
        }
        let error = message.error ?? KafkaError(message.code, doing: "read")
        // What passes by itself is between records, and librdkafka goes on behind it.
        if error.isRetriable, !error.isFatal { continue }
        scan.failure = .kafka(error)
        return scan
      }
      let offset = message.offset
      if offset != expected {
        guard offset > expected else {
          scan.failure = .wentBack(expected: expected, found: offset)
          return scan
        }
        scan.holes.append(Hole(index: count, from: expected, to: offset))
      }
      var view = RecordView(
        value: message.value, key: message.key, offset: offset, timestampMilliseconds: message.timestampMilliseconds)
      if message.hasHeaders {
        do throws(KafkaError) {
          view.headers = try headers(of: message)
        } catch {
          scan.failure = .kafka(error)
          return scan
        }
      }
      records.initializeElement(at: count, to: view)
      count += 1
      expected = offset + 1
    }
    return scan
  }

  private mutating func headers(of message: Message) throws(KafkaError) -> UnsafeBufferPointer<HeaderView> {
    var list: [HeaderView] = []
    try message.forEachHeader { name, value in
      list.append(HeaderView(name: name, value: value ?? UnsafeRawBufferPointer(start: nil, count: 0)))
    }
    guard !list.isEmpty else { return UnsafeBufferPointer(start: nil, count: 0) }
    let memory = UnsafeMutableBufferPointer<HeaderView>.allocate(capacity: list.count)
    _ = memory.initialize(from: list)
    headers.append(memory)
    return UnsafeBufferPointer(memory)
  }

  private mutating func releaseHeaders() {
    for list in headers { list.deallocate() }
    headers.removeAll(keepingCapacity: true)
  }
}
