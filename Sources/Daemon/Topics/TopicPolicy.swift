/// A topic as the cluster describes it: pure data, so that the rules over it can be tested without a broker.
public struct TopicDescription: Hashable, Sendable {
  public var name: String
  public var partitionCount: Int32
  /// The smallest number of replicas of any of its partitions.
  public var replicationFactor: Int
  /// The effective settings by name, as the broker words them (topic's own, else the broker's default).
  public var settings: [String: String]

  public init(name: String, partitionCount: Int32, replicationFactor: Int, settings: [String: String]) {
    self.name = name
    self.partitionCount = partitionCount
    self.replicationFactor = replicationFactor
    self.settings = settings
  }
}

/// One setting of a topic that is not as it must (or should) be.
public struct TopicViolation: Hashable, Sendable, CustomStringConvertible {
  public enum Severity: Hashable, Sendable {
    /// Money could be lost: the start is refused.
    case refused
    /// A promise is narrower than it could be: said, and gone on.
    case warning
  }
  public var severity: Severity
  public var topic: String
  /// The setting's name as Kafka knows it; `partitions` and `replication.factor` for the topic's shape.
  public var setting: String
  public var found: String
  public var needed: String
  /// What happens otherwise.
  public var why: String

  public var description: String {
    "topic \(topic): \(setting) is \(found), needed is \(needed): \(why)"
  }
}

/// What the topics' settings must be, so that no money is lost (DESIGN.md, "The ledger", "Decode", "Consume"). Pure.
public enum TopicPolicy {
  /// The largest ledger record that is written, in bytes; chunks stay below it.
  public static let greatestLedgerRecord = 1_000_000
  /// Room that a quarantined record needs beyond the usage topic's largest record: its headers.
  public static let quarantineHeadroom: Int64 = 65_536
  /// The limit is of compressed records, and a producer may have compressed better than we do.
  public static let quarantineGrowth: Int64 = 8
  private static let endless = String(Int64.max)

  /// The settings that the ledger topic is created with.
  public static func ledgerSettings(replication: Int) -> [String: String] {
    endlessSettings(replication: replication).merging(["message.timestamp.type": "LogAppendTime"]) { $1 }
  }

  /// The settings that the quarantine topic is created with, beside a usage topic.
  ///
  /// It keeps the records' own timestamps, however wrong, so the broker's limits on timestamps are lifted by the name
  /// that this broker knows: `message.timestamp.{before,after}.max.ms` since Kafka 3.6,
  /// `message.timestamp.difference.max.ms` up to Kafka 3.9.
  public static func quarantineSettings(beside usage: TopicDescription) -> [String: String] {
    var settings = endlessSettings(replication: usage.replicationFactor)
    settings["message.timestamp.type"] = "CreateTime"
    settings["max.message.bytes"] = String(greatestRecord(of: usage) * quarantineGrowth + quarantineHeadroom)
    for limit in timestampLimits where usage.settings[limit] != nil { settings[limit] = endless }
    return settings
  }

  /// What is wrong with an existing ledger topic.
  public static func ledgerViolations(_ topic: TopicDescription, usage: TopicDescription) -> [TopicViolation] {
    var check = Check(topic)
    check.keepsForEver(usage: usage)
    check.equals(
      "message.timestamp.type", "LogAppendTime",
      "ledger time is the broker's append time; with the client's, leases and idempotency windows could be misjudged")
    check.partitions(usage)
    check.atLeast(
      "max.message.bytes", Int64(greatestLedgerRecord) + 1_024, "a chunk of a cut could not be appended")
    return check.found
  }

  /// What is wrong with an existing quarantine topic.
  public static func quarantineViolations(_ topic: TopicDescription, usage: TopicDescription) -> [TopicViolation] {
    var check = Check(topic)
    check.keepsForEver(usage: usage)
    check.equals(
      "message.timestamp.type", "CreateTime", "a quarantined record keeps its own timestamp: it may be the event's time"
    )
    check.partitions(usage)
    check.atLeast(
      "max.message.bytes", greatestRecord(of: usage) + quarantineHeadroom,
      "the usage topic's largest record with its headers must fit")
    for limit in timestampLimits where topic.settings[limit] != nil {
      check.equals(
        limit, endless, "a record with a wrong timestamp could not be quarantined, and would stop the partition")
    }
    return check.found
  }

  /// What is wrong with the usage topic, and what narrows a promise.
  ///
  /// - Parameters:
  ///   - windowMilliseconds: `dedup.window`.
  ///   - allowsPartialRebuild: `dedup.allow_partial_rebuild`: a retention shorter than the window is a warning then.
  public static func usageViolations(
    _ topic: TopicDescription, windowMilliseconds: Int64, allowsPartialRebuild: Bool
  ) -> [TopicViolation] {
    var check = Check(topic)
    if let policy = topic.settings["cleanup.policy"], policy.split(separator: ",").contains("compact") {
      check.add(
        .refused, "cleanup.policy", policy, "delete",
        "compaction keeps only each key's last event, and the key is the customer: usage would be lost")
    }
    let least = windowMilliseconds + 86_400_000
    if let retention = check.number("retention.ms"), retention != -1, retention < least {
      check.add(
        allowsPartialRebuild ? .warning : .refused, "retention.ms", String(retention), "at least \(least)",
        "the dedup window and a day could not be rebuilt after the loss of a disk (dedup.window, dedup.allow_partial_rebuild)"
      )
    }
    if let bytes = check.number("retention.bytes"), bytes != -1 {
      check.add(
        .warning, "retention.bytes", String(bytes), "-1",
        "a burst of usage shortens the time for which the dedup window can be rebuilt")
    }
    if topic.settings["message.timestamp.type"] != "LogAppendTime" {
      let ahead = check.number("message.timestamp.after.max.ms")
      if ahead.map({ $0 < 0 || $0 > 3_600_000 }) ?? true {
        check.add(
          .warning, "message.timestamp.after.max.ms", topic.settings["message.timestamp.after.max.ms"] ?? "unknown",
          "3600000, or message.timestamp.type=LogAppendTime",
          "one record with a timestamp far ahead in a backlog shortens the true time that the dedup window covers")
      }
      check.add(
        .warning, "message.timestamp.type", topic.settings["message.timestamp.type"] ?? "unknown", "LogAppendTime",
        "the dedup window is true time only where producers' timestamps lie within an hour of the append")
    }
    if topic.settings["unclean.leader.election.enable"] == "true" {
      check.add(
        .warning, "unclean.leader.election.enable", "true", "false",
        "a failover may lose acknowledged usage events, or put others at offsets that have been counted")
    }
    if topic.replicationFactor >= 3, let replicas = check.number("min.insync.replicas"), replicas < 2 {
      check.add(
        .warning, "min.insync.replicas", String(replicas), "2",
        "an acknowledged usage event may exist on one broker only")
    }
    return check.found
  }

  private static let timestampLimits = [
    "message.timestamp.before.max.ms", "message.timestamp.after.max.ms", "message.timestamp.difference.max.ms",
  ]

  private static func greatestRecord(of usage: TopicDescription) -> Int64 {
    usage.settings["max.message.bytes"].flatMap { Int64($0) } ?? 1_048_588
  }

  private static func endlessSettings(replication: Int) -> [String: String] {
    [
      "retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete",
      "min.insync.replicas": replication >= 3 ? "2" : "1", "unclean.leader.election.enable": "false",
    ]
  }
}

/// Collects the violations of one topic. A setting that the broker does not tell is a violation where it must have a
/// value: what cannot be checked is not assumed.
private struct Check {
  let topic: TopicDescription
  var found: [TopicViolation] = []

  init(_ topic: TopicDescription) { self.topic = topic }

  mutating func add(
    _ severity: TopicViolation.Severity, _ setting: String, _ value: String, _ needed: String, _ why: String
  ) {
    found.append(
      TopicViolation(
        severity: severity, topic: topic.name, setting: setting, found: value, needed: needed, why: why))
  }

  func number(_ setting: String) -> Int64? { topic.settings[setting].flatMap { Int64($0) } }

  mutating func equals(_ setting: String, _ needed: String, _ why: String) {
    let value = topic.settings[setting]
    if value != needed { add(.refused, setting, value ?? "unknown", needed, why) }
  }

  mutating func atLeast(_ setting: String, _ least: Int64, _ why: String) {
    let value = number(setting)
    if value.map({ $0 < least }) ?? true {
      add(.refused, setting, topic.settings[setting] ?? "unknown", "at least \(least)", why)
    }
  }

  mutating func partitions(_ usage: TopicDescription) {
    guard topic.partitionCount != usage.partitionCount else { return }
    add(
      .refused, "partitions", String(topic.partitionCount), String(usage.partitionCount),
      "each partition of the usage topic \(usage.name) has one of its own")
  }

  mutating func keepsForEver(usage: TopicDescription) {
    let why = "records that money depends on would be deleted"
    equals("retention.ms", "-1", why)
    equals("retention.bytes", "-1", why)
    equals("cleanup.policy", "delete", why)
    equals("unclean.leader.election.enable", "false", "a failover may lose records that were acknowledged")
    if topic.replicationFactor < usage.replicationFactor {
      add(
        .refused, "replication.factor", String(topic.replicationFactor), "at least \(usage.replicationFactor)",
        "it must survive what the usage topic survives")
    }
    if topic.replicationFactor >= 3 {
      atLeast("min.insync.replicas", 2, "an acknowledged record may exist on one broker only")
    }
  }
}
