import Daemon
import Foundation
import Kafka
import Testing

@Suite struct UsageTopicTests {
  // Long enough for a broker that is there, on a busy machine.
  func settings(_ bootstrap: String, _ topic: String, embedded: Bool = false) -> KafkaSettings {
    KafkaSettings(
      bootstrapServers: bootstrap, topic: topic, group: "meterd", startTimeoutMilliseconds: embedded ? 20_000 : 400,
      isEmbedded: embedded)
  }

  func startError(_ settings: KafkaSettings) throws -> StartError? {
    let topic = try UsageTopic(settings: settings)
    defer { topic.close() }
    return #expect(throws: StartError.self) {
      _ = try topic.open(windowMilliseconds: 86_400_000, allowsPartialRebuild: false)
    }
  }

  @Test func anUnreachableBrokerIsUnavailableAndNamesTheSetting() throws {
    let error = try startError(settings("127.0.0.1:1", "usage"))
    #expect(error?.exitCode == .unavailable)
    #expect(error?.setting == "kafka.bootstrap_servers")
    #expect(error?.what.contains("127.0.0.1:1") == true)
  }

  @Test func anUnknownPropertyIsAConfigurationError() throws {
    var settings = settings("127.0.0.1:1", "usage")
    settings.properties["sasl.pasword"] = "x"
    let error = #expect(throws: StartError.self) { _ = try UsageTopic(settings: settings) }
    #expect(error?.exitCode == .configuration)
    #expect(error?.setting == "kafka.properties.sasl.pasword")
  }

  @Test func theEmbeddedBrokersTopicIsOpenedUnchecked() throws {
    let mock = try MockTopic(partitions: 3)
    defer { mock.cluster.close() }
    try mock.produce(["{}", "{}"], partition: 1)
    let topic = try UsageTopic(settings: settings(mock.cluster.bootstrapServers, "usage", embedded: true))
    defer { topic.close() }
    let opened = try topic.open(windowMilliseconds: 86_400_000, allowsPartialRebuild: false)
    #expect(opened.usage.partitionCount == 3)
    #expect(opened.created == [])
    #expect(try topic.watermarks(partition: 1).high == 2)
    let begin = try topic.begin(partition: 1, reachMilliseconds: 1, now: 0)
    #expect(begin == (0, 0))
  }
}

@Suite(.enabled(if: RealKafka.isThere, "needs METERD_TEST_KAFKA=host:port"))
struct UsageTopicOnKafkaTests {
  let bootstrap = RealKafka.bootstrap ?? ""
  let group = freshName("group")
  let topic = freshName("usage")

  var settings: KafkaSettings {
    KafkaSettings(bootstrapServers: bootstrap, topic: topic, group: group, startTimeoutMilliseconds: 20_000)
  }

  func create(_ configuration: [String: String] = [:], partitions: Int32 = 2) throws -> Admin {
    let admin = try Admin(properties: ["bootstrap.servers": bootstrap])
    try admin.createTopic(topic, partitions: partitions, configuration: configuration)
    return admin
  }

  func open(_ settings: KafkaSettings, changesNothing: Bool = false) throws -> OpenedTopics {
    let opening = try UsageTopic(settings: settings)
    defer { opening.close() }
    return try opening.open(
      windowMilliseconds: 86_400_000, allowsPartialRebuild: false, changesNothing: changesNothing)
  }

  @Test func aMissingTopicIsAConfigurationError() throws {
    let error = #expect(throws: StartError.self) { _ = try open(settings) }
    #expect(error?.exitCode == .configuration)
    #expect(error?.setting == "kafka.topic")
    #expect(error?.code == "kafka_topic_missing")
  }

  @Test func aCompactedTopicIsRefusedByItsSetting() throws {
    let admin = try create(["cleanup.policy": "compact"])
    defer { admin.close() }
    let error = #expect(throws: StartError.self) { _ = try open(settings) }
    #expect(error?.exitCode == .configuration)
    #expect(error?.what.contains("cleanup.policy is compact") == true)
  }

  @Test func ledgerAndQuarantineAreMadeOnceWithSafeSettings() throws {
    let admin = try create()
    defer { admin.close() }
    let wouldCreate = try open(settings, changesNothing: true)
    #expect(wouldCreate.created == ["\(group).ledger", "\(group).quarantine"])
    #expect(try admin.topic("\(group).ledger") == nil)
    let first = try open(settings)
    #expect(first.created == ["\(group).ledger", "\(group).quarantine"])
    #expect(!first.clusterID.isEmpty)
    #expect(first.usage.partitionCount == 2)
    let ledger = try admin.topicConfiguration("\(group).ledger")
    #expect(ledger["message.timestamp.type"]?.value == "LogAppendTime")
    #expect(ledger["retention.ms"]?.value == "-1")
    let quarantine = try admin.topicConfiguration("\(group).quarantine")
    #expect(quarantine["message.timestamp.after.max.ms"]?.value == "9223372036854775807")
    let second = try open(settings)
    #expect(second.created == [])
  }

  @Test func anUnsafeLedgerTopicIsRefusedByItsSetting() throws {
    let admin = try create()
    defer { admin.close() }
    try admin.createTopic(
      "\(group).ledger", partitions: 2,
      configuration: ["message.timestamp.type": "LogAppendTime", "retention.bytes": "-1"])
    let error = #expect(throws: StartError.self) { _ = try open(settings) }
    #expect(error?.exitCode == .configuration)
    #expect(error?.what.contains("topic \(group).ledger: retention.ms is 604800000") == true)
    #expect(error?.remedy.contains("Set ") == true)
  }

  @Test func aStartAtAnInstantHasItsSightingsBeforeIt() throws {
    let admin = try create(partitions: 1)
    defer { admin.close() }
    let reports = Collected<DeliveryReport>()
    let producer = try Producer(properties: ["bootstrap.servers": bootstrap]) {
      for report in $0 { reports.add(report) }
    }
    defer { producer.close() }
    let base = Int64(Date().timeIntervalSince1970) * 1_000 - 100_000
    for index in 0..<10 {
      try producer.produce(
        topic: topic, partition: 0, key: nil, value: [1], timestampMilliseconds: base + Int64(index) * 1_000)
    }
    #expect(reports.wait { $0.count == 10 })
    func begin(_ start: KafkaSettings.Start, reach: Int64) throws -> (Int64, Int64) {
      var settings = settings
      settings.start = start
      let opening = try UsageTopic(settings: settings)
      defer { opening.close() }
      return try opening.begin(partition: 0, reachMilliseconds: reach, now: base + 9_500)
    }
    #expect(try begin(.earliest, reach: 3_000) == (0, 0))
    #expect(try begin(.instant(base + 5_000), reach: 3_000) == (5, 2))
    #expect(try begin(.instant(base + 5_000), reach: 60_000) == (5, 0))
    #expect(try begin(.instant(base + 90_000), reach: 1_000) == (10, 10))
    #expect(try begin(.latest, reach: 2_600) == (10, 7))
  }
}
