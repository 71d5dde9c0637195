/// What meterd shows of librdkafka's statistics (`statistics.interval.ms`), as plain numbers that the owner of a client
/// handle fills in. Field names of librdkafka's JSON are in the comments (STATISTICS.md of librdkafka).
public struct KafkaStatisticsSample: Sendable, Hashable {
  /// One broker as one handle sees it.
  public struct Broker: Sendable, Hashable {
    /// `nodeid`; bootstrap and logical brokers (−1) are left out by the caller or merged under one name.
    public var id: String
    /// `state` is `UP`.
    public var isUp: Bool
    /// `rtt.avg`, as a duration: time of a request, which for a fetch holds the broker's wait for data.
    public var latencyAverage: Duration
    /// `rtt.p99`.
    public var latency99th: Duration
    /// `txerrs` + `rxerrs`, cumulative.
    public var errors: UInt64
    /// `req_timeouts`, cumulative.
    public var requestTimeouts: UInt64
    /// `txretries`, cumulative.
    public var retries: UInt64

    public init(
      id: String, isUp: Bool, latencyAverage: Duration = .zero, latency99th: Duration = .zero, errors: UInt64 = 0,
      requestTimeouts: UInt64 = 0, retries: UInt64 = 0
    ) {
      self.id = id
      self.isUp = isUp
      self.latencyAverage = latencyAverage
      self.latency99th = latency99th
      self.errors = errors
      self.requestTimeouts = requestTimeouts
      self.retries = retries
    }
  }

  /// The handle's role and number, such as `consumer-0`, `ledger`, `quarantine`; bounded by the configuration.
  public var client: String
  public var brokers: [Broker]
  /// `cgrp.rebalance_cnt`, cumulative.
  public var rebalances: UInt64
  /// `rx_bytes`, cumulative.
  public var receivedBytes: UInt64
  /// `tx_bytes`, cumulative.
  public var sentBytes: UInt64
  /// Sum of `fetchq_cnt` over the partitions: records fetched and not yet taken.
  public var fetchQueueRecords: Int64
  /// Sum of `fetchq_size`, bytes.
  public var fetchQueueBytes: Int64

  public init(
    client: String, brokers: [Broker] = [], rebalances: UInt64 = 0, receivedBytes: UInt64 = 0, sentBytes: UInt64 = 0,
    fetchQueueRecords: Int64 = 0, fetchQueueBytes: Int64 = 0
  ) {
    self.client = client
    self.brokers = brokers
    self.rebalances = rebalances
    self.receivedBytes = receivedBytes
    self.sentBytes = sentBytes
    self.fetchQueueRecords = fetchQueueRecords
    self.fetchQueueBytes = fetchQueueBytes
  }
}

/// The `meterd_kafka_*` metrics.
public struct KafkaMetrics: Sendable {
  private let brokerUp: GaugeFamily<BrokerLabels>
  private let latencyAverage: GaugeFamily<BrokerLabels>
  private let latency99th: GaugeFamily<BrokerLabels>
  private let errors: CounterFamily<BrokerLabels>
  private let requestTimeouts: CounterFamily<BrokerLabels>
  private let retries: CounterFamily<BrokerLabels>
  private let rebalances: CounterFamily<ClientLabels>
  private let receivedBytes: CounterFamily<ClientLabels>
  private let sentBytes: CounterFamily<ClientLabels>
  private let fetchQueueRecords: GaugeFamily<ClientLabels>
  private let fetchQueueBytes: GaugeFamily<ClientLabels>

  init(registry r: MetricsRegistry) {
    brokerUp = r.gauge("meterd_kafka_broker_up", "1 while the client handle is connected to the broker.")
    latencyAverage = r.gauge(
      "meterd_kafka_broker_latency_average_seconds", "Average time of a request to the broker; a fetch waits for data.")
    latency99th = r.gauge(
      "meterd_kafka_broker_latency_p99_seconds", "99th percentile of the time of a request to the broker.")
    errors = r.counter("meterd_kafka_broker_errors_total", "Errors in sending to and receiving from the broker.")
    requestTimeouts = r.counter("meterd_kafka_request_timeouts_total", "Requests to the broker that timed out.")
    retries = r.counter("meterd_kafka_request_retries_total", "Requests to the broker that were sent again.")
    rebalances = r.counter("meterd_kafka_rebalances_total", "Rebalances of the consumer group that the handle saw.")
    receivedBytes = r.counter("meterd_kafka_received_bytes_total", "Bytes received from brokers.")
    sentBytes = r.counter("meterd_kafka_sent_bytes_total", "Bytes sent to brokers.")
    fetchQueueRecords = r.gauge("meterd_kafka_fetch_queue_records", "Records fetched and not yet taken by a worker.")
    fetchQueueBytes = r.gauge("meterd_kafka_fetch_queue_bytes", "Bytes of the records in the fetch queue.")
  }

  /// Shows one sample. Counters are cumulative in librdkafka, so each sample raises them.
  public func update(_ sample: KafkaStatisticsSample) {
    let client = ClientLabels(client: sample.client)
    let present = Set(sample.brokers.map(\.id))
    for family in [brokerUp, latencyAverage, latency99th] {
      family.removeAll { $0[0] == sample.client && !present.contains($0[1]) }
    }
    for broker in sample.brokers {
      let labels = BrokerLabels(client: sample.client, broker: broker.id)
      brokerUp[labels].set(broker.isUp ? 1 : 0)
      latencyAverage[labels].set(broker.latencyAverage / .seconds(1))
      latency99th[labels].set(broker.latency99th / .seconds(1))
      errors[labels].raise(to: broker.errors)
      requestTimeouts[labels].raise(to: broker.requestTimeouts)
      retries[labels].raise(to: broker.retries)
    }
    rebalances[client].raise(to: sample.rebalances)
    receivedBytes[client].raise(to: sample.receivedBytes)
    sentBytes[client].raise(to: sample.sentBytes)
    fetchQueueRecords[client].set(sample.fetchQueueRecords)
    fetchQueueBytes[client].set(sample.fetchQueueBytes)
  }
}
