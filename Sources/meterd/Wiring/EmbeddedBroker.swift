internal import Daemon
internal import Kafka

/// librdkafka's mock cluster in this process, with meterd's topics: for trying, never for money.
final class EmbeddedBroker: Sendable {
  private let cluster: MockCluster
  let bootstrapServers: String

  init(topic: String, group: String, partitions: Int32 = 4) throws {
    cluster = try MockCluster()
    bootstrapServers = cluster.bootstrapServers
    // The mock's own calls: it has neither CreateTopics nor settings.
    for name in [topic, "\(group).ledger", "\(group).quarantine"] {
      try cluster.createTopic(name, partitions: partitions)
    }
  }

  func close() { cluster.close() }
}
