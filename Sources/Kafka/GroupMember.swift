internal import CRdkafka

/// What happens to a member of a consumer group.
public enum GroupEvent: Sendable, Hashable {
  /// These partitions are now this member's (all of them: the assignor is eager). May be empty.
  case assigned([Int32])
  /// These partitions are about to go to others, who get them once the handler has returned (or the session is over).
  case revoked([Int32])
  /// These partitions may already be another member's: the session was over before this member could give them up.
  case lost([Int32])
  /// Another process has joined as the same static member: this one is out for good, and has to end.
  case fenced(KafkaError)
  /// Anything else that went wrong; where it is fatal, no further event but `closed` comes.
  case error(KafkaError)
}

/// An offset that is committed for a group, with what the committer wrote beside it.
public struct CommittedOffset: Sendable, Hashable {
  /// The partition.
  public var partition: Int32
  /// The next offset to read.
  public var offset: Int64
  /// Any text; brokers take at most 4096 bytes (`offset.metadata.max.bytes`).
  public var metadata: String

  /// An offset to commit.
  public init(partition: Int32, offset: Int64, metadata: String = "") {
    self.partition = partition
    self.offset = offset
    self.metadata = metadata
  }
}

/// A static member of a consumer group that reads nothing: it has partitions assigned, and commits offsets.
///
/// Inside each rebalance it tells librdkafka to fetch *no* partition, since `ReaderHandle`s read the data: so nothing
/// is ever paused, resumed, sought or re-assigned under a batch. The broker knows nothing of that: it goes by the
/// group's own assignment, and by heartbeats, which librdkafka's main thread sends.
///
/// All events come on the member's own thread, one at a time. A `.revoked` blocks the rebalance until the handler
/// returns: it drains with a deadline shorter than the session time-out.
public final class GroupMember: Sendable {
  /// The group.
  public let group: String
  /// The topic.
  public let topic: String
  private let client: ClientHandle
  private let poll: PollThread
  private let jobs: JobQueue
  private let events: MemberEvents
  private let stopping = Stopping()

  /// What a member is made of unless it is told otherwise. `session.timeout.ms` bounds how long a dead member's
  /// partitions wait; the revoke handler's deadline must be shorter.
  public static let defaultProperties: ClientProperties = [
    "session.timeout.ms": "10000", "heartbeat.interval.ms": "1000", "max.poll.interval.ms": "300000",
    "partition.assignment.strategy": "range", "enable.auto.commit": "false", "enable.auto.offset.store": "false",
    "auto.offset.reset": "error", "isolation.level": "read_committed",
  ]

  /// Joins a group; the first `.assigned` comes some seconds later.
  ///
  /// - Parameters:
  ///   - instanceID: the static member's name (`group.instance.id`), one for each member. A member that comes back
  ///     under its name within the session time-out gets its partitions again without a rebalance, and one that is
  ///     closed keeps them for that long. `nil` makes a dynamic member, which leaves when it is closed.
  ///   - properties: override `defaultProperties`; must hold `bootstrap.servers`.
  ///   - handler: takes every event, on the member's thread.
  public init(
    group: String, topic: String, instanceID: String?, properties: ClientProperties,
    observer: ClientObserver = ClientObserver(), handler: @escaping @Sendable (GroupEvent) -> Void
  ) throws(KafkaError) {
    var properties = Self.defaultProperties.overridden(by: properties)
    properties["group.id"] = group
    properties["group.instance.id"] = instanceID
    let client = try ClientHandle(
      RD_KAFKA_CONSUMER, purpose: "member \(instanceID ?? "") of group \(group)", properties: properties,
      observer: observer
    ) {
      rd_kafka_conf_set_rebalance_cb($0, memberRebalance)
    }
    let events = MemberEvents(handler: handler)
    self.events = events
    client.setMember(events)
    // Errors and statistics then come to the same queue as the group's events.
    rd_kafka_poll_set_consumer(client.raw)
    let list = PartitionList(topic: topic, partitions: [(Int32(RD_KAFKA_PARTITION_UA), 0)])
    try KafkaError.check(rd_kafka_subscribe(client.raw, list.raw), doing: "subscribe to \(topic)")
    self.client = client
    self.group = group
    self.topic = topic
    let jobs = JobQueue(of: client)
    self.jobs = jobs
    let stopping = stopping
    poll = try PollThread.start(named: "kafka-member") {
      while !stopping.isSet {
        jobs.run()
        guard let message = rd_kafka_consumer_poll(client.raw, 100) else { continue }
        events.took(message, of: client)
        rd_kafka_message_destroy(message)
      }
      jobs.run()
      // Here, so that the last revoke comes on this thread too.
      rd_kafka_consumer_close(client.raw)
    }
  }

  deinit { close() }

  /// Commits offsets for the group, on the member's thread, and waits for the broker's answer.
  ///
  /// May be called by the handler. The commit itself is bounded by the session time-out; where it is not through after
  /// `timeoutMilliseconds`, its outcome is unknown.
  public func commit(_ offsets: [CommittedOffset], timeoutMilliseconds: Int = 10_000) throws(KafkaError) {
    if offsets.isEmpty { return }
    let doing = "commit offsets of \(topic) for group \(group)"
    let client = client
    let topic = topic
    let events = events
    // Judged on the member's thread, which is also the one that rejoins: a static member whose session has expired
    // joins under a new id, and a commit under its old one is answered as a double's, which ends the handle for good.
    @Sendable func commitUnlessLost() throws(KafkaError) {
      if events.isLost {
        throw KafkaError(.unknownMember, doing: doing, detail: "the assignment is lost", isRetriable: true)
      }
      try commitOffsets(offsets, of: topic, with: client, doing: doing)
    }
    if poll.isCurrent { return try commitUnlessLost() }
    if stopping.isSet { throw KafkaError(.wrongState, doing: doing, detail: "the member is closed") }
    let outcome = Outcome()
    jobs.add {
      do throws(KafkaError) {
        try commitUnlessLost()
        outcome.set(.success(()))
      } catch {
        outcome.set(.failure(error))
      }
    }
    guard let result = outcome.wait(milliseconds: timeoutMilliseconds) else {
      throw KafkaError(.timedOut, doing: doing)
    }
    try result.get()
  }

  /// The offsets that are committed for the group; partitions without one are absent. Asks the broker, from the
  /// caller's thread, for up to `timeoutMilliseconds`.
  public func committed(
    _ partitions: [Int32], timeoutMilliseconds: Int32 = 10_000
  ) throws(KafkaError) -> [Int32: CommittedOffset] {
    try committedOffsets(client, of: topic, group: group, partitions, timeoutMilliseconds)
  }

  /// Gives up the partitions (a last `.revoked`) and closes the handle. Blocks until that is done; must not be called
  /// by the handler. A second call does nothing.
  public func close() {
    guard stopping.set() else { return }
    precondition(!poll.isCurrent, "close waits for the thread that it was called on")
    jobs.wake()
    poll.join()
    jobs.close()
    client.destroy()
  }
}

private func commitOffsets(
  _ offsets: [CommittedOffset], of topic: String, with client: ClientHandle, doing: String
) throws(KafkaError) {
  let list = PartitionList(topic: topic, partitions: offsets.map { ($0.partition, $0.offset) })
  for (index, offset) in offsets.enumerated() { list.setMetadata(offset.metadata, at: index) }
  try KafkaError.check(rd_kafka_commit(client.raw, list.raw, 0), doing: doing)
  for entry in list.entries { try KafkaError.check(entry.err, doing: "\(doing), partition \(entry.partition)") }
}
