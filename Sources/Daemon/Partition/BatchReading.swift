internal import Kafka
internal import Metering

/// The stream that a worker counts from, the batch that it has in hand, and how far it is in it.
final class BatchReading {
  /// Records in a batch at most: enough that a turn's own work is nothing beside them, and no more than the caches hold
  /// until they are let go (20,000 counted 7 % more events a second than 50,000 did).
  static let batchSize = 20_000

  let stream: PartitionStream
  var batch = MessageBatch(capacity: BatchReading.batchSize)
  var buffer = RecordBuffer(capacity: BatchReading.batchSize)
  /// The offset that the next record should have.
  var expected: Int64
  /// Everything below it was judged, or is a hole.
  var counted: Int64
  /// The next view of the batch to be counted, and the next hole.
  var index = 0
  var hole = 0
  var scan = RecordBuffer.Scan()
  var findings: [GapReader.Finding] = []
  /// Where the partition ended for a reader of committed records when it was last reached.
  var end: Int64?
  /// Since when nothing came although the partition has more, elapsed milliseconds.
  private var starvedSince: Int64?

  init(stream: PartitionStream, from: Int64) {
    self.stream = stream
    expected = from
    counted = from
  }

  /// Whether records are in hand that the machine has not taken.
  var hasLeft: Bool { index < buffer.count || hole < scan.holes.count }

  /// Lets the batch go.
  func release() {
    buffer.clear()
    batch.removeAll()
    index = 0
    hole = 0
    scan.holes = []
  }

  /// High watermark − position; transaction markers at the end are not lag.
  var lag: Int64 {
    guard let high = stream.cachedWatermarks()?.high else { return 0 }
    let reached = max(counted, hasLeft ? counted : end ?? counted)
    return max(0, high - reached)
  }

  /// Notes whether something came, for ``isBlockedByTransaction``.
  func noteRead(count: Int, now: Int64) {
    let high = stream.cachedWatermarks()?.high ?? 0
    let isAtEnd = end.map { $0 >= expected && $0 < high } ?? false
    if count > 0 || !isAtEnd { starvedSince = nil } else if starvedSince == nil { starvedSince = now }
  }

  /// The last stable offset stands still below the high watermark: a transaction is open.
  var isBlockedByTransaction: Bool {
    starvedSince.map { Clock.elapsedMilliseconds() - $0 >= 5_000 } ?? false
  }
}
