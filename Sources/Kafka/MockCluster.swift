internal import CRdkafka
internal import Synchronization

/// librdkafka's broker in the process: for trying and testing, never for money.
///
/// It keeps about 5 MiB a partition and then drops the oldest; topics are made by `createTopic` or by their first use,
/// topic settings, ListOffsets by time and CreateTopics are not there.
public final class MockCluster: Sendable {
  private let client: ClientHandle
  private struct Cluster: @unchecked Sendable {
    // Unchecked: the mock cluster has a thread and a lock of its own.
    let raw: OpaquePointer
  }
  private let cluster: Cluster
  private let closing = Stopping()
  /// What clients take as `bootstrap.servers`: host:port of each broker, by commas.
  public let bootstrapServers: String

  /// A request of the protocol, to inject errors into.
  public struct Request: RawRepresentable, Sendable, Hashable {
    /// The protocol's ApiKey.
    public let rawValue: Int16
    /// Any ApiKey.
    public init(rawValue: Int16) { self.rawValue = rawValue }
    public static let produce = Request(rawValue: 0)
    public static let fetch = Request(rawValue: 1)
    public static let listOffsets = Request(rawValue: 2)
    public static let metadata = Request(rawValue: 3)
    public static let offsetCommit = Request(rawValue: 8)
    public static let offsetFetch = Request(rawValue: 9)
    public static let findCoordinator = Request(rawValue: 10)
    public static let joinGroup = Request(rawValue: 11)
    public static let heartbeat = Request(rawValue: 12)
    public static let leaveGroup = Request(rawValue: 13)
    public static let syncGroup = Request(rawValue: 14)
    public static let initProducerID = Request(rawValue: 22)
  }

  /// Starts `brokers` brokers, numbered from 1, on loopback ports of the system's choice.
  public init(brokers: Int32 = 1, observer: ClientObserver = ClientObserver()) throws(KafkaError) {
    client = try ClientHandle(
      RD_KAFKA_PRODUCER, purpose: "mock cluster", properties: ["client.id": "mock"], observer: observer)
    guard let raw = rd_kafka_mock_cluster_new(client.raw, brokers),
      let servers = rd_kafka_mock_cluster_bootstraps(raw)
    else {
      throw KafkaError(.invalidArgument, doing: "start a mock cluster", detail: "librdkafka could not start it")
    }
    cluster = Cluster(raw: raw)
    bootstrapServers = String(cString: servers)
  }

  deinit { close() }

  /// Creates a topic.
  public func createTopic(_ name: String, partitions: Int32, replicationFactor: Int32 = 1) throws(KafkaError) {
    try KafkaError.check(
      rd_kafka_mock_topic_create(cluster.raw, name, partitions, replicationFactor), doing: "create topic \(name)")
  }

  /// Answers the next requests of one kind with these errors, one each; `.none` lets one pass.
  public func pushErrors(_ errors: [KafkaError.Code], for request: Request) {
    rd_kafka_mock_push_request_errors_array(
      cluster.raw, request.rawValue, errors.count, errors.map { rd_kafka_resp_err_t($0.rawValue) })
  }

  /// Forgets errors that were pushed and have not come up.
  public func clearErrors(for request: Request) {
    rd_kafka_mock_clear_request_errors(cluster.raw, request.rawValue)
  }

  /// Gives every request about a topic this error; `.none` takes it back.
  public func setTopicError(_ error: KafkaError.Code, topic: String) {
    rd_kafka_mock_topic_set_error(cluster.raw, topic, rd_kafka_resp_err_t(error.rawValue))
  }

  /// Disconnects a broker's clients, and refuses new ones until `setBrokerUp`.
  public func setBrokerDown(_ broker: Int32) throws(KafkaError) {
    try KafkaError.check(rd_kafka_mock_broker_set_down(cluster.raw, broker), doing: "take broker \(broker) down")
  }

  /// Takes clients again.
  public func setBrokerUp(_ broker: Int32) throws(KafkaError) {
    try KafkaError.check(rd_kafka_mock_broker_set_up(cluster.raw, broker), doing: "bring broker \(broker) up")
  }

  /// Delays every answer of a broker.
  public func setRoundTripTime(_ milliseconds: Int32, broker: Int32) throws(KafkaError) {
    try KafkaError.check(
      rd_kafka_mock_broker_set_rtt(cluster.raw, broker, milliseconds), doing: "set the round trip of broker \(broker)")
  }

  /// Moves a partition's leadership; −1 leaves it without one.
  public func setLeader(topic: String, partition: Int32, broker: Int32) throws(KafkaError) {
    try KafkaError.check(
      rd_kafka_mock_partition_set_leader(cluster.raw, topic, partition, broker),
      doing: "make broker \(broker) the leader of \(topic)[\(partition)]")
  }

  /// Makes one broker the coordinator of a group.
  public func setCoordinator(group: String, broker: Int32) throws(KafkaError) {
    try KafkaError.check(
      rd_kafka_mock_coordinator_set(cluster.raw, "group", group, broker),
      doing: "make broker \(broker) the coordinator of group \(group)")
  }

  /// Ends the brokers and forgets the data. A second call does nothing.
  public func close() {
    guard closing.set() else { return }
    rd_kafka_mock_cluster_destroy(cluster.raw)
    client.destroy()
  }
}
