import Foundation
import Kafka
import Testing

@Suite(.timeLimit(.minutes(2))) struct AdminTests {
  @Test(.enabled(if: Backend.realServers != nil)) func topicsAreCreatedWithTheirSettings() throws {
    let cluster = try TestCluster(.real)
    let admin = try Admin(properties: cluster.properties)
    defer { admin.close() }
    let name = uniqueName("ledger")
    try admin.createTopic(name, partitions: 3, replicationFactor: 1, validateOnly: true)
    #expect(try admin.topic(name) == nil)
    let settings = ["retention.ms": "-1", "message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete"]
    try admin.createTopic(name, partitions: 3, replicationFactor: 1, configuration: settings)
    // Other brokers may learn of it a little later.
    try waitUntil("the topic is known") { try admin.topic(name) != nil }
    let topic = try #require(try admin.topic(name))
    #expect(topic.partitions.map(\.partition) == [0, 1, 2])
    #expect(topic.replicationFactor == 1)
    #expect(topic.partitions.allSatisfy { $0.leader != nil && $0.inSyncReplicas == $0.replicas })
    let configuration = try admin.topicConfiguration(name)
    for (key, value) in settings { #expect(configuration[key]?.value == value) }
    #expect(configuration["retention.ms"]?.isDefault == false)
    #expect(configuration["segment.bytes"]?.isDefault == true)
    let again = #expect(throws: KafkaError.self) { try admin.createTopic(name, partitions: 3, replicationFactor: 1) }
    #expect(again?.code == .topicAlreadyExists)
    let broken = #expect(throws: KafkaError.self) {
      try admin.createTopic(uniqueName("x"), partitions: 1, configuration: ["no.such.setting": "1"])
    }
    #expect(broken?.code == .invalidConfiguration)
    let replicas = #expect(throws: KafkaError.self) {
      try admin.createTopic(uniqueName("x"), partitions: 1, replicationFactor: 9)
    }
    #expect(replicas?.code == .invalidReplicationFactor)
    // Append time is the broker's, whatever the producer says.
    try fill(cluster, name, 0..<5)
    let reader = try ReaderHandle(properties: cluster.properties)
    defer { reader.close() }
    let stream = try reader.start(topic: name, partition: 0, offset: .beginning)
    let batch = try stream.nextBatch(max: 5, timeoutMilliseconds: 10_000)
    #expect(batch[0].isAppendTime)
    #expect(batch[0].timestampMilliseconds > 1_700_000_100_000)
    stream.stop()
    // Deleted records move the low watermark.
    #expect(try admin.deleteRecords(topic: name, before: [0: 3]) == [0: 3])
    #expect(try admin.watermarks(topic: name, partition: 0) == Watermarks(low: 3, high: 5))
    try admin.deleteTopic(name)
    try cluster.close()
  }

  @Test(.enabled(if: Backend.realServers != nil)) func theClusterSaysWhoItIs() throws {
    let cluster = try TestCluster(.real)
    let admin = try Admin(properties: cluster.properties)
    defer { admin.close() }
    let metadata = try admin.cluster()
    #expect(metadata.clusterID?.isEmpty == false)
    let broker = try #require(metadata.brokers.first)
    #expect(try admin.brokerConfiguration(broker.id)["auto.create.topics.enable"]?.value == "false")
    let missing = #expect(throws: KafkaError.self) { try admin.topicConfiguration(uniqueName("missing")) }
    #expect(missing?.code == .unknownTopicOrPartition)
    try cluster.close()
  }

  @Test func metadataOfTheMockCluster() throws {
    let cluster = try TestCluster(.mock, brokers: 3)
    let topic = try cluster.topic(partitions: 4)
    let admin = try Admin(properties: cluster.properties)
    defer { admin.close() }
    #expect(try admin.cluster().brokers.map(\.id) == [1, 2, 3])
    #expect(try admin.topic(topic)?.partitions.count == 4)
    try fill(cluster, topic, partition: 2, 0..<7)
    #expect(try admin.watermarks(topic: topic, partition: 2) == Watermarks(low: 0, high: 7))
    try cluster.close()
  }

  @Test func anUnreachableBrokerIsATimeout() throws {
    let errors = Collector<KafkaError>()
    let lines = Collector<LogLine>()
    // Port 1 of loopback refuses connections.
    let admin = try Admin(
      properties: ["bootstrap.servers": "127.0.0.1:1"],
      observer: ClientObserver(log: { lines.add($0) }, error: { errors.add($0) }))
    defer { admin.close() }
    let error = #expect(throws: KafkaError.self) { try admin.cluster(timeoutMilliseconds: 300) }
    #expect(error?.code == .transport || error?.code == .timedOut)
    #expect(error?.isRetriable == true)
    try errors.wait("the refusal is reported") { $0.contains { $0.message.contains("refused") } }
    try lines.wait("the refusal is logged") { $0.contains { $0.facility == "FAIL" } }
  }
}
