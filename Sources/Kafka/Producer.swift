internal import CRdkafka
internal import Synchronization

/// An idempotent producer: records of one partition are appended in order, once, and each one's outcome is reported.
///
/// Its queue is bounded (`queue.buffering.max.messages`, `queue.buffering.max.kbytes`): where it is full, `produce`
/// says so and the caller waits. Reports come on the producer's own thread, in the order of each partition, in the
/// arrays that librdkafka gathered; the handler must not block for long.
public final class Producer: Sendable {
  let client: ClientHandle
  private let poll: PollThread
  private let closing = Stopping()
  private let stopping = Stopping()
  private let topics = Mutex<[String: Topic]>([:])

  /// A topic of one producer, for those who produce many records: it has been looked up. Valid until the producer is
  /// closed.
  public struct Topic: @unchecked Sendable {
    // Unchecked: a topic object synchronizes itself, and lives as long as the producer.
    let raw: OpaquePointer
    let name: String
  }

  /// What a producer is made of unless it is told otherwise.
  ///
  /// `enable.gapless.guarantee` stays off: a record that could not be sent is reported, and the caller decides.
  public static let defaultProperties: ClientProperties = [
    "enable.idempotence": "true", "acks": "all", "linger.ms": "0", "compression.codec": "zstd",
    "queue.buffering.max.messages": "100000", "delivery.timeout.ms": "30000",
  ]

  /// Makes a producer; it connects at once.
  ///
  /// - Parameters:
  ///   - properties: override `defaultProperties`; must hold `bootstrap.servers`.
  ///   - reports: takes every record's outcome, exactly once, also of those purged by `close`.
  public convenience init(
    properties: ClientProperties, observer: ClientObserver = ClientObserver(),
    reports: @escaping @Sendable ([DeliveryReport]) -> Void
  ) throws(KafkaError) {
    try self.init(properties: properties, observer: observer, handler: ReportGatherer(reports: reports))
  }

  /// Makes a producer whose `handler` takes every record's outcome, likewise.
  public init(
    properties: ClientProperties, observer: ClientObserver = ClientObserver(), handler: any DeliveryHandler
  ) throws(KafkaError) {
    let client = try ClientHandle(
      RD_KAFKA_PRODUCER, purpose: "producer", properties: Self.defaultProperties.overridden(by: properties),
      observer: observer
    ) {
      // As events, reports come to our thread alone: as callbacks, `flush` would serve them on its caller's.
      rd_kafka_conf_set_events($0, RD_KAFKA_EVENT_DR)
    }
    self.client = client
    let stopping = stopping
    poll = try PollThread.start(named: "kafka-producer") {
      let queue = rd_kafka_queue_get_main(client.raw)
      defer { rd_kafka_queue_destroy(queue) }
      // What is left when `close` says stop is served without waiting.
      while serve(queue, timeout: stopping.isSet ? 0 : 100, of: client, handler) || !stopping.isSet {}
    }
  }

  deinit { close() }

  /// Hands over one record; its bytes are copied.
  ///
  /// - Parameters:
  ///   - keyBytes: `nil` is Kafka's null, as is a `nil` `valueBytes` (a tombstone).
  ///   - timestampMilliseconds: Unix time; `nil` is now.
  ///   - token: comes back in the record's report.
  /// - Throws: `.queueFull` where the queue is full (nothing was taken: wait for reports, then try again); anything
  ///   else is final for this record, and no report will come for it.
  public func produce(
    topic: String, partition: Int32, keyBytes: UnsafeRawBufferPointer?, valueBytes: UnsafeRawBufferPointer?,
    headers: [Header] = [], timestampMilliseconds: Int64? = nil, token: UInt64 = 0
  ) throws(KafkaError) {
    try produce(
      to: try self.topic(topic), partition: partition, keyBytes: keyBytes, valueBytes: valueBytes,
      headerList: headers.isEmpty ? nil : HeaderList(headers), timestampMilliseconds: timestampMilliseconds,
      token: token)
  }

  /// The same with headers that were made for it; they are gone afterwards, whatever came of it.
  public func produce(
    to topic: Topic, partition: Int32, keyBytes: UnsafeRawBufferPointer?, valueBytes: UnsafeRawBufferPointer?,
    headerList: consuming HeaderList?, timestampMilliseconds: Int64? = nil, token: UInt64 = 0
  ) throws(KafkaError) {
    let list = headerList.take()?.release()
    let error = produceRecord(
      client.raw, topic.raw, partition, keyBytes, valueBytes, list, timestampMilliseconds, token)
    guard let error else { return }
    if let list { rd_kafka_headers_destroy(list) }
    throw Self.refusal(error, of: topic, partition)
  }

  /// The same with headers that come back with the report (``Delivery/takeHeaders(_:into:)``); they are the caller's
  /// still where this throws.
  public func produce(
    to topic: Topic, partition: Int32, keyBytes: UnsafeRawBufferPointer?, valueBytes: UnsafeRawBufferPointer?,
    reusing headers: ReusableHeaders, timestampMilliseconds: Int64?, token: UInt64
  ) throws(KafkaError) {
    let error = produceRecord(
      client.raw, topic.raw, partition, keyBytes, valueBytes, headers.list, timestampMilliseconds, token)
    if let error { throw Self.refusal(error, of: topic, partition) }
  }

  private static func refusal(_ error: OpaquePointer, of topic: Topic, _ partition: Int32) -> KafkaError {
    KafkaError(consuming: error, doing: "hand a record of \(topic.name)[\(partition)] to the producer")
  }

  /// The same from arrays.
  public func produce(
    topic: String, partition: Int32, key: [UInt8]?, value: [UInt8]?, headers: [Header] = [],
    timestampMilliseconds: Int64? = nil, token: UInt64 = 0
  ) throws(KafkaError) {
    try withBytes(key) { (key) throws(KafkaError) in
      try withBytes(value) { (value) throws(KafkaError) in
        try produce(
          topic: topic, partition: partition, keyBytes: key, valueBytes: value, headers: headers,
          timestampMilliseconds: timestampMilliseconds, token: token)
      }
    }
  }

  /// Records that are handed over and not yet reported.
  public var unreported: Int { Int(rd_kafka_outq_len(client.raw)) }

  /// The fatal error that the producer is in, if it is: nothing more can be produced, and a new one has to be made.
  public var fatalCause: KafkaError? { client.fatalCause }

  /// Sends what is queued without lingering, and waits until every record was reported.
  ///
  /// - Throws: `.timedOut` where some are still unreported after `timeoutMilliseconds`.
  public func flush(timeoutMilliseconds: Int32) throws(KafkaError) {
    precondition(!poll.isCurrent, "flush waits for the thread that it was called on")
    try KafkaError.check(rd_kafka_flush(client.raw, timeoutMilliseconds), doing: "flush \(unreported) records")
  }

  /// Gives up what is queued or under way: each is reported, as `.notSent` where it had not left, else as `.unknown`.
  public func purge() {
    rd_kafka_purge(client.raw, Int32(RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT))
  }

  /// Purges, delivers the last reports, and destroys the producer. To lose nothing, `flush` first. Blocks until
  /// librdkafka's threads have ended; a second call does nothing.
  public func close() {
    guard closing.set() else { return }
    purge()
    // Purged records are reported by librdkafka's threads: flush waits until the poll thread has taken all of them.
    rd_kafka_flush(client.raw, 5000)
    _ = stopping.set()
    poll.join()
    topics.withLock { topics in
      for topic in topics.values { rd_kafka_topic_destroy(topic.raw) }
      topics = [:]
    }
    client.destroy()
  }

  /// A topic to produce to. It is not asked for at the broker: whether it is there, the reports say.
  public func topic(_ name: String) throws(KafkaError) -> Topic {
    // Made once, since a record by topic name looks it up among all.
    try topics.withLock { (topics) throws(KafkaError) -> Topic in
      if let topic = topics[name] { return topic }
      guard let raw = rd_kafka_topic_new(client.raw, name, nil) else {
        throw KafkaError(rd_kafka_last_error(), doing: "use topic \(name)")
      }
      let topic = Topic(raw: raw, name: name)
      topics[name] = topic
      return topic
    }
  }
}

/// Serves one event of the producer's main queue; `false` when none came.
private func serve(
  _ queue: OpaquePointer?, timeout: Int32, of client: ClientHandle, _ handler: any DeliveryHandler
) -> Bool {
  guard let event = rd_kafka_queue_poll(queue, timeout) else { return false }
  defer { rd_kafka_event_destroy(event) }
  switch rd_kafka_event_type(event) {
  case RD_KAFKA_EVENT_DR:
    var deliveries = Deliveries(event: event)
    handler.take(&deliveries)
  // A queue that is polled for events hands these over too, past their callbacks.
  case RD_KAFKA_EVENT_STATS:
    if let json = rd_kafka_event_stats(event) { client.reportStatistics(String(cString: json)) }
  case RD_KAFKA_EVENT_ERROR:
    client.report(
      rd_kafka_event_error(event), rd_kafka_event_error_string(event).map { String(cString: $0) } ?? "")
  default: break
  }
  return true
}

/// Makes reports of what it is handed.
private final class ReportGatherer: DeliveryHandler {
  let reports: @Sendable ([DeliveryReport]) -> Void

  init(reports: @escaping @Sendable ([DeliveryReport]) -> Void) { self.reports = reports }

  func take(_ deliveries: inout Deliveries) {
    var batch: [DeliveryReport] = []
    batch.reserveCapacity(deliveries.count)
    while let delivery = deliveries.next() { batch.append(delivery.report) }
    reports(batch)
  }
}

private func withBytes(
  _ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) throws(KafkaError) -> Void
) throws(KafkaError) {
  guard let bytes else { return try body(nil) }
  // An empty array has no address, and a null pointer would be Kafka's null: so the bytes of something else.
  if bytes.isEmpty {
    var nothing: UInt8 = 0
    let result = withUnsafeBytes(of: &nothing) { pointer in
      Result { () throws(KafkaError) in try body(UnsafeRawBufferPointer(rebasing: pointer[0..<0])) }
    }
    return try result.get()
  }
  let result = bytes.withUnsafeBytes { pointer in Result { () throws(KafkaError) in try body(pointer) } }
  return try result.get()
}
