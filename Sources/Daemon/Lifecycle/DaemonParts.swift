internal import Billing
internal import Dispatch
internal import Glibc
internal import Kafka
internal import Metering
internal import Synchronization

/// What a running daemon is made of. Made whole or not at all; closed in the reverse order.
final class DaemonParts: Sendable {
  let environment: PartitionEnvironment
  let sinks: SinkSet
  let offsets: MemberOffsets
  let partitionCount: Int32
  let memberCount: Int
  private let settings: DaemonSettings
  private let log: Log
  private let lock: StorageLock
  private let usage: UsageTopic
  private let ledgers: [LedgerLog]
  private let quarantine: QuarantineLog?
  private let observers: ClientObservers
  private let members = Mutex(Members())
  /// One at a time, and none any more once the parts are closed.
  private let rejoining = DispatchQueue(label: "rejoining")

  private struct Members {
    var all: [GroupMember] = []
    var handler: (@Sendable (Int, GroupEvent) -> Void)?
  }

  init(
    settings: DaemonSettings, lock: StorageLock, log: Log, metrics: MeterdMetrics,
    deliver: @escaping @Sendable (Int32, PartitionInput) -> Void, quarantineMoved: @escaping @Sendable (Int32) -> Void
  ) throws(StartError) {
    self.settings = settings
    self.log = log
    let kafka = settings.kafka
    self.lock = lock
    let observers = ClientObservers(log: log, metrics: metrics)
    self.observers = observers
    usage = try UsageTopic(settings: kafka, observer: observers.observer("admin"))
    let opened: OpenedTopics
    do {
      opened = try usage.open(
        windowMilliseconds: settings.rules.counting.windowMilliseconds,
        allowsPartialRebuild: settings.partition.allowPartialRebuild, changesNothing: settings.isDryRun)
    } catch {
      usage.close()
      throw error
    }
    for warning in opened.warnings { log.emit(.configurationWarning(warning.description)) }
    for topic in opened.created where !settings.isDryRun { log.emit(.topicCreated(topic)) }
    partitionCount = opened.usage.partitionCount
    let wanted = kafka.consumers ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)) / 2)
    let consumers = max(1, min(wanted, Int(partitionCount)))
    memberCount = settings.isDryRun ? 1 : consumers
    offsets = MemberOffsets(log: log)
    do {
      let sinks = try SinkSet(
        settings.sinks, partitionCount: partitionCount, log: log, metrics: metrics, deliver: deliver)
      self.sinks = sinks
      let client = kafka.clientProperties.overridden(by: [
        "statistics.interval.ms": String(ClientObservers.statisticsMilliseconds)
      ])
      let properties = client.overridden(by: [
        "enable.partition.eof": "true", "isolation.level": "read_committed", "auto.offset.reset": "error",
      ])
      let readers = try (0..<consumers).map {
        try ReaderHandle(properties: properties, observer: observers.observer("reader-\($0)"))
      }
      let ledger: any LedgerPort
      let recall: any LedgerPort
      let quarantinePort: any QuarantinePort
      if settings.isDryRun {
        let memory = MemoryLedger()
        (ledger, recall, quarantinePort) = (memory, memory, MemoryQuarantine())
        (ledgers, quarantine) = ([], nil)
      } else {
        let logs = try ["ledger", "ledger-recall"].map { name in
          try LedgerLog(
            topic: kafka.ledgerTopic, properties: client, isEmbedded: kafka.isEmbedded,
            observer: observers.observer(name))
        }
        let quarantineLog = try QuarantineLog(
          topic: kafka.quarantineTopic, usageTopic: kafka.topic, properties: client,
          observer: observers.observer("quarantine"))
        quarantineLog.onChange(quarantineMoved)
        (ledger, recall, quarantinePort) = (logs[0], logs[1], quarantineLog)
        (ledgers, quarantine) = (logs, quarantineLog)
      }
      environment = PartitionEnvironment(
        kafka: kafka, clusterID: opened.clusterID, partitionCount: partitionCount, instance: settings.instance,
        storagePath: settings.storagePath, configurationPath: settings.configurationPath, rules: settings.rules,
        settings: settings.partition,
        mapCustomer: settings.mapCustomer, usage: usage, readers: readers,
        replayReader: try ReaderHandle(properties: properties, observer: observers.observer("replay")),
        gaps: try GapReader(
          topic: kafka.topic, properties: client, observer: observers.observer("gaps")),
        ledger: ledger, recallLedger: recall, quarantine: quarantinePort,
        offsets: settings.isDryRun ? NoOffsets() : offsets, log: log, metrics: metrics,
        notifySink: { sinks.take($0, $1, $2) })
    } catch {
      usage.close()
      throw StartError(
        exitCode: .configuration, code: "clients_not_made", setting: "kafka.properties", what: "\(error)",
        remedy: "See librdkafka's CONFIGURATION.md for names and values.")
    }
  }

  /// The most bytes that this process has appended to one ledger partition.
  var greatestLedgerBytes: Int64 { ledgers.map(\.greatestBytes).max() ?? 0 }

  /// The static name of a member.
  func memberName(_ number: Int) -> String { "\(settings.memberPrefix)-\(number)" }

  /// Joins the group with every member.
  func join(_ handler: @escaping @Sendable (Int, GroupEvent) -> Void) throws(KafkaError) {
    var made: [GroupMember] = []
    do throws(KafkaError) {
      for number in 0..<memberCount { made.append(try makeMember(number, handler)) }
    } catch {
      for member in made { member.close() }
      throw error
    }
    members.withLock { $0 = Members(all: made, handler: handler) }
    offsets.use(made)
  }

  /// Joins the group again with a member whose handle is of no more use; later, on a thread of its own.
  func rejoin(_ number: Int, failed: @escaping @Sendable (KafkaError) -> Void) {
    rejoining.async { [self] in
      // Nothing after the parts were closed.
      guard let handler = members.withLock(\.handler) else { return }
      members.withLock { $0.all[number] }.close()
      do throws(KafkaError) {
        let made = try makeMember(number, handler)
        let all = members.withLock { members in
          members.all[number] = made
          return members.all
        }
        offsets.use(all)
      } catch {
        failed(error)
      }
    }
  }

  private func makeMember(
    _ number: Int, _ handler: @escaping @Sendable (Int, GroupEvent) -> Void
  ) throws(KafkaError) -> GroupMember {
    try GroupMember(
      group: settings.kafka.group, topic: settings.kafka.topic, instanceID: memberName(number),
      properties: settings.kafka.clientProperties.overridden(by: [
        "session.timeout.ms": String(MeteringDaemon.sessionMilliseconds),
        "statistics.interval.ms": String(ClientObservers.statisticsMilliseconds),
      ]), observer: observers.observer("member-\(number)"), handler: { handler(number, $0) })
  }

  /// Ends everything. Workers must be closed.
  ///
  /// - Parameter flushMilliseconds: how long the ledger may take to acknowledge the last outcomes, before another member
  ///   of the group is told that the partitions are free.
  func close(flushMilliseconds: Int64) {
    for ledger in ledgers { ledger.flush(timeoutMilliseconds: flushMilliseconds) }
    if !settings.isDryRun { offsets.flush() }
    members.withLock { $0.handler = nil }
    let members = rejoining.sync { self.members.withLock(\.all) }
    for member in members { member.close() }
    sinks.stop()
    quarantine?.close(timeoutMilliseconds: 2_000)
    for ledger in ledgers { ledger.close() }
    environment.gaps.close()
    environment.replayReader.close()
    for reader in environment.readers { reader.close() }
    usage.close()
  }
}

extension LogEvent {
  static func topicCreated(_ topic: String) -> LogEvent {
    LogEvent("kafka.topic_created", .info, "the topic was made", [("topic", .string(topic))])
  }
}
