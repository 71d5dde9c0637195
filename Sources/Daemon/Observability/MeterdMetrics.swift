/// Every metric of meterd, registered once, as typed handles.
///
/// This file is the table: the names, types and labels that dashboards and alerts rely on. Hot loops do not look series
/// up; they keep ``PartitionMetrics`` and ``SinkMetrics``.
public final class MeterdMetrics: Sendable {
  public let registry: MetricsRegistry

  // Counting.
  public let eventsConsumed: CounterFamily<PartitionLabels>
  public let eventsCounted: CounterFamily<PartitionLabels>
  public let eventsDuplicate: CounterFamily<PartitionLabels>
  public let eventsQuarantined: CounterFamily<PartitionReasonLabels>
  public let consumerLagRecords: GaugeFamily<PartitionLabels>
  public let partitionState: GaugeFamily<PartitionStateLabels>
  public let conservationImbalance: GaugeFamily<EquationLabels>
  public let offsetHoles: CounterFamily<PartitionHoleLabels>
  public let recordKeyMismatch: CounterFamily<PartitionLabels>

  // Dedup and storage.
  public let dedupKeys: GaugeFamily<PartitionLabels>
  public let dedupWindowCoveredSeconds: GaugeFamily<PartitionLabels>
  public let dedupMemoryBytes: GaugeFamily<PartitionLabels>
  public let journalCommitDurationSeconds: HistogramFamily<NoLabels>

  // Open rows and the ledger.
  public let openRows: GaugeFamily<PartitionLabels>
  public let oldestOpenEventAgeSeconds: GaugeFamily<PartitionLabels>
  public let cuts: CounterFamily<PartitionLabels>
  public let claims: CounterFamily<PartitionSinkLabels>
  public let ownershipChanges: CounterFamily<PartitionLabels>

  // Delivery.
  public let sinkRows: CounterFamily<SinkOutcomeLabels>
  public let sinkRequests: CounterFamily<SinkStatusLabels>
  public let sinkRequestDurationSeconds: HistogramFamily<SinkLabels>
  public let sinkRowsInFlight: GaugeFamily<SinkLabels>
  public let sinkRowsParked: GaugeFamily<SinkLabels>
  public let sinkRowsUncertain: GaugeFamily<SinkLabels>
  public let sinkRowsDeferred: GaugeFamily<SinkLabels>
  public let sinkCarried: GaugeFamily<SinkLabels>
  public let sinkOldestUnsettledAgeSeconds: GaugeFamily<SinkLabels>
  public let sinkRateLimitWaitSeconds: CounterFamily<SinkLabels>
  public let ingestToSettledSeconds: HistogramFamily<SinkLabels>

  public let kafka: KafkaMetrics
  public let buildInfo: GaugeFamily<BuildLabels>
  private let process: ProcessMetrics

  /// Bounds of a local disk's commit: 0.25 ms … 10 s.
  private static let commitBounds = [
    0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
  ]
  /// Bounds of a provider's reply: 5 ms … 60 s.
  private static let requestBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
  /// Bounds of the way from the record's append to the provider's acceptance: 1 s … 7 d.
  private static let settleBounds: [Double] = [
    1, 5, 15, 30, 60, 90, 120, 300, 600, 1_800, 3_600, 21_600, 86_400, 604_800,
  ]

  /// Registers everything in `registry`.
  public init(registry: MetricsRegistry = MetricsRegistry()) {
    self.registry = registry
    let r = registry
    eventsConsumed = r.counter("meterd_events_consumed_total", "Records read from the usage topic.")
    eventsCounted = r.counter("meterd_events_counted_total", "Events that were added to a total.")
    eventsDuplicate = r.counter("meterd_events_duplicate_total", "Events whose key was seen within the dedup window.")
    eventsQuarantined = r.counter(
      "meterd_events_quarantined_total", "Events that could not be counted and went to the quarantine topic, by reason."
    )
    consumerLagRecords = r.gauge(
      "meterd_consumer_lag_records", "High watermark minus position of the usage partition, in records.")
    partitionState = r.gauge(
      "meterd_partition_state", "1 for the state the partition is in, 0 for the others.")
    conservationImbalance = r.gauge(
      "meterd_conservation_imbalance",
      "What the conservation equations leave over, on durable state. Anything but 0 is usage lost or invented.")
    offsetHoles = r.counter(
      "meterd_offset_holes_total",
      "Offsets without a record, by whether a second reader found the gap empty (transaction markers, aborted records)."
    )
    recordKeyMismatch = r.counter(
      "meterd_record_key_mismatch_total", "Events whose record key is not their customer.")
    dedupKeys = r.gauge("meterd_dedup_keys", "Idempotency keys in the dedup window.")
    dedupWindowCoveredSeconds = r.gauge(
      "meterd_dedup_window_covered_seconds", "How far back, by the log's clock, duplicates are recognised now.")
    dedupMemoryBytes = r.gauge("meterd_dedup_memory_bytes", "Memory of the active dedup tables and filters.")
    journalCommitDurationSeconds = r.histogram(
      "meterd_journal_commit_duration_seconds", "Duration of one durable commit of the journal.",
      bounds: Self.commitBounds)
    openRows = r.gauge("meterd_open_rows", "Rows of usage counted since the last cut.")
    oldestOpenEventAgeSeconds = r.gauge(
      "meterd_oldest_open_event_age_seconds", "Time since the oldest event that is in no cut yet was read.")
    cuts = r.counter("meterd_cuts_total", "Cuts that were read back from the ledger.")
    claims = r.counter("meterd_claims_total", "Claims that were read back from the ledger.")
    ownershipChanges = r.counter(
      "meterd_ownership_changes_total", "Times this instance became, or ceased to be, the partition's owner.")
    sinkRows = r.counter("meterd_sink_rows_total", "Rows whose outcome became known, or known to be unknown.")
    sinkRequests = r.counter("meterd_sink_requests_total", "Requests to the provider, by how they ended.")
    sinkRequestDurationSeconds = r.histogram(
      "meterd_sink_request_duration_seconds", "Duration of one request to the provider.", bounds: Self.requestBounds)
    sinkRowsInFlight = r.gauge("meterd_sink_rows_in_flight", "Claimed rows that are not settled.")
    sinkRowsParked = r.gauge("meterd_sink_rows_parked", "Rows that were refused and wait for a person.")
    sinkRowsUncertain = r.gauge(
      "meterd_sink_rows_uncertain", "Rows that were sent, whose outcome nobody knows, and that wait for a person.")
    sinkRowsDeferred = r.gauge("meterd_sink_rows_deferred", "Rows that fail transiently and are tried again apart.")
    sinkCarried = r.gauge(
      "meterd_sink_carried", "Customers and meters with a part that the provider cannot take yet.")
    sinkOldestUnsettledAgeSeconds = r.gauge(
      "meterd_sink_oldest_unsettled_age_seconds", "Age of the oldest row that is not settled.")
    sinkRateLimitWaitSeconds = r.counter(
      "meterd_sink_rate_limit_wait_seconds_total", "Time spent waiting for the provider's rate limit.")
    ingestToSettledSeconds = r.histogram(
      "meterd_ingest_to_settled_seconds",
      "Time from the timestamp of the oldest record of a row's cuts to the row's settlement.",
      bounds: Self.settleBounds)
    kafka = KafkaMetrics(registry: r)
    buildInfo = r.gauge("meterd_build_info", "1, labelled with what this process was built from.")
    process = ProcessMetrics(registry: r)
    process.collectAtScrape(of: r)
  }

  /// The cells of one partition, to be kept by its worker.
  public func partition(_ partition: Int32) -> PartitionMetrics { PartitionMetrics(self, partition: partition) }

  /// The cells of one sink, to be kept by its delivery.
  public func sink(_ name: String) -> SinkMetrics { SinkMetrics(self, name: name) }

  /// Shows the state a partition is in: 1 for it, 0 for the others.
  public func setState(_ present: PartitionStatus.State, partition: Int32) {
    for state in PartitionStatus.State.allCases {
      partitionState[.init(partition: partition, state: state)].set(state == present ? 1 : 0)
    }
  }

  /// Forgets the gauges of a partition that was taken away; its counters stay.
  public func removeGauges(partition: Int32) {
    let labels = PartitionLabels(partition: partition)
    for family in [
      consumerLagRecords, dedupKeys, dedupWindowCoveredSeconds, dedupMemoryBytes, openRows, oldestOpenEventAgeSeconds,
    ] { family.remove(labels) }
    for state in PartitionStatus.State.allCases {
      partitionState.remove(.init(partition: partition, state: state))
    }
  }

  /// Sets every gauge that a status picture holds. Meant for a collector of the registry.
  public func update(from status: DaemonStatus) {
    let present = Set(status.partitions.map { String($0.partition) })
    for family in [consumerLagRecords, openRows] { family.removeAll { !present.contains($0[0]) } }
    partitionState.removeAll { !present.contains($0[0]) }
    for partition in status.partitions {
      let labels = PartitionLabels(partition: partition.partition)
      consumerLagRecords[labels].set(partition.lagRecords)
      openRows[labels].set(partition.openRows)
      setState(partition.state, partition: partition.partition)
    }
    for sink in status.sinks {
      let labels = SinkLabels(sink: sink.name)
      sinkRowsInFlight[labels].set(sink.rows.inFlight)
      sinkRowsParked[labels].set(sink.rows.parked)
      sinkRowsUncertain[labels].set(sink.rows.uncertain)
      sinkRowsDeferred[labels].set(sink.rows.deferred)
      sinkOldestUnsettledAgeSeconds[labels].set(sink.oldestUnsettledAgeSeconds)
    }
    conservationImbalance[.events].set(status.conservation.events)
    for (sink, quantity) in status.conservation.quantity {
      // A quantity that cannot be read must not look like 0.
      conservationImbalance[.quantity(sink: sink)].set(Double(quantity) ?? .nan)
    }
  }
}
