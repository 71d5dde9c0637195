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
  private let lock: StorageLock?
  private let usage: UsageTopic
  private let ledgers: [LedgerLog]
  private let quarantine: QuarantineLog?
  private let observer: ClientObserver
  private let members = Mutex<[GroupMember]>([])

  init(
    settings: DaemonSettings, log: Log, metrics: MeterdMetrics,
    deliver: @escaping @Sendable (Int32, PartitionInput) -> Void, quarantineMoved: @escaping @Sendable (Int32) -> Void
  ) throws(StartError) {
    self.settings = settings
    self.log = log
    let kafka = settings.kafka
    lock = try StorageLock(path: settings.storagePath)
    let observer = Self.observer(log: log, metrics: metrics)
    self.observer = observer
    usage = try UsageTopic(settings: kafka, observer: observer)
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
      let properties = kafka.clientProperties.overridden(by: [
        "enable.partition.eof": "true", "isolation.level": "read_committed", "auto.offset.reset": "error",
      ])
      let readers = try (0..<consumers).map { _ in try ReaderHandle(properties: properties, observer: observer) }
      let ledger: any LedgerPort
      let recall: any LedgerPort
      let quarantinePort: any QuarantinePort
      if settings.isDryRun {
        let memory = MemoryLedger()
        (ledger, recall, quarantinePort) = (memory, memory, MemoryQuarantine())
        (ledgers, quarantine) = ([], nil)
      } else {
        let logs = try (0..<2).map { _ in
          try LedgerLog(
            topic: kafka.ledgerTopic, properties: kafka.clientProperties, isEmbedded: kafka.isEmbedded,
            observer: observer)
        }
        let quarantineLog = try QuarantineLog(
          topic: kafka.quarantineTopic, usageTopic: kafka.topic, properties: kafka.clientProperties,
          greatestRecord: opened.quarantineGreatestRecord, observer: observer)
        quarantineLog.onChange(quarantineMoved)
        (ledger, recall, quarantinePort) = (logs[0], logs[1], quarantineLog)
        (ledgers, quarantine) = (logs, quarantineLog)
      }
      environment = PartitionEnvironment(
        kafka: kafka, clusterID: opened.clusterID, partitionCount: partitionCount, instance: settings.instance,
        storagePath: settings.storagePath, rules: settings.rules, settings: settings.partition,
        mapCustomer: settings.mapCustomer, usage: usage, readers: readers,
        replayReader: try ReaderHandle(properties: properties, observer: observer),
        gaps: try GapReader(topic: kafka.topic, properties: kafka.clientProperties, observer: observer),
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

  /// The static name of a member.
  func memberName(_ number: Int) -> String { "\(settings.memberPrefix)-\(number)" }

  /// Joins the group with every member.
  func join(_ handler: @escaping @Sendable (Int, GroupEvent) -> Void) throws(KafkaError) {
    var made: [GroupMember] = []
    do throws(KafkaError) {
      for number in 0..<memberCount {
        made.append(
          try GroupMember(
            group: settings.kafka.group, topic: settings.kafka.topic, instanceID: memberName(number),
            properties: settings.kafka.clientProperties.overridden(by: [
              "session.timeout.ms": String(MeteringDaemon.sessionMilliseconds)
            ]), observer: observer, handler: { handler(number, $0) }))
      }
    } catch {
      for member in made { member.close() }
      throw error
    }
    members.withLock { $0 = made }
    offsets.use(made)
  }

  /// Ends everything. Workers must be closed.
  func close() {
    if !settings.isDryRun { offsets.flush() }
    let members = members.withLock { members in
      defer { members = [] }
      return members
    }
    for member in members { member.close() }
    sinks.stop()
    quarantine?.close(timeoutMilliseconds: 2_000)
    for ledger in ledgers { ledger.close() }
    environment.gaps.close()
    environment.replayReader.close()
    for reader in environment.readers { reader.close() }
    usage.close()
  }

  private static func observer(log: Log, metrics: MeterdMetrics) -> ClientObserver {
    ClientObserver(
      error: { error in
        // Each client says it by itself; what is fatal is said by whoever owns the client.
        if error.isFatal {
          log.emit(.kafkaFatal(client: "meterd", code: error.name, message: error.description))
        } else {
          log.emit(.kafkaError(client: "meterd", code: error.name, message: error.description))
        }
      })
  }
}

extension LogEvent {
  static func topicCreated(_ topic: String) -> LogEvent {
    LogEvent("kafka.topic_created", .info, "the topic was made", [("topic", .string(topic))])
  }
}
