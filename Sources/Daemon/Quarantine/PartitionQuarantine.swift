public import Kafka
public import Metering

/// An event that could not be counted, and why; it borrows its record.
public struct QuarantinedEvent {
  var record: RecordView
  var reason: QuarantineReason
  var detail: QuarantineDetail
  /// What it is produced with, where its record had no headers of its own.
  var headers: ReusableHeaders?

  /// - Parameter detail: for people; what exactly was wrong.
  public init(_ record: RecordView, reason: QuarantineReason, detail: QuarantineDetail) {
    self.record = record
    self.reason = reason
    self.detail = detail
  }
}

/// Where the bad events of one partition go (``QuarantineLog/partition(_:)``). One thread at a time.
///
/// A stream of bad events must not cost much more than one of good ones. So they are taken some at a time, in steps: each
/// step finds its code, its locks and its memory in the caches, where a single one among good events finds nothing.
public struct PartitionQuarantine {
  private let producer: Producer
  private let target: Producer.Topic
  private let progress: QuarantineProgress
  private let partition: Int32

  init(producer: Producer, target: Producer.Topic, progress: QuarantineProgress, partition: Int32) {
    self.producer = producer
    self.target = target
    self.progress = progress
    self.partition = partition
  }

  /// Appends events, in the order of their offsets; copies them, and waits while the queue is full. The copies go to the
  /// partition of the same number. Nothing is left in `events` afterwards.
  ///
  /// - Throws: what refuses one of them for good, or has refused an earlier one.
  public func append(_ events: inout [QuarantinedEvent]) throws(KafkaError) {
    var taken = 0
    defer {
      for event in events[taken...] { event.headers?.destroy() }
      events.removeAll(keepingCapacity: true)
    }
    progress.headers.fill(&events)
    try progress.begin(events)
    while taken < events.count {
      do throws(KafkaError) {
        try produce(events[taken])
        taken += 1
      } catch {
        guard error.code == .queueFull else {
          progress.fail(error)
          throw error
        }
        Clock.sleep(milliseconds: 2)
      }
    }
  }

  private func produce(_ event: QuarantinedEvent) throws(KafkaError) {
    let record = event.record
    guard record.key.count + record.value.count <= QuarantineLog.greatestRecord else {
      throw KafkaError(
        .messageTooLarge, doing: "quarantine record \(record.offset)",
        detail: "\(record.key.count + record.value.count) bytes, at most \(QuarantineLog.greatestRecord)")
    }
    let key = record.key.baseAddress == nil ? nil : record.key
    let value = record.value.baseAddress == nil ? nil : record.value
    let timestamp = record.timestampMilliseconds < 0 ? nil : record.timestampMilliseconds
    // A null pointer is no token.
    let token = UInt64(record.offset) + 1
    if let headers = event.headers {
      return try producer.produce(
        to: target, partition: partition, keyBytes: key, valueBytes: value, reusing: headers,
        timestampMilliseconds: timestamp, token: token)
    }
    try producer.produce(
      to: target, partition: partition, keyBytes: key, valueBytes: value,
      headerList: progress.headers.list(for: event), timestampMilliseconds: timestamp, token: token)
  }
}
