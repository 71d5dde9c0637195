public import Kafka
public import Metering

/// Where the bad events of one partition go (``QuarantineLog/partition(_:)``). One thread at a time.
///
/// A stream of bad events must not cost much more than one of good ones: what is the same for all of them is made once,
/// and what differs is written straight into librdkafka's own list of headers.
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

  /// Appends one event; copies it, and waits while the queue is full. Its copy goes to the partition of the same number.
  ///
  /// - Parameter detail: for people; what exactly was wrong.
  /// - Throws: what refuses the record for good, or has refused an earlier one.
  public func append(_ record: RecordView, reason: QuarantineReason, detail: QuarantineDetail) throws(KafkaError) {
    guard record.key.count + record.value.count <= QuarantineLog.greatestRecord else {
      try progress.begin(record.offset, place: nil)
      let error = KafkaError(
        .messageTooLarge, doing: "quarantine record \(record.offset)",
        detail: "\(record.key.count + record.value.count) bytes, at most \(QuarantineLog.greatestRecord)")
      progress.fail(error)
      throw error
    }
    var place: Int32?
    var headers = headers(of: record, reason: reason, detail: detail, place: &place)
    try progress.begin(record.offset, place: place)
    while true {
      do throws(KafkaError) {
        return try producer.produce(
          to: target, partition: partition, keyBytes: record.key.baseAddress == nil ? nil : record.key,
          valueBytes: record.value.baseAddress == nil ? nil : record.value, headerList: headers.take(),
          timestampMilliseconds: record.timestampMilliseconds < 0 ? nil : record.timestampMilliseconds,
          token: UInt64(record.offset) + 1)
      } catch {
        guard error.code == .queueFull else {
          progress.fail(error)
          throw error
        }
        Clock.sleep(milliseconds: 2)
        headers = self.headers(of: record, reason: reason, detail: detail, place: &place)
      }
    }
  }

  private func headers(
    of record: RecordView, reason: QuarantineReason, detail: QuarantineDetail, place: inout Int32?
  ) -> HeaderList? {
    var list: HeaderList?
    detail.withUTF8 { detail in
      withUnsafeTemporaryAllocation(byteCount: LineWriter.mostDigits, alignment: 1) { room in
        var offset = LineWriter(room: room)
        offset.add(record.offset)
        place = QuarantineHeaders.place(original: record.headers, reason: reason.code, detail: detail)
        list = progress.headers.list(
          at: place, original: record.headers, reason: reason.code, offset: offset.bytes, detail: detail)
      }
    }
    return list
  }
}
