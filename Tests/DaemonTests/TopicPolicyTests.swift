import Daemon
import Testing

@Suite struct TopicPolicyTests {
  let usage = TopicDescription(
    name: "usage", partitionCount: 4, replicationFactor: 3,
    settings: [
      "cleanup.policy": "delete", "retention.ms": "604800000", "retention.bytes": "-1",
      "message.timestamp.type": "LogAppendTime", "message.timestamp.after.max.ms": "3600000",
      "message.timestamp.before.max.ms": "9223372036854775807", "max.message.bytes": "2000000",
      "min.insync.replicas": "2", "unclean.leader.election.enable": "false",
    ])

  var ledger: TopicDescription {
    var settings = usage.settings.merging(TopicPolicy.ledgerSettings(replication: 3)) { $1 }
    settings["max.message.bytes"] = "1048588"
    return TopicDescription(name: "meterd.ledger", partitionCount: 4, replicationFactor: 3, settings: settings)
  }

  var quarantine: TopicDescription {
    TopicDescription(
      name: "meterd.quarantine", partitionCount: 4, replicationFactor: 3,
      settings: usage.settings.merging(TopicPolicy.quarantineSettings(beside: usage)) { $1 })
  }

  @Test func topicsThatAreCreatedPassTheirOwnCheck() {
    #expect(TopicPolicy.ledgerViolations(ledger, usage: usage) == [])
    #expect(TopicPolicy.quarantineViolations(quarantine, usage: usage) == [])
    #expect(TopicPolicy.usageViolations(usage, windowMilliseconds: 86_400_000, allowsPartialRebuild: false) == [])
  }

  @Test(arguments: [
    ("retention.ms", "604800000"), ("retention.bytes", "1000"), ("cleanup.policy", "compact"),
    ("cleanup.policy", "compact,delete"), ("message.timestamp.type", "CreateTime"), ("min.insync.replicas", "1"),
    ("unclean.leader.election.enable", "true"), ("max.message.bytes", "1000000"),
  ])
  func eachUnsafeLedgerSettingIsRefusedByName(setting: String, value: String) {
    var topic = ledger
    topic.settings[setting] = value
    let violations = TopicPolicy.ledgerViolations(topic, usage: usage)
    #expect(violations.map(\.setting) == [setting])
    #expect(violations.map(\.found) == [value])
    #expect(violations.allSatisfy { $0.severity == .refused })
    #expect(violations.first?.description.contains("topic meterd.ledger: \(setting) is \(value)") == true)
  }

  @Test func aSettingThatTheBrokerDoesNotTellIsRefused() {
    for setting in ["retention.ms", "cleanup.policy", "message.timestamp.type", "unclean.leader.election.enable"] {
      var topic = ledger
      topic.settings[setting] = nil
      #expect(TopicPolicy.ledgerViolations(topic, usage: usage).map(\.found) == ["unknown"])
    }
  }

  @Test func shapeMustFollowTheUsageTopic() {
    var topic = ledger
    topic.partitionCount = 3
    topic.replicationFactor = 2
    topic.settings["min.insync.replicas"] = "1"
    #expect(
      Set(TopicPolicy.ledgerViolations(topic, usage: usage).map(\.setting)) == ["partitions", "replication.factor"])
  }

  @Test func oneReplicaNeedsNoSecondInSync() {
    var single = usage
    single.replicationFactor = 1
    var topic = ledger
    topic.replicationFactor = 1
    topic.settings["min.insync.replicas"] = "1"
    #expect(TopicPolicy.ledgerViolations(topic, usage: single) == [])
    #expect(TopicPolicy.ledgerSettings(replication: 1)["min.insync.replicas"] == "1")
  }

  @Test func quarantineMustTakeTheLargestRecordAndAnyTimestamp() {
    #expect(quarantine.settings["max.message.bytes"] == "16065536")
    var topic = quarantine
    topic.settings["max.message.bytes"] = "2000000"
    topic.settings["message.timestamp.after.max.ms"] = "3600000"
    topic.settings["message.timestamp.type"] = "LogAppendTime"
    #expect(
      Set(TopicPolicy.quarantineViolations(topic, usage: usage).map(\.setting)) == [
        "max.message.bytes", "message.timestamp.after.max.ms", "message.timestamp.type",
      ])
  }

  @Test func timestampLimitsAreSetByTheNameThatTheBrokerKnows() {
    var old = usage
    old.settings["message.timestamp.before.max.ms"] = nil
    old.settings["message.timestamp.after.max.ms"] = nil
    old.settings["message.timestamp.difference.max.ms"] = "9223372036854775807"
    let settings = TopicPolicy.quarantineSettings(beside: old)
    #expect(settings["message.timestamp.difference.max.ms"] == "9223372036854775807")
    #expect(settings["message.timestamp.after.max.ms"] == nil)
  }

  @Test func aCompactedUsageTopicIsRefused() {
    var topic = usage
    topic.settings["cleanup.policy"] = "compact,delete"
    let violations = TopicPolicy.usageViolations(topic, windowMilliseconds: 0, allowsPartialRebuild: true)
    #expect(violations.map(\.setting) == ["cleanup.policy"])
    #expect(violations.first?.severity == .refused)
  }

  @Test func retentionMustHoldTheWindowAndADay() {
    let day: Int64 = 86_400_000
    func severity(retention: String, partial: Bool) -> [TopicViolation.Severity] {
      var topic = usage
      topic.settings["retention.ms"] = retention
      return TopicPolicy.usageViolations(topic, windowMilliseconds: 6 * day, allowsPartialRebuild: partial)
        .map(\.severity)
    }
    #expect(severity(retention: String(7 * day), partial: false) == [])
    #expect(severity(retention: String(7 * day - 1), partial: false) == [.refused])
    #expect(severity(retention: String(7 * day - 1), partial: true) == [.warning])
    #expect(severity(retention: "-1", partial: false) == [])
  }

  @Test func timestampsThatProducersSetAreWarnedOf() {
    var topic = usage
    topic.settings["message.timestamp.type"] = "CreateTime"
    func settings() -> [String] {
      TopicPolicy.usageViolations(topic, windowMilliseconds: 0, allowsPartialRebuild: false).map(\.setting)
    }
    #expect(settings() == ["message.timestamp.type"])
    topic.settings["message.timestamp.after.max.ms"] = "9223372036854775807"
    #expect(settings() == ["message.timestamp.after.max.ms", "message.timestamp.type"])
    topic.settings["message.timestamp.after.max.ms"] = nil
    #expect(settings() == ["message.timestamp.after.max.ms", "message.timestamp.type"])
  }
}
