internal import CRdkafka

/// A cluster's brokers.
public struct ClusterMetadata: Sendable, Hashable {
  /// The cluster's id, as it was formatted with.
  public var clusterID: String?
  /// Its brokers that are up.
  public var brokers: [BrokerMetadata]
}

/// One broker.
public struct BrokerMetadata: Sendable, Hashable {
  /// Its id.
  public var id: Int32
  /// Where clients reach it.
  public var host: String
  /// Where clients reach it.
  public var port: Int32
}

/// One topic's partitions.
public struct TopicMetadata: Sendable, Hashable {
  /// The topic.
  public var name: String
  /// Its partitions, in the order of their numbers.
  public var partitions: [PartitionMetadata]
  /// How many replicas each partition has (the least of them).
  public var replicationFactor: Int { partitions.map(\.replicas.count).min() ?? 0 }
}

/// One partition's replicas.
public struct PartitionMetadata: Sendable, Hashable {
  /// Its number.
  public var partition: Int32
  /// The leader's id; `nil` where there is none now.
  public var leader: Int32?
  /// The ids of the brokers that hold it.
  public var replicas: [Int32]
  /// The ids of those that are in sync.
  public var inSyncReplicas: [Int32]
}

extension Admin {
  /// The cluster's id and brokers.
  public func cluster(timeoutMilliseconds: Int32 = 10_000) throws(KafkaError) -> ClusterMetadata {
    let metadata = try Metadata(client, topic: nil, timeoutMilliseconds, doing: "ask for the cluster's brokers")
    let id = rd_kafka_clusterid(client.raw, timeoutMilliseconds)
    defer { rd_kafka_mem_free(client.raw, id) }
    let brokers = UnsafeBufferPointer(start: metadata.raw.pointee.brokers, count: Int(metadata.raw.pointee.broker_cnt))
    return ClusterMetadata(
      clusterID: id.map { String(cString: $0) },
      brokers: brokers.map {
        BrokerMetadata(id: $0.id, host: $0.host.map { String(cString: $0) } ?? "", port: $0.port)
      }.sorted { $0.id < $1.id })
  }

  /// A topic's partitions; `nil` where there is no such topic (which this does not create).
  public func topic(_ name: String, timeoutMilliseconds: Int32 = 10_000) throws(KafkaError) -> TopicMetadata? {
    let doing = "ask for the partitions of topic \(name)"
    let metadata = try Metadata(client, topic: name, timeoutMilliseconds, doing: doing)
    let topics = UnsafeBufferPointer(start: metadata.raw.pointee.topics, count: Int(metadata.raw.pointee.topic_cnt))
    guard let topic = topics.first(where: { $0.topic.map { String(cString: $0) } == name }) else { return nil }
    if topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART { return nil }
    // Some replica or leader is away: each partition says which, so that is no error of the topic.
    if topic.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE { try KafkaError.check(topic.err, doing: doing) }
    let partitions = UnsafeBufferPointer(start: topic.partitions, count: Int(topic.partition_cnt))
    return TopicMetadata(
      name: name,
      partitions: partitions.map {
        PartitionMetadata(
          partition: $0.id, leader: $0.leader >= 0 ? $0.leader : nil,
          replicas: Array(UnsafeBufferPointer(start: $0.replicas, count: Int($0.replica_cnt))),
          inSyncReplicas: Array(UnsafeBufferPointer(start: $0.isrs, count: Int($0.isr_cnt))))
      }.sorted { $0.partition < $1.partition })
  }

  /// Asks the leader for a partition's low and high watermark; open transactions lie below the high one.
  public func watermarks(
    topic: String, partition: Int32, timeoutMilliseconds: Int32 = 10_000
  ) throws(KafkaError) -> Watermarks {
    try Kafka.watermarks(of: client, topic, partition, timeoutMilliseconds)
  }

  /// For each partition the offset of the first record whose timestamp is `unixMilliseconds` or later; `nil` where
  /// there is none.
  public func offsetsForTime(
    topic: String, partitions: [Int32], unixMilliseconds: Int64, timeoutMilliseconds: Int32 = 10_000
  ) throws(KafkaError) -> [Int32: Int64?] {
    try Kafka.offsetsForTime(client, topic, partitions, unixMilliseconds, timeoutMilliseconds)
  }
}

/// Owns librdkafka's answer to a metadata request.
private struct Metadata: ~Copyable {
  let raw: UnsafePointer<rd_kafka_metadata>

  /// Asks for one topic, or for the brokers alone.
  init(_ client: ClientHandle, topic: String?, _ timeout: Int32, doing: String) throws(KafkaError) {
    var handle: OpaquePointer?
    if let topic {
      handle = rd_kafka_topic_new(client.raw, topic, nil)
      if handle == nil { throw KafkaError(rd_kafka_last_error(), doing: doing) }
    }
    defer { if let handle { rd_kafka_topic_destroy(handle) } }
    var metadata: UnsafePointer<rd_kafka_metadata>?
    try KafkaError.check(rd_kafka_metadata(client.raw, 0, handle, &metadata, timeout), doing: doing)
    guard let metadata else { throw KafkaError(.invalidArgument, doing: doing, detail: "librdkafka gave no answer") }
    raw = metadata
  }

  deinit { rd_kafka_metadata_destroy(raw) }
}
