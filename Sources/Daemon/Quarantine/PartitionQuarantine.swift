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
  private let usageTopic: [UInt8]
  private let partition: Int32

  init(
    producer: Producer, target: Producer.Topic, progress: QuarantineProgress, usageTopic: [UInt8], partition: Int32
  ) {
    self.producer = producer
    self.target = target
    self.progress = progress
    self.usageTopic = usageTopic
    self.partition = partition
  }

  /// Appends one event; copies it, and waits while the queue is full. Its copy goes to the partition of the same number.
  ///
  /// - Parameter detail: for people; what exactly was wrong.
  /// - Throws: what refuses the record for good, or has refused an earlier one.
  public func append(_ record: RecordView, reason: QuarantineReason, detail: QuarantineDetail) throws(KafkaError) {
    try progress.begin(record.offset)
    while true {
      do throws(KafkaError) {
        return try producer.produce(
          to: target, partition: partition, keyBytes: record.key.baseAddress == nil ? nil : record.key,
          valueBytes: record.value.baseAddress == nil ? nil : record.value,
          headerList: headers(of: record, reason: reason, detail: detail),
          timestampMilliseconds: record.timestampMilliseconds < 0 ? nil : record.timestampMilliseconds,
          token: UInt64(record.offset) + 1)
      } catch {
        guard error.code == .queueFull else {
          progress.fail(error)
          throw error
        }
        Clock.sleep(milliseconds: 2)
      }
    }
  }

  /// The original headers, then ours (INTERFACE.md section 1).
  private func headers(of record: RecordView, reason: QuarantineReason, detail: QuarantineDetail) -> HeaderList {
    let list = HeaderList(expecting: record.headers.count + 5)
    for header in record.headers {
      list.add(header.name, header.value.baseAddress == nil ? nil : header.value)
    }
    let code = reason.code
    list.add("meterd_reason", UnsafeRawBufferPointer(start: code.utf8Start, count: code.utf8CodeUnitCount))
    usageTopic.withUnsafeBytes { list.add("meterd_topic", $0) }
    add("meterd_partition", Int64(partition), to: list)
    add("meterd_offset", record.offset, to: list)
    detail.withUTF8 { list.add("meterd_detail", $0) }
    return list
  }

  private func add(_ name: StaticString, _ number: Int64, to list: borrowing HeaderList) {
    withUnsafeTemporaryAllocation(byteCount: LineWriter.mostDigits, alignment: 1) { room in
      var line = LineWriter(room: room)
      line.add(number)
      list.add(name, line.bytes)
    }
  }
}
