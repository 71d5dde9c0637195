public import Kafka
public import Metering
internal import Synchronization

/// The topic of events that could not be counted: the original bytes, key, headers and timestamp, and why.
///
/// Bounded: where its queue is full, ``append(partition:record:reason:detail:)`` waits, which slows the partition's
/// worker; nothing is dropped. It waits as long as it takes (a broker that is away stops the ledger too). A record that
/// the broker refuses for good is a failure of its partition. A cut waits until ``acknowledgedThrough(partition:)`` has
/// passed its range.
///
/// Repeats are possible (a retry, a replay): readers drop them by (topic, partition, offset). Any thread may call it.
public final class QuarantineLog: Sendable {
  /// The topic's name.
  public let topic: String
  private let usageTopic: String
  private let producer: Producer
  private let state: Tracker

  /// Shared with the report handler, so that the producer does not keep its owner alive.
  private final class Tracker: Sendable {
    struct Partition {
      var pending = PendingOffsets()
      var failure: KafkaError?
    }
    let partitions = Mutex<[Int32: Partition]>([:])
    // In a struct: a closure that is itself a mutex's value is wrapped in two thunks more by every access.
    struct Listener {
      var notify: (@Sendable (Int32) -> Void)?
    }
    let listener = Mutex(Listener())

    func take(_ reports: [DeliveryReport]) {
      let touched = partitions.withLock { partitions in
        var touched: [Int32] = []
        for report in reports {
          // Reports of one partition come together.
          if touched.last != report.partition, !touched.contains(report.partition) { touched.append(report.partition) }
          if let error = report.error {
            let failure = partitions[report.partition, default: Partition()].failure ?? error
            partitions[report.partition]?.failure = failure
          } else {
            // The token is the offset and one: a null pointer is no token.
            partitions[report.partition]?.pending.acknowledged(Int64(report.token) - 1)
          }
        }
        return touched
      }
      guard let notify = listener.withLock({ $0.notify }) else { return }
      for partition in touched { notify(partition) }
    }
  }

  /// A quarantine for events of `usageTopic`.
  ///
  /// - Parameters:
  ///   - properties: the connection's.
  ///   - greatestRecord: the quarantine topic's `max.message.bytes`.
  public init(
    topic: String, usageTopic: String, properties: ClientProperties, greatestRecord: Int64 = 1_114_124,
    observer: ClientObserver = ClientObserver()
  ) throws(KafkaError) {
    self.topic = topic
    self.usageTopic = usageTopic
    let tracker = Tracker()
    state = tracker
    producer = try Producer(
      properties: properties.overridden(by: [
        // Repeats are allowed, so the idempotent producer's fatal states are not needed; order is not either.
        "enable.idempotence": "false", "acks": "all", "compression.codec": "lz4", "linger.ms": "5",
        "message.timeout.ms": "0", "retries": "2147483647", "queue.buffering.max.messages": "100000",
        "queue.buffering.max.kbytes": "65536",
        "message.max.bytes": String(min(max(greatestRecord, 1_000), 1_000_000_000)),
      ]), observer: observer, reports: { tracker.take($0) })
  }

  /// Is called, from the producer's thread, when acknowledgements or failures of a partition have come.
  public func onChange(_ notify: @escaping @Sendable (Int32) -> Void) { state.listener.withLock { $0.notify = notify } }

  /// Appends one event; copies it, and waits while the queue is full.
  ///
  /// - Parameters:
  ///   - partition: the record's partition; its copy goes to the same one.
  ///   - detail: for people; what exactly was wrong. Empty is fine.
  /// - Throws: what refuses the record for good.
  public func append(
    partition: Int32, record: RecordView, reason: QuarantineReason, detail: String
  ) throws(KafkaError) {
    if let failure = failure(partition: partition) { throw failure }
    let key = record.key.baseAddress == nil ? nil : record.key
    let value = record.value.baseAddress == nil ? nil : record.value
    state.partitions.withLock { $0[partition, default: .init()].pending.added(record.offset) }
    while true {
      do throws(KafkaError) {
        try producer.produce(
          topic: topic, partition: partition, keyBytes: key, valueBytes: value,
          headerList: Self.headers(
            of: record, reason: reason, topic: usageTopic, partition: partition, detail: detail),
          timestampMilliseconds: record.timestampMilliseconds < 0 ? nil : record.timestampMilliseconds,
          token: UInt64(record.offset) + 1)
        return
      } catch {
        if error.code == .queueFull {
          Clock.sleep(milliseconds: 2)
          continue
        }
        state.partitions.withLock { partitions in
          let failure = partitions[partition]?.failure ?? error
          partitions[partition]?.failure = failure
        }
        throw error
      }
    }
  }

  /// Every quarantined record of the partition below this offset is acknowledged by all in-sync replicas; Int64.max
  /// where none is under way. After a failure it stays where it was.
  public func acknowledgedThrough(partition: Int32) -> Int64 {
    state.partitions.withLock { $0[partition]?.pending.acknowledgedThrough ?? .max }
  }

  /// Why a record of the partition could not be quarantined, if one could not: it must not be cut.
  public func failure(partition: Int32) -> KafkaError? {
    state.partitions.withLock { $0[partition]?.failure }
  }

  /// Forgets what was under way for a partition that is no longer owned here, and its failure.
  public func forget(partition: Int32) { state.partitions.withLock { $0[partition] = nil } }

  /// Waits until everything is acknowledged, then ends. What is left after the time-out is given up: no cut covers it,
  /// so the next owner judges and quarantines it again.
  public func close(timeoutMilliseconds: Int32) {
    try? producer.flush(timeoutMilliseconds: timeoutMilliseconds)
    producer.close()
  }

  /// The original headers, then ours (INTERFACE.md section 1). Straight into librdkafka's list: a stream of bad events
  /// must not cost much more than one of good ones.
  static func headers(
    of record: RecordView, reason: QuarantineReason, topic: String, partition: Int32, detail: String
  ) -> HeaderList {
    let list = HeaderList(expecting: record.headers.count + 5)
    for header in record.headers {
      list.add(header.name, header.value.baseAddress == nil ? nil : header.value)
    }
    list.add(
      "meterd_reason", UnsafeRawBufferPointer(start: reason.code.utf8Start, count: reason.code.utf8CodeUnitCount))
    add("meterd_topic", topic, to: list)
    add("meterd_partition", String(partition), to: list)
    add("meterd_offset", String(record.offset), to: list)
    add("meterd_detail", detail, to: list)
    return list
  }

  private static func add(_ name: StaticString, _ value: String, to list: borrowing HeaderList) {
    var value = value
    value.withUTF8 { list.add(name, UnsafeRawBufferPointer($0)) }
  }
}
