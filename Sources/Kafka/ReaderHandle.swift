internal import CRdkafka
internal import Dispatch
internal import Synchronization

/// A consumer that belongs to no group: it reads the partitions that it is told to, from the offsets that it is told.
///
/// Data is read here, and membership is `GroupMember`'s: so no seek, pause or re-assignment ever happens on a consumer
/// of a group, where librdkafka 2.0.2 can skip offsets in batches. Partitions are started and stopped independently,
/// each with a queue of its own. A handle has one thread for each broker, which is its bottleneck: two handles that
/// share the partitions read faster than one.
public final class ReaderHandle: Sendable {
  let client: ClientHandle
  private let poll: PollThread
  private let stopping: Stopping
  private let started = Mutex<Set<TopicPartition>>([])
  /// The queue length at which librdkafka stops to fetch, and below half of which a sleeping broker thread is woken.
  let queuedMinimumMessages: Int
  /// Runs the requests that wake a broker thread: they block, so not the reader's own thread.
  let wakeQueue = DispatchQueue(label: "kafka.reader.wake", attributes: .concurrent)

  /// Records of a partition that are fetched ahead: two batches and a half. Twice as many cost 5 % more CPU an event, as
  /// more memory is used for the first time.
  private static let queuedByDefault = 50_000

  /// What a reader is made of unless it is told otherwise.
  ///
  /// `auto.offset.reset=error`: an offset that is gone is an error entry in the stream, never a silent jump.
  public static let defaultProperties: ClientProperties = [
    "isolation.level": "read_committed", "auto.offset.reset": "error", "enable.auto.commit": "false",
    "enable.auto.offset.store": "false", "fetch.wait.max.ms": "10", "fetch.error.backoff.ms": "100",
    "fetch.message.max.bytes": "1048576", "queued.min.messages": "\(queuedByDefault)",
    "queued.max.messages.kbytes": "262144",
    "fetch.queue.backoff.ms": "10", "topic.metadata.refresh.sparse": "true",
  ]

  /// Makes a handle; it connects as soon as it is asked for something.
  ///
  /// - Parameter properties: override `defaultProperties`; must hold `bootstrap.servers`.
  public init(properties: ClientProperties, observer: ClientObserver = ClientObserver()) throws(KafkaError) {
    let properties = Self.defaultProperties.overridden(by: properties)
    client = try ClientHandle(RD_KAFKA_CONSUMER, purpose: "reader", properties: properties, observer: observer)
    queuedMinimumMessages = properties["queued.min.messages"].flatMap { Int($0) } ?? Self.queuedByDefault
    let stopping = Stopping()
    self.stopping = stopping
    // Serves the callbacks for errors and statistics; the data never passes here.
    let client = client
    poll = try PollThread.start(named: "kafka-reader") {
      while !stopping.isSet { rd_kafka_poll(client.raw, 100) }
    }
  }

  deinit { close() }

  /// Starts to read a partition.
  ///
  /// - Parameters:
  ///   - offset: the first offset to deliver, or where the next record behind it is.
  /// - Throws: `.wrongState` where this handle reads that partition already.
  public func start(topic: String, partition: Int32, offset: StartOffset) throws(KafkaError) -> PartitionStream {
    let place = TopicPartition(topic: topic, partition: partition)
    let doing = "start reading \(place) at \(offset)"
    if stopping.isSet { throw KafkaError(.wrongState, doing: doing, detail: "the reader is closed") }
    guard started.withLock({ $0.insert(place).inserted }) else {
      throw KafkaError(.wrongState, doing: doing, detail: "this reader reads it already: stop that stream first")
    }
    do {
      return try PartitionStream(handle: self, place: place, offset: offset, doing: doing)
    } catch {
      started.withLock { _ = $0.remove(place) }
      throw error
    }
  }

  func didStop(_ place: TopicPartition) { started.withLock { _ = $0.remove(place) } }

  /// Closes the handle; blocks until librdkafka's threads have ended. Streams must have been stopped before.
  /// A second call does nothing.
  public func close() {
    guard stopping.set() else { return }
    let left = started.withLock { $0 }
    precondition(left.isEmpty, "a reader was closed while it read \(left.map(\.description).sorted())")
    poll.join()
    wakeQueue.sync(flags: .barrier) {}
    client.destroy()
  }

  /// Asks the leader for the partition's ends, as far as this reader may read: for committed records, `high` is where
  /// the oldest open transaction begins (`Admin.watermarks` and `PartitionStream.cachedWatermarks` give the high
  /// watermark). Blocks up to `timeoutMilliseconds`.
  public func queryWatermarks(
    topic: String, partition: Int32, timeoutMilliseconds: Int32
  ) throws(KafkaError) -> Watermarks {
    try watermarks(of: client, topic, partition, timeoutMilliseconds)
  }

  /// For each partition the offset of the first record whose timestamp is `unixMilliseconds` or later; `nil` where there
  /// is none. Blocks up to `timeoutMilliseconds`.
  public func offsetsForTime(
    topic: String, partitions: [Int32], unixMilliseconds: Int64, timeoutMilliseconds: Int32
  ) throws(KafkaError) -> [Int32: Int64?] {
    try Kafka.offsetsForTime(client, topic, partitions, unixMilliseconds, timeoutMilliseconds)
  }
}

/// A topic and a partition.
public struct TopicPartition: Sendable, Hashable, CustomStringConvertible {
  /// The topic's name.
  public var topic: String
  /// The partition's number.
  public var partition: Int32

  /// A place.
  public init(topic: String, partition: Int32) {
    self.topic = topic
    self.partition = partition
  }

  /// "usage[3]".
  public var description: String { "\(topic)[\(partition)]" }
}

/// Where a stream starts.
public enum StartOffset: Sendable, Hashable, CustomStringConvertible {
  /// At this offset; where no record has it (a transaction's marker, say), at the next one behind it.
  case offset(Int64)
  /// At the first record that is retained.
  case beginning
  /// Behind the last record (of a finished transaction, when reading committed records).
  case end

  var raw: Int64 {
    switch self {
    case .offset(let offset): offset
    case .beginning: Int64(RD_KAFKA_OFFSET_BEGINNING)
    case .end: Int64(RD_KAFKA_OFFSET_END)
    }
  }

  /// "offset 17", "the beginning" or "the end".
  public var description: String {
    switch self {
    case .offset(let offset): "offset \(offset)"
    case .beginning: "the beginning"
    case .end: "the end"
    }
  }
}

/// The ends of a partition.
public struct Watermarks: Sendable, Hashable {
  /// The first offset that is retained.
  public var low: Int64
  /// The offset that the next record will get.
  public var high: Int64

  /// Both ends.
  public init(low: Int64, high: Int64) {
    self.low = low
    self.high = high
  }
}

/// A flag that is set once.
final class Stopping: Sendable {
  private let flag = Atomic(false)
  var isSet: Bool { flag.load(ordering: .acquiring) }
  /// Sets it; `true` for the first caller.
  func set() -> Bool { !flag.exchange(true, ordering: .acquiringAndReleasing) }
}
