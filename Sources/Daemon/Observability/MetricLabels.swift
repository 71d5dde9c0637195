/// The labels of one family, as a type: their names, and the values of one series.
///
/// Every set here is bounded by the configuration or by an enum; nothing that a customer chooses is ever a label.
public protocol MetricLabels: Sendable {
  /// The names, in the order in which they are printed.
  static var names: [String] { get }
  /// The values of one series, in the order of ``names``.
  var values: [String] { get }
}

/// No labels: the family has one series.
public struct NoLabels: MetricLabels {
  public static let names: [String] = []
  public var values: [String] { [] }
  public init() {}
}

/// A partition of the usage topic.
public struct PartitionLabels: MetricLabels {
  public static let names = ["partition"]
  public var partition: Int32
  public var values: [String] { [String(partition)] }
  public init(partition: Int32) { self.partition = partition }
}

/// A partition and the quarantine's reason code.
public struct PartitionReasonLabels: MetricLabels {
  public static let names = ["partition", "reason"]
  public var partition: Int32
  public var reason: String
  public var values: [String] { [String(partition), reason] }
  public init(partition: Int32, reason: String) {
    self.partition = partition
    self.reason = reason
  }
}

/// A partition and one of its states.
public struct PartitionStateLabels: MetricLabels {
  public static let names = ["partition", "state"]
  public var partition: Int32
  public var state: PartitionStatus.State
  public var values: [String] { [String(partition), state.rawValue] }
  public init(partition: Int32, state: PartitionStatus.State) {
    self.partition = partition
    self.state = state
  }
}

/// A partition and what became of a gap in its offsets.
public struct PartitionHoleLabels: MetricLabels {
  /// Whether the second look found the gap empty, or could not be taken.
  public enum Kind: String, Sendable, CaseIterable { case verified, unverified }
  public static let names = ["partition", "kind"]
  public var partition: Int32
  public var kind: Kind
  public var values: [String] { [String(partition), kind.rawValue] }
  public init(partition: Int32, kind: Kind) {
    self.partition = partition
    self.kind = kind
  }
}

/// A partition and a sink.
public struct PartitionSinkLabels: MetricLabels {
  public static let names = ["partition", "sink"]
  public var partition: Int32
  public var sink: String
  public var values: [String] { [String(partition), sink] }
  public init(partition: Int32, sink: String) {
    self.partition = partition
    self.sink = sink
  }
}

/// A sink, by its configured name.
public struct SinkLabels: MetricLabels {
  public static let names = ["sink"]
  public var sink: String
  public var values: [String] { [sink] }
  public init(sink: String) { self.sink = sink }
}

/// A sink and what became of a row.
public struct SinkOutcomeLabels: MetricLabels {
  public enum Outcome: String, Sendable, CaseIterable {
    case delivered
    case alreadyDelivered = "already_delivered"
    case rejected
    case uncertain
  }
  public static let names = ["sink", "outcome"]
  public var sink: String
  public var outcome: Outcome
  public var values: [String] { [sink, outcome.rawValue] }
  public init(sink: String, outcome: Outcome) {
    self.sink = sink
    self.outcome = outcome
  }
}

/// A sink and how a request ended.
public struct SinkStatusLabels: MetricLabels {
  /// A class of replies, or the way in which there was none.
  public enum Status: Sendable, Hashable {
    case success, redirect, clientError, tooManyRequests, serverError
    case timeout, reset, refused, unresolved, tls, garbage, other

    /// The class of an HTTP status code.
    public init(httpStatus code: Int) {
      switch code {
      case 200..<300: self = .success
      case 300..<400: self = .redirect
      case 429: self = .tooManyRequests
      case 400..<500: self = .clientError
      case 500..<600: self = .serverError
      default: self = .other
      }
    }

    /// The label's value.
    public var text: String {
      switch self {
      case .success: "2xx"
      case .redirect: "3xx"
      case .clientError: "4xx"
      case .tooManyRequests: "429"
      case .serverError: "5xx"
      case .timeout: "timeout"
      case .reset: "reset"
      case .refused: "refused"
      case .unresolved: "unresolved"
      case .tls: "tls"
      case .garbage: "garbage"
      case .other: "other"
      }
    }
  }
  public static let names = ["sink", "status"]
  public var sink: String
  public var status: Status
  public var values: [String] { [sink, status.text] }
  public init(sink: String, status: Status) {
    self.sink = sink
    self.status = status
  }
}

/// One of the two conservation equations; the one of quantities is per sink.
public struct EquationLabels: MetricLabels {
  public static let names = ["equation", "sink"]
  private let equation: String
  private let sink: String
  public var values: [String] { [equation, sink] }

  /// consumed = counted + duplicate + quarantined.
  public static let events = EquationLabels(equation: "events", sink: "")
  /// counted quantity = all the places where a sink's quantity can be.
  public static func quantity(sink: String) -> EquationLabels { EquationLabels(equation: "quantity", sink: sink) }

  private init(equation: String, sink: String) {
    self.equation = equation
    self.sink = sink
  }
}

/// A Kafka client handle of this process.
public struct ClientLabels: MetricLabels {
  public static let names = ["client"]
  public var client: String
  public var values: [String] { [client] }
  public init(client: String) { self.client = client }
}

/// A Kafka client handle and one broker.
public struct BrokerLabels: MetricLabels {
  public static let names = ["client", "broker"]
  public var client: String
  public var broker: String
  public var values: [String] { [client, broker] }
  public init(client: String, broker: String) {
    self.client = client
    self.broker = broker
  }
}

/// What this process was built from.
public struct BuildLabels: MetricLabels {
  public static let names = ["version", "librdkafka", "lmdb"]
  public var version: String
  public var librdkafka: String
  public var lmdb: String
  public var values: [String] { [version, librdkafka, lmdb] }
  public init(version: String, librdkafka: String, lmdb: String) {
    self.version = version
    self.librdkafka = librdkafka
    self.lmdb = lmdb
  }
}
