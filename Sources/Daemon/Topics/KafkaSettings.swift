public import Kafka

/// Where the events come from: the `kafka` section of the configuration, resolved.
public struct KafkaSettings: Sendable, Hashable {
  /// Where a partition with no ledger yet begins (`kafka.start`).
  public enum Start: Sendable, Hashable {
    case earliest
    case latest
    /// Unix milliseconds: the cut-over from an older system.
    case instant(Int64)
  }

  /// host:port, by commas; of the embedded broker where it is one.
  public var bootstrapServers: String
  public var topic: String
  public var group: String
  /// Consumer handles in this process; nil: one for every two cores, at most one a partition.
  public var consumers: Int?
  public var start: Start
  /// How long an unreachable broker is waited for.
  public var startTimeoutMilliseconds: Int64
  /// librdkafka properties of the user's (security and the like).
  public var properties: [String: String]
  /// The broker is librdkafka's mock cluster in this process: topics are there, settings are not checked.
  public var isEmbedded: Bool

  public init(
    bootstrapServers: String, topic: String, group: String = "meterd", consumers: Int? = nil,
    start: Start = .earliest, startTimeoutMilliseconds: Int64 = 60_000, properties: [String: String] = [:],
    isEmbedded: Bool = false
  ) {
    self.bootstrapServers = bootstrapServers
    self.topic = topic
    self.group = group
    self.consumers = consumers
    self.start = start
    self.startTimeoutMilliseconds = startTimeoutMilliseconds
    self.properties = properties
    self.isEmbedded = isEmbedded
  }

  public var ledgerTopic: String { "\(group).ledger" }
  public var quarantineTopic: String { "\(group).quarantine" }

  /// What every client of this cluster is made with.
  public var clientProperties: ClientProperties {
    var all = ClientProperties(properties)
    all["bootstrap.servers"] = bootstrapServers
    if all["client.id"] == nil { all["client.id"] = "meterd" }
    return all
  }
}
