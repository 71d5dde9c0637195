public import Metering

/// One partition's cells, obtained once and kept by its worker: counting is then an atomic addition, without a look-up.
public struct PartitionMetrics: Sendable {
  public let consumed: Counter
  public let counted: Counter
  public let duplicate: Counter
  public let holesVerified: Counter
  public let holesUnverified: Counter
  public let keyMismatch: Counter
  public let lagRecords: Gauge
  public let dedupKeys: Gauge
  public let dedupWindowCoveredSeconds: Gauge
  public let dedupMemoryBytes: Gauge
  public let openRows: Gauge
  public let oldestOpenEventAgeSeconds: Gauge
  public let cuts: Counter
  public let ownershipChanges: Counter
  private let metrics: MeterdMetrics
  private let partition: Int32

  init(_ metrics: MeterdMetrics, partition: Int32) {
    let labels = PartitionLabels(partition: partition)
    self.metrics = metrics
    self.partition = partition
    consumed = metrics.eventsConsumed[labels]
    counted = metrics.eventsCounted[labels]
    duplicate = metrics.eventsDuplicate[labels]
    holesVerified = metrics.offsetHoles[.init(partition: partition, kind: .verified)]
    holesUnverified = metrics.offsetHoles[.init(partition: partition, kind: .unverified)]
    keyMismatch = metrics.recordKeyMismatch[labels]
    lagRecords = metrics.consumerLagRecords[labels]
    dedupKeys = metrics.dedupKeys[labels]
    dedupWindowCoveredSeconds = metrics.dedupWindowCoveredSeconds[labels]
    dedupMemoryBytes = metrics.dedupMemoryBytes[labels]
    openRows = metrics.openRows[labels]
    oldestOpenEventAgeSeconds = metrics.oldestOpenEventAgeSeconds[labels]
    cuts = metrics.cuts[labels]
    ownershipChanges = metrics.ownershipChanges[labels]
  }

  /// The cell of one reason; a look-up, for the rare bad event or once a batch.
  public func quarantined(_ reason: QuarantineReason) -> Counter {
    metrics.eventsQuarantined[.init(partition: partition, reason: "\(reason.code)")]
  }

  /// The claims that this partition made for one sink.
  public func claims(sink: String) -> Counter { metrics.claims[.init(partition: partition, sink: sink)] }

  /// Shows the state that the partition is in.
  public func setState(_ state: PartitionStatus.State) { metrics.setState(state, partition: partition) }
}

/// One sink's cells, obtained once and kept by its delivery.
public struct SinkMetrics: Sendable {
  public let rowsDelivered: Counter
  public let rowsAlreadyDelivered: Counter
  public let rowsRejected: Counter
  public let rowsUncertainTotal: Counter
  public let requestDurationSeconds: Histogram
  public let rowsInFlight: Gauge
  public let rowsParked: Gauge
  public let rowsUncertain: Gauge
  public let rowsDeferred: Gauge
  public let carried: Gauge
  public let oldestUnsettledAgeSeconds: Gauge
  /// Counts nanoseconds: add a `Duration`.
  public let rateLimitWaitSeconds: Counter
  public let ingestToSettledSeconds: Histogram
  private let metrics: MeterdMetrics
  private let name: String

  init(_ metrics: MeterdMetrics, name: String) {
    let labels = SinkLabels(sink: name)
    self.metrics = metrics
    self.name = name
    rowsDelivered = metrics.sinkRows[.init(sink: name, outcome: .delivered)]
    rowsAlreadyDelivered = metrics.sinkRows[.init(sink: name, outcome: .alreadyDelivered)]
    rowsRejected = metrics.sinkRows[.init(sink: name, outcome: .rejected)]
    rowsUncertainTotal = metrics.sinkRows[.init(sink: name, outcome: .uncertain)]
    requestDurationSeconds = metrics.sinkRequestDurationSeconds[labels]
    rowsInFlight = metrics.sinkRowsInFlight[labels]
    rowsParked = metrics.sinkRowsParked[labels]
    rowsUncertain = metrics.sinkRowsUncertain[labels]
    rowsDeferred = metrics.sinkRowsDeferred[labels]
    carried = metrics.sinkCarried[labels]
    oldestUnsettledAgeSeconds = metrics.sinkOldestUnsettledAgeSeconds[labels]
    rateLimitWaitSeconds = metrics.sinkRateLimitWaitSeconds[labels]
    ingestToSettledSeconds = metrics.ingestToSettledSeconds[labels]
  }

  /// The requests that ended so; a look-up, once a request.
  public func requests(_ status: SinkStatusLabels.Status) -> Counter {
    metrics.sinkRequests[.init(sink: name, status: status)]
  }
}
