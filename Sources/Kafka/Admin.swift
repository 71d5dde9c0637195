internal import CRdkafka

/// Asks about a cluster and its topics, and changes them. Each call blocks its thread, up to the time-out it is given.
public final class Admin: Sendable {
  let client: ClientHandle
  private let properties: ClientProperties
  private let poll: PollThread
  private let stopping = Stopping()

  /// What an admin handle is made of unless it is told otherwise. `read_uncommitted`, since the isolation level also
  /// decides what the end of a partition is: its high watermark, not where the oldest open transaction begins.
  public static let defaultProperties: ClientProperties = [
    "allow.auto.create.topics": "false", "isolation.level": "read_uncommitted",
  ]

  /// Makes a handle; `properties` must hold `bootstrap.servers`.
  public init(properties: ClientProperties, observer: ClientObserver = ClientObserver()) throws(KafkaError) {
    // A consumer, though it reads nothing: a producer that asks about a missing topic may create it.
    let client = try ClientHandle(
      RD_KAFKA_CONSUMER, purpose: "admin client", properties: Self.defaultProperties.overridden(by: properties),
      observer: observer)
    self.client = client
    self.properties = properties
    let stopping = stopping
    poll = try PollThread.start(named: "kafka-admin") {
      while !stopping.isSet { rd_kafka_poll(client.raw, 100) }
    }
  }

  deinit { close() }

  /// Destroys the handle; a second call does nothing.
  public func close() {
    guard stopping.set() else { return }
    poll.join()
    client.destroy()
  }

  /// Creates a topic.
  ///
  /// - Parameters:
  ///   - partitions: 1 or more.
  ///   - replicationFactor: −1 takes the broker's default.
  ///   - configuration: the topic's settings, such as `retention.ms`.
  ///   - validateOnly: only says whether it could be created.
  /// - Throws: `.topicAlreadyExists`, `.invalidReplicationFactor`, `.invalidConfiguration`, and others.
  public func createTopic(
    _ name: String, partitions: Int32, replicationFactor: Int32 = -1, configuration: [String: String] = [:],
    validateOnly: Bool = false, timeoutMilliseconds: Int32 = 30_000
  ) throws(KafkaError) {
    let doing = "create topic \(name) with \(partitions) partitions"
    var text = [CChar](repeating: 0, count: 512)
    var topic = rd_kafka_NewTopic_new(name, partitions, replicationFactor, &text, text.count)
    guard topic != nil else { throw KafkaError(.invalidArgument, doing: doing, detail: string(text)) }
    defer { rd_kafka_NewTopic_destroy(topic) }
    for (name, value) in configuration.sorted(by: { $0.key < $1.key }) {
      try KafkaError.check(rd_kafka_NewTopic_set_config(topic, name, value), doing: "\(doing): set \(name)")
    }
    let options = try AdminOptions(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeoutMilliseconds, doing: doing)
    if validateOnly { try options.setValidateOnly() }
    let event = try run(options, doing: doing) { rd_kafka_CreateTopics(client.raw, &topic, 1, options.raw, $0) }
    var count = 0
    let results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.raw), &count)
    try check(results, count, doing: doing)
  }

  /// Deletes a topic, with all that it holds.
  public func deleteTopic(_ name: String, timeoutMilliseconds: Int32 = 30_000) throws(KafkaError) {
    let doing = "delete topic \(name)"
    var topic = rd_kafka_DeleteTopic_new(name)
    defer { rd_kafka_DeleteTopic_destroy(topic) }
    let options = try AdminOptions(client, RD_KAFKA_ADMIN_OP_DELETETOPICS, timeoutMilliseconds, doing: doing)
    let event = try run(options, doing: doing) { rd_kafka_DeleteTopics(client.raw, &topic, 1, options.raw, $0) }
    var count = 0
    let results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event.raw), &count)
    try check(results, count, doing: doing)
  }

  /// Deletes the records below an offset in each partition (−1: all there are).
  ///
  /// - Returns: each partition's low watermark afterwards.
  public func deleteRecords(
    topic: String, before offsets: [Int32: Int64], timeoutMilliseconds: Int32 = 30_000
  ) throws(KafkaError) -> [Int32: Int64] {
    let doing = "delete records of \(topic)"
    let list = PartitionList(
      topic: topic, partitions: offsets.map { ($0.key, $0.value < 0 ? Int64(RD_KAFKA_OFFSET_END) : $0.value) })
    var records = rd_kafka_DeleteRecords_new(list.raw)
    defer { rd_kafka_DeleteRecords_destroy(records) }
    let options = try AdminOptions(client, RD_KAFKA_ADMIN_OP_DELETERECORDS, timeoutMilliseconds, doing: doing)
    let event = try run(options, doing: doing) { rd_kafka_DeleteRecords(client.raw, &records, 1, options.raw, $0) }
    var low: [Int32: Int64] = [:]
    let result = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event.raw))
    guard let result else { throw KafkaError(.invalidArgument, doing: doing, detail: "librdkafka gave no result") }
    for entry in UnsafeBufferPointer(start: result.pointee.elems, count: Int(result.pointee.cnt)) {
      try KafkaError.check(entry.err, doing: "\(doing), partition \(entry.partition)")
      low[entry.partition] = entry.offset
    }
    return low
  }

  /// The offsets that are committed for a group; partitions without one are absent. On a handle of its own that bears the
  /// group's name and never joins it.
  public func committed(
    group: String, topic: String, partitions: [Int32], timeoutMilliseconds: Int32 = 10_000
  ) throws(KafkaError) -> [Int32: CommittedOffset] {
    let asker = try ClientHandle(
      RD_KAFKA_CONSUMER, purpose: "offsets of group \(group)",
      properties: Self.defaultProperties.overridden(by: properties).overridden(by: ["group.id": group]),
      observer: ClientObserver())
    defer { asker.destroy() }
    return try committedOffsets(asker, of: topic, group: group, partitions, timeoutMilliseconds)
  }

  /// A topic's settings, defaults included.
  public func topicConfiguration(
    _ name: String, timeoutMilliseconds: Int32 = 30_000
  ) throws(KafkaError) -> [String: ConfigurationEntry] {
    try configuration(RD_KAFKA_RESOURCE_TOPIC, name, "topic \(name)", timeoutMilliseconds)
  }

  /// A broker's settings, defaults included; those that only say how it is reached may be hidden from clients.
  public func brokerConfiguration(
    _ id: Int32, timeoutMilliseconds: Int32 = 30_000
  ) throws(KafkaError) -> [String: ConfigurationEntry] {
    try configuration(RD_KAFKA_RESOURCE_BROKER, "\(id)", "broker \(id)", timeoutMilliseconds)
  }

  private func configuration(
    _ type: rd_kafka_ResourceType_t, _ name: String, _ title: String, _ timeout: Int32
  ) throws(KafkaError) -> [String: ConfigurationEntry] {
    let doing = "describe the configuration of \(title)"
    var resource = rd_kafka_ConfigResource_new(type, name)
    guard resource != nil else { throw KafkaError(.invalidArgument, doing: doing) }
    defer { rd_kafka_ConfigResource_destroy(resource) }
    let options = try AdminOptions(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout, doing: doing)
    let event = try run(options, doing: doing) { rd_kafka_DescribeConfigs(client.raw, &resource, 1, options.raw, $0) }
    var count = 0
    let resources = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.raw), &count)
    var found: [String: ConfigurationEntry] = [:]
    for described in UnsafeBufferPointer(start: resources, count: count) {
      let code = rd_kafka_ConfigResource_error(described)
      if code != RD_KAFKA_RESP_ERR_NO_ERROR {
        throw KafkaError(
          code, doing: doing, detail: rd_kafka_ConfigResource_error_string(described).map { String(cString: $0) })
      }
      var entries = 0
      let list = rd_kafka_ConfigResource_configs(described, &entries)
      for entry in UnsafeBufferPointer(start: list, count: entries) {
        guard let name = rd_kafka_ConfigEntry_name(entry) else { continue }
        found[String(cString: name)] = ConfigurationEntry(
          value: rd_kafka_ConfigEntry_value(entry).map { String(cString: $0) },
          isDefault: rd_kafka_ConfigEntry_is_default(entry) == 1,
          isSensitive: rd_kafka_ConfigEntry_is_sensitive(entry) == 1)
      }
    }
    return found
  }

  private func run(
    _ options: borrowing AdminOptions, doing: String, _ request: (OpaquePointer?) -> Void
  ) throws(KafkaError) -> AdminEvent {
    guard let queue = rd_kafka_queue_new(client.raw) else { throw KafkaError(.invalidArgument, doing: doing) }
    defer { rd_kafka_queue_destroy(queue) }
    request(queue)
    // librdkafka answers every request, with a time-out at the latest.
    while true {
      guard let raw = rd_kafka_queue_poll(queue, -1) else { continue }
      let event = AdminEvent(raw: raw)
      let code = rd_kafka_event_error(raw)
      guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
        throw KafkaError(code, doing: doing, detail: rd_kafka_event_error_string(raw).map { String(cString: $0) })
      }
      return event
    }
  }

  private func check(
    _ results: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int, doing: String
  ) throws(KafkaError) {
    for result in UnsafeBufferPointer(start: results, count: count) {
      let code = rd_kafka_topic_result_error(result)
      if code != RD_KAFKA_RESP_ERR_NO_ERROR {
        throw KafkaError(
          code, doing: doing, detail: rd_kafka_topic_result_error_string(result).map { String(cString: $0) })
      }
    }
  }
}

/// One setting of a topic or broker.
public struct ConfigurationEntry: Sendable, Hashable {
  /// The value; `nil` where the broker keeps it to itself.
  public var value: String?
  /// Whether nobody has set it for this topic or broker.
  public var isDefault: Bool
  /// Whether it is a secret.
  public var isSensitive: Bool
}

/// The result of an admin request; owns librdkafka's event.
struct AdminEvent: ~Copyable {
  let raw: OpaquePointer
  deinit { rd_kafka_event_destroy(raw) }
}

/// Owns librdkafka's options of one admin request.
struct AdminOptions: ~Copyable {
  let raw: OpaquePointer
  private let doing: String

  init(
    _ client: ClientHandle, _ operation: rd_kafka_admin_op_t, _ timeout: Int32, doing: String
  ) throws(KafkaError) {
    guard let raw = rd_kafka_AdminOptions_new(client.raw, operation) else {
      throw KafkaError(.invalidArgument, doing: doing)
    }
    var text = [CChar](repeating: 0, count: 512)
    var code = rd_kafka_AdminOptions_set_request_timeout(raw, timeout, &text, text.count)
    // How long the controller may take to carry it out; without it the answer comes before the topic is there.
    if code == RD_KAFKA_RESP_ERR_NO_ERROR && operation != RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS {
      code = rd_kafka_AdminOptions_set_operation_timeout(raw, timeout, &text, text.count)
    }
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
      rd_kafka_AdminOptions_destroy(raw)
      throw KafkaError(code, doing: doing, detail: string(text))
    }
    self.raw = raw
    self.doing = doing
  }

  func setValidateOnly() throws(KafkaError) {
    var text = [CChar](repeating: 0, count: 512)
    let code = rd_kafka_AdminOptions_set_validate_only(raw, 1, &text, text.count)
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code, doing: doing, detail: string(text)) }
  }

  deinit { rd_kafka_AdminOptions_destroy(raw) }
}
