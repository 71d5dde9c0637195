public import Kafka
public import Metering
internal import Synchronization

/// What the start found out about the cluster and the three topics.
public struct OpenedTopics: Sendable {
  public var clusterID: String
  public var usage: TopicDescription
  /// What narrows a promise, to be logged.
  public var warnings: [TopicViolation]
  /// Topics that were made now (or, by a check, would be).
  public var created: [String]
}

/// The cluster as a start sees it: reachable, the usage topic there and safe, ledger and quarantine topics there and
/// safe, or made. Blocks its callers' threads; used before and beside the workers, never by them in a hurry.
public final class UsageTopic: Sendable {
  private let settings: KafkaSettings
  private let admin: Admin
  private let errors = LastErrors()

  /// A check of what `settings` name.
  ///
  /// - Throws: 78 where a property of `kafka.properties` is not valid.
  public init(settings: KafkaSettings, observer: ClientObserver = ClientObserver()) throws(StartError) {
    self.settings = settings
    let errors = errors
    var watching = observer
    watching.error = { error in
      errors.note(error)
      observer.error?(error)
    }
    try Self.validate(settings)
    do throws(KafkaError) {
      admin = try Admin(properties: settings.clientProperties, observer: watching)
    } catch {
      throw Self.invalidProperty(error)
    }
  }

  /// Checks `kafka.properties` against the loaded librdkafka, without connecting.
  ///
  /// - Throws: 78 for the first that is not valid.
  public static func validate(_ settings: KafkaSettings) throws(StartError) {
    do throws(KafkaError) {
      try settings.clientProperties.validate()
    } catch {
      throw invalidProperty(error)
    }
  }

  private static func invalidProperty(_ error: KafkaError) -> StartError {
    StartError(
      exitCode: .configuration, code: "kafka_property_invalid",
      setting: error.property.map { "kafka.properties.\($0)" } ?? "kafka.properties", what: "\(error)",
      remedy: "See librdkafka's CONFIGURATION.md for names and values.")
  }

  /// Ends it.
  public func close() { admin.close() }

  /// Does the whole check; makes the ledger and quarantine topics where they are missing, unless `changesNothing`.
  ///
  /// - Parameters:
  ///   - windowMilliseconds: `dedup.window`, which the usage topic's retention is compared with.
  ///   - changesNothing: for `meterd check`.
  /// - Throws: the first thing that would make a run unsafe or impossible.
  public func open(
    windowMilliseconds: Int64, allowsPartialRebuild: Bool, changesNothing: Bool = false
  ) throws(StartError) -> OpenedTopics {
    let cluster = try reach()
    let usage = try describeUsage()
    if settings.isEmbedded {
      return OpenedTopics(clusterID: cluster, usage: usage, warnings: [], created: [])
    }
    let violations = TopicPolicy.usageViolations(
      usage, windowMilliseconds: windowMilliseconds, allowsPartialRebuild: allowsPartialRebuild)
    try refuse(violations, setting: "kafka.topic")
    let preparation = TopicPreparation(admin: admin, usage: usage, changesNothing: changesNothing)
    var created: [String] = []
    let ledger = try preparation.prepare(
      settings.ledgerTopic, settings: TopicPolicy.ledgerSettings(replication: usage.replicationFactor),
      created: &created)
    if let ledger { try refuse(TopicPolicy.ledgerViolations(ledger, usage: usage), setting: "kafka.group") }
    let quarantine = try preparation.prepare(
      settings.quarantineTopic, settings: TopicPolicy.quarantineSettings(beside: usage), created: &created)
    if let quarantine {
      try refuse(TopicPolicy.quarantineViolations(quarantine, usage: usage), setting: "kafka.group")
    }
    return OpenedTopics(
      clusterID: cluster, usage: usage, warnings: violations.filter { $0.severity == .warning }, created: created)
  }

  /// How many partitions a topic has; nil where there is none. Waits for a broker as ``open`` does.
  public func partitionCount(of topic: String) throws(StartError) -> Int32? {
    _ = try reach()
    do throws(KafkaError) {
      return try admin.describe(topic, withSettings: false)?.partitionCount
    } catch {
      throw StartError(
        exitCode: error.isRetriable ? .unavailable : .configuration, code: "kafka_topic_unreadable",
        setting: "kafka.group", what: "\(error)", remedy: "Give meterd's user the right to describe the topic.")
    }
  }

  /// The ends of a partition of the usage topic.
  public func watermarks(
    partition: Int32, timeoutMilliseconds: Int32 = 10_000
  ) throws(KafkaError) -> Watermarks {
    try admin.watermarks(topic: settings.topic, partition: partition, timeoutMilliseconds: timeoutMilliseconds)
  }

  /// What the group's committed offsets say of the ledger that they were committed under; those that somebody else
  /// committed say nothing, and are absent.
  public func committedHints(partitions: Range<Int32>) throws(KafkaError) -> [Int32: CommittedHint] {
    let committed = try admin.committed(group: settings.group, topic: settings.topic, partitions: Array(partitions))
    return committed.compactMapValues { CommittedHint(offset: $0.offset, metadata: $0.metadata) }
  }

  /// Where counting begins for a partition with no ledger yet, and from where on records before it are sightings.
  ///
  /// - Parameters:
  ///   - reachMilliseconds: how far before the start a duplicate can lie: the window and two hours.
  ///   - now: Unix milliseconds.
  public func begin(
    partition: Int32, reachMilliseconds: Int64, now: Int64
  ) throws(KafkaError) -> (start: Int64, dedupFrom: Int64) {
    let marks = try watermarks(partition: partition)
    let instant: Int64
    let start: Int64
    switch settings.start {
    case .earliest: return (marks.low, marks.low)
    case .latest:
      start = marks.high
      instant = now
    case .instant(let milliseconds):
      // Nothing at or after it yet: whatever comes next.
      start = try offset(partition: partition, at: milliseconds) ?? marks.high
      instant = milliseconds
    }
    let sightings = try offset(partition: partition, at: instant - reachMilliseconds) ?? start
    return (start, min(start, max(sightings, marks.low)))
  }

  /// Deletes ledger records that nobody needs any more.
  public func deleteLedger(partition: Int32, below: Int64) throws(KafkaError) {
    _ = try admin.deleteRecords(topic: settings.ledgerTopic, before: [partition: below])
  }

  private func offset(partition: Int32, at milliseconds: Int64) throws(KafkaError) -> Int64? {
    try admin.offsetsForTime(
      topic: settings.topic, partitions: [partition], unixMilliseconds: max(0, milliseconds))[partition] ?? nil
  }

  // MARK: Reaching the cluster

  /// Waits for a broker, up to `kafka.start_timeout`; refused credentials end the waiting at once.
  private func reach() throws(StartError) -> String {
    let deadline = Clock.elapsedMilliseconds() + settings.startTimeoutMilliseconds
    var last: KafkaError?
    repeat {
      let left = deadline - Clock.elapsedMilliseconds()
      do throws(KafkaError) {
        let cluster = try admin.cluster(timeoutMilliseconds: Int32(min(max(left, 100), 2_000)))
        if let id = cluster.clusterID { return id }
        if settings.isEmbedded { return "embedded" }
        last = KafkaError(.timedOut, doing: "ask for the cluster's id")
      } catch {
        last = error
      }
      if let refused = errors.refusal { throw refusedCredentials(refused) }
      Clock.sleep(milliseconds: 100)
    } while Clock.elapsedMilliseconds() < deadline
    if let broken = errors.secureConnection {
      throw StartError(
        exitCode: .configuration, code: "kafka_tls_failed", setting: "kafka.properties (security.protocol, ssl.*)",
        what: "no secure connection to \(settings.bootstrapServers): \(broken)",
        remedy: "Check that the port speaks TLS, and ssl.ca.location.")
    }
    let why = errors.last ?? last
    throw StartError(
      exitCode: .unavailable, code: "kafka_unreachable", setting: "kafka.bootstrap_servers",
      what: "no broker at \(settings.bootstrapServers) answered within \(settings.startTimeoutMilliseconds / 1_000) s"
        + (why.map { " (\($0))" } ?? ""),
      remedy: "Check the address, the network and security.protocol; kafka.start_timeout is how long to wait.")
  }

  private func refusedCredentials(_ error: KafkaError) -> StartError {
    let mechanism = settings.properties["sasl.mechanism"] ?? settings.properties["sasl.mechanisms"] ?? ""
    var remedy = "Check sasl.username, sasl.password and sasl.mechanism under kafka.properties."
    if mechanism.hasPrefix("SCRAM"), KafkaVersion.current < KafkaVersion(2, 6, 1) {
      remedy +=
        " They may be right: librdkafka \(KafkaVersion.current) is older than 2.6.1 and builds a wrong SCRAM nonce, "
        + "which brokers since Kafka 3.9 and 4.0 refuse. Use PLAIN over TLS, or librdkafka 2.6.1 or newer."
    }
    return StartError(
      exitCode: .configuration, code: "kafka_credentials_refused", setting: "kafka.properties (sasl.*)",
      what: "the broker refuses the credentials: \(error)", remedy: remedy)
  }

  private func describeUsage() throws(StartError) -> TopicDescription {
    let found: TopicDescription?
    do throws(KafkaError) {
      found = try admin.describe(settings.topic, withSettings: !settings.isEmbedded)
    } catch {
      throw StartError(
        exitCode: error.isRetriable ? .unavailable : .configuration, code: "kafka_topic_unreadable",
        setting: "kafka.topic", what: "\(error)", remedy: "Give meterd's user the right to describe the topic.")
    }
    guard let found else {
      throw StartError(
        exitCode: .configuration, code: "kafka_topic_missing", setting: "kafka.topic",
        what: "there is no topic \(settings.topic) at \(settings.bootstrapServers)",
        remedy: "Create it, or correct the name: meterd never creates the topic that it reads.")
    }
    return found
  }

  private func refuse(_ violations: [TopicViolation], setting: String) throws(StartError) {
    let refused = violations.filter { $0.severity == .refused }
    guard let first = refused.first else { return }
    throw StartError(
      exitCode: .configuration, code: "kafka_topic_unsafe", setting: setting,
      what: refused.map(\.description).joined(separator: "; "),
      remedy: "Set \(first.setting) on topic \(first.topic) to \(first.needed) (kafka-configs.sh --alter).")
  }

  /// The errors that came outside of calls.
  private final class LastErrors: Sendable {
    private struct State {
      var last: KafkaError?
      var refusal: KafkaError?
      var secureConnection: KafkaError?
    }
    private let state = Mutex(State())

    func note(_ error: KafkaError) {
      state.withLock { state in
        switch error.code {
        case .authentication, .saslAuthenticationFailed: state.refusal = error
        case .ssl: state.secureConnection = error
        case .allBrokersDown: break  // Says less than the error before it.
        default: state.last = error
        }
      }
    }

    var last: KafkaError? { state.withLock { $0.last } }
    var refusal: KafkaError? { state.withLock { $0.refusal } }
    var secureConnection: KafkaError? { state.withLock { $0.secureConnection } }
  }
}
