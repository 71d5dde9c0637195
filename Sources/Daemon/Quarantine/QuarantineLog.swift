public import Kafka
internal import Synchronization

/// The topic of events that could not be counted: the original bytes, key, headers and timestamp, and why.
///
/// Bounded: where its queue is full, ``PartitionQuarantine/append(_:)`` waits, which slows the partition's
/// worker; nothing is dropped. It waits as long as it takes (a broker that is away stops the ledger too). A record that
/// the broker refuses for good is a failure of its partition. A cut waits until ``acknowledgedThrough(partition:)`` has
/// passed its range.
///
/// Repeats are possible (a retry, a replay): readers drop them by (topic, partition, offset). Any thread may call it.
public final class QuarantineLog: Sendable {
  /// The topic's name.
  public let topic: String
  private let usageTopic: [UInt8]
  private let producer: Producer
  private let target: Producer.Topic
  private let tracker: Tracker

  /// Shared with the report handler, so that the producer does not keep its owner alive.
  private final class Tracker: DeliveryHandler {
    /// Each partition has a lock of its own: a worker and the reports of the others do not meet.
    let partitions = Mutex<[Int32: QuarantineProgress]>([:])
    // In a struct: a closure that is itself a mutex's value is wrapped in two thunks more by every access.
    struct Listener {
      var notify: (@Sendable (Int32) -> Void)?
    }
    let listener = Mutex(Listener())

    func progress(of partition: Int32) -> QuarantineProgress? { partitions.withLock { $0[partition] } }

    func take(_ deliveries: inout Deliveries) {
      var touched: [Int32] = []
      var next = deliveries.next()
      // Reports of one partition come together.
      while let first = next {
        if !touched.contains(first.partition) { touched.append(first.partition) }
        // Of a partition that was given up nobody wants to know.
        next = progress(of: first.partition).map { $0.take(first, then: &deliveries) } ?? deliveries.next()
      }
      guard let notify = listener.withLock({ $0.notify }) else { return }
      for partition in touched { notify(partition) }
    }
  }

  /// The most bytes of key and value together that are taken: what a producer's queue has room for.
  static let greatestRecord = 60 << 20

  /// A quarantine for events of `usageTopic`.
  ///
  /// - Parameter properties: the connection's.
  public init(
    topic: String, usageTopic: String, properties: ClientProperties,
    observer: ClientObserver = ClientObserver()
  ) throws(KafkaError) {
    self.topic = topic
    self.usageTopic = Array(usageTopic.utf8)
    let tracker = Tracker()
    self.tracker = tracker
    producer = try Producer(
      properties: properties.overridden(by: [
        // Repeats are allowed, so the idempotent producer's fatal states are not needed; order is not either.
        "enable.idempotence": "false", "acks": "all", "compression.codec": "lz4",
        // Longer for fewer requests to the broker; a cut may have to wait this long for the last records.
        "linger.ms": "20",
        "message.timeout.ms": "0", "retries": "2147483647", "queue.buffering.max.messages": "30000",
        "queue.buffering.max.kbytes": "65536",
        // The broker's limit is of what arrives, compressed: only the broker can say what is too large.
        "message.max.bytes": "1000000000",
      ]), observer: observer, handler: tracker)
    target = try producer.topic(topic)
  }

  /// Is called, from the producer's thread, when acknowledgements or failures of a partition have come.
  public func onChange(_ notify: @escaping @Sendable (Int32) -> Void) {
    tracker.listener.withLock { $0.notify = notify }
  }

  /// Where the bad events of one partition go. Asked for once for many of them, it spares each the look-up; it is not
  /// to be kept beyond ``forget(partition:)``.
  public func partition(_ partition: Int32) -> PartitionQuarantine {
    let progress = tracker.partitions.withLock { partitions in
      if let known = partitions[partition] { return known }
      let new = QuarantineProgress(headers: QuarantineHeaders(usageTopic: usageTopic, partition: partition))
      partitions[partition] = new
      return new
    }
    return PartitionQuarantine(producer: producer, target: target, progress: progress, partition: partition)
  }

  /// Every quarantined record of the partition below this offset is acknowledged by all in-sync replicas; Int64.max
  /// where none is under way. After a failure it stays where it was.
  public func acknowledgedThrough(partition: Int32) -> Int64 {
    tracker.progress(of: partition)?.acknowledgedThrough ?? .max
  }

  /// Why a record of the partition could not be quarantined, if one could not: it must not be cut.
  public func failure(partition: Int32) -> KafkaError? { tracker.progress(of: partition)?.failure }

  /// Forgets what was under way for a partition that is no longer owned here, and its failure.
  public func forget(partition: Int32) { tracker.partitions.withLock { $0[partition] = nil } }

  /// Waits until everything is acknowledged, then ends. What is left after the time-out is given up: no cut covers it,
  /// so the next owner judges and quarantines it again.
  public func close(timeoutMilliseconds: Int32) {
    try? producer.flush(timeoutMilliseconds: timeoutMilliseconds)
    producer.close()
  }
}
