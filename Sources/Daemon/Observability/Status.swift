/// Whoever can say how the daemon is: the daemon itself, and the tests of the status page.
public protocol StatusSource: Sendable {
  /// A consistent enough picture of this moment. It is called by HTTP threads, must not block on Kafka, a provider or
  /// the disk, and takes at most some milliseconds.
  func status() -> DaemonStatus
}

/// The daemon at one moment: what `GET /v1/status` answers and the status page shows.
public struct DaemonStatus: Sendable, Codable, Hashable {
  /// meterd's version.
  public var version: String
  /// The name of this instance within its group.
  public var instance: String
  /// When the process started, RFC 3339 in UTC.
  public var startedAt: String
  /// Member of the group, recovery done, and not every assigned partition stopped.
  public var ready: Bool
  /// Why it is not ready, one sentence each; empty when ready.
  public var reasons: [String]
  public var kafka: KafkaStatus
  /// The partitions assigned to this instance, ascending.
  public var partitions: [PartitionStatus]
  /// The configured sinks, in the configuration's order.
  public var sinks: [SinkStatus]
  public var conservation: ConservationStatus

  public init(
    version: String, instance: String, startedAt: String, ready: Bool, reasons: [String], kafka: KafkaStatus,
    partitions: [PartitionStatus], sinks: [SinkStatus], conservation: ConservationStatus
  ) {
    self.version = version
    self.instance = instance
    self.startedAt = startedAt
    self.ready = ready
    self.reasons = reasons
    self.kafka = kafka
    self.partitions = partitions
    self.sinks = sinks
    self.conservation = conservation
  }

  private enum CodingKeys: String, CodingKey {
    case version, instance, ready, reasons, kafka, partitions, sinks, conservation
    case startedAt = "started_at"
  }
}

/// Where the events come from.
public struct KafkaStatus: Sendable, Codable, Hashable {
  /// The cluster's id; empty until it is known.
  public var clusterID: String
  public var topic: String
  public var group: String

  public init(clusterID: String, topic: String, group: String) {
    self.clusterID = clusterID
    self.topic = topic
    self.group = group
  }

  private enum CodingKeys: String, CodingKey {
    case topic, group
    case clusterID = "cluster_id"
  }
}

/// One assigned partition.
public struct PartitionStatus: Sendable, Codable, Hashable {
  public enum State: String, Sendable, Codable, CaseIterable {
    case recovering, rebuilding, counting
    case blockedByTransaction = "blocked_by_transaction"
    case draining, stopped
  }

  /// Why a partition stopped, and the command by which a person resolves it.
  public struct Stop: Sendable, Codable, Hashable {
    /// The stable code of the reason.
    public var reason: String
    /// The offset (of the usage partition, or of the ledger, as the reason says) at which it stopped.
    public var offset: Int64
    /// What was found, in words.
    public var detail: String
    /// A command line that can be copied, or what to do.
    public var remedy: String

    public init(reason: String, offset: Int64, detail: String, remedy: String) {
      self.reason = reason
      self.offset = offset
      self.detail = detail
      self.remedy = remedy
    }
  }

  public var partition: Int32
  public var state: State
  /// The next offset that will be counted.
  public var position: Int64
  /// The end of the last cut.
  public var head: Int64
  /// High watermark − position.
  public var lagRecords: Int64
  public var openRows: Int64
  /// Set where, and only where, the state is `stopped`.
  public var stop: Stop?
  /// How far a recovery or a rebuild is, for people: "read 12.0 of 40.1 million events of the window". Absent otherwise.
  public var progress: String?

  public init(
    partition: Int32, state: State, position: Int64 = 0, head: Int64 = 0, lagRecords: Int64 = 0, openRows: Int64 = 0,
    stop: Stop? = nil, progress: String? = nil
  ) {
    self.partition = partition
    self.state = state
    self.position = position
    self.head = head
    self.lagRecords = lagRecords
    self.openRows = openRows
    self.stop = stop
    self.progress = progress
  }

  private enum CodingKeys: String, CodingKey {
    case partition, state, position, head, stop, progress
    case lagRecords = "lag_records"
    case openRows = "open_rows"
  }
}

/// One sink, summed over this instance's partitions.
public struct SinkStatus: Sendable, Codable, Hashable {
  public enum Circuit: String, Sendable, Codable, CaseIterable { case closed, open, probing }

  /// Rows that are not settled, by where they are.
  public struct Rows: Sendable, Codable, Hashable {
    public var inFlight: Int64
    public var parked: Int64
    public var uncertain: Int64
    public var deferred: Int64

    public init(inFlight: Int64 = 0, parked: Int64 = 0, uncertain: Int64 = 0, deferred: Int64 = 0) {
      self.inFlight = inFlight
      self.parked = parked
      self.uncertain = uncertain
      self.deferred = deferred
    }

    private enum CodingKeys: String, CodingKey {
      case parked, uncertain, deferred
      case inFlight = "in_flight"
    }
  }

  public var name: String
  public var provider: String
  /// Whose money it is at the provider; empty until it is known.
  public var account: String
  public var circuit: Circuit
  public var rows: Rows
  /// Age of the oldest row that is not settled; 0 where there is none.
  public var oldestUnsettledAgeSeconds: Double
  /// When the next request goes out: 0 is now.
  public var nextSendInSeconds: Double

  public init(
    name: String, provider: String, account: String = "", circuit: Circuit = .closed, rows: Rows = Rows(),
    oldestUnsettledAgeSeconds: Double = 0, nextSendInSeconds: Double = 0
  ) {
    self.name = name
    self.provider = provider
    self.account = account
    self.circuit = circuit
    self.rows = rows
    self.oldestUnsettledAgeSeconds = oldestUnsettledAgeSeconds
    self.nextSendInSeconds = nextSendInSeconds
  }

  private enum CodingKeys: String, CodingKey {
    case name, provider, account, circuit, rows
    case oldestUnsettledAgeSeconds = "oldest_unsettled_age_seconds"
    case nextSendInSeconds = "next_send_in_seconds"
  }
}

/// The imbalance of the conservation equations on durable state: all zero, or something was lost or invented.
public struct ConservationStatus: Sendable, Codable, Hashable {
  /// consumed − (counted + duplicate + quarantined), records.
  public var events: Int64
  /// By sink: counted quantity − all the places where it can be, an exact decimal.
  public var quantity: [String: String]

  public init(events: Int64 = 0, quantity: [String: String] = [:]) {
    self.events = events
    self.quantity = quantity
  }

  /// Whether both equations hold, for every sink.
  public var holds: Bool { events == 0 && quantity.values.allSatisfy { $0 == "0" } }
}
