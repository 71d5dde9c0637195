/// What a sink's contract says of the values and times of its rows: the part that claims need.
public struct RowRules: Hashable, Sendable {
  /// The smallest step of a value, in units of 10⁻⁹: 10⁹ for whole numbers, 1 for all nine decimals.
  /// At least 1.
  public var stepUnits: Int128
  /// The greatest magnitude of one value, in units; at least 1; nil for no limit. A larger part is
  /// carried.
  public var greatestUnits: Int128?
  public var allowsNegative: Bool

  public init(stepUnits: Int128, greatestUnits: Int128?, allowsNegative: Bool) {
    self.stepUnits = stepUnits
    self.greatestUnits = greatestUnits
    self.allowsNegative = allowsNegative
  }
}

/// Where a new sink starts.
public enum SinkStart: Hashable, Sendable {
  case present
  case earliest
  /// The first cut whose clock at the end is at or after this, Unix milliseconds.
  case instant(Int64)
}

/// The part of a sink's configuration that decides what is billed. It belongs to the log.
public struct SinkRules: Hashable, Sendable {
  public var name: String
  public var provider: String
  public var account: String
  /// Our feature → the provider's name of it.
  public var featureNames: [String: String]
  /// Whether features not listed are routed here under their own name.
  public var takesOtherFeatures: Bool
  public var contractVersion: UInt32
  public var rowRules: RowRules
  public var start: SinkStart
  public var isRetired: Bool

  public init(
    name: String, provider: String, account: String = "", featureNames: [String: String] = [:],
    takesOtherFeatures: Bool = true, contractVersion: UInt32 = 1, rowRules: RowRules,
    start: SinkStart = .present, isRetired: Bool = false
  ) {
    self.name = name
    self.provider = provider
    self.account = account
    self.featureNames = featureNames
    self.takesOtherFeatures = takesOtherFeatures
    self.contractVersion = contractVersion
    self.rowRules = rowRules
    self.start = start
    self.isRetired = isRetired
  }
}

/// All of the configuration that money depends on: GENESIS holds the founder's, and a CONFIG record each later one.
public struct BillingRules: Hashable, Sendable {
  /// `version`, raised by a person with each change of what is counted or billed.
  public var version: Int64
  public var counting: CountingRules
  public var sinks: [SinkRules]

  public init(version: Int64, counting: CountingRules, sinks: [SinkRules]) {
    self.version = version
    self.counting = counting
    self.sinks = sinks
  }
}
