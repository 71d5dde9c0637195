/// How the values of one feature become a total.
public enum Aggregate: UInt8, Sendable {
  /// Adds the quantity.
  case sum
  /// Adds 1 whatever the quantity, −1 for a revert.
  case count
}

/// What the configuration says of one feature.
public struct FeatureRule: Hashable, Sendable {
  /// Sum or count.
  public var aggregate: Aggregate
  /// The dimensions that split its totals, in the configuration's order; others are ignored.
  public var dimensions: [String]
  /// Whether a negative quantity is counted rather than quarantined.
  public var allowNegative: Bool

  /// A rule; by default a sum without dimensions.
  public init(aggregate: Aggregate = .sum, dimensions: [String] = [], allowNegative: Bool = false) {
    self.aggregate = aggregate
    self.dimensions = dimensions
    self.allowNegative = allowNegative
  }
}

/// Replacements of the names under which an event's concepts are looked for (`events.fields`); `nil`: the alias table.
///
/// Each list is in order of preference; a name may be a path such as `data.usage.tokens`.
public struct FieldNames: Hashable, Sendable {
  public var key: [String]?
  public var source: [String]?
  public var customer: [String]?
  public var feature: [String]?
  public var quantity: [String]?
  public var time: [String]?
  public var dimensions: [String]?

  /// No replacement at all.
  public init() {}
}

/// The part of the configuration by which one record is judged. It belongs to the log: its digest stands in each cut.
/// All durations are milliseconds.
public struct CountingRules: Hashable, Sendable {
  public enum MissingKey: UInt8, Sendable { case quarantine, offset }
  public enum UnknownFeature: UInt8, Sendable { case count, quarantine }
  public enum KeyCheck: UInt8, Sendable { case off, warn, strict }

  /// `events.max_age`, against the log's clock.
  public var maxAgeMilliseconds: Int64 = 35 * 86_400_000
  /// `events.max_ahead`, against the log's clock.
  public var maxAheadMilliseconds: Int64 = 3_600_000
  public var missingKey = MissingKey.quarantine
  public var unknownFeature = UnknownFeature.count
  public var keyCheck = KeyCheck.warn
  public var fields = FieldNames()
  /// `dedup.window`.
  public var windowMilliseconds: Int64 = 86_400_000
  /// `flush.time_slot`.
  public var timeSlotMilliseconds: Int64 = 3_600_000
  /// Features by name; a feature not listed has the default ``FeatureRule``.
  public var features: [String: FeatureRule] = [:]

  /// The defaults of the configuration reference.
  public init() {}

  /// The length of a dedup bucket, τ, in milliseconds: 8τ = window + 2 h.
  public var bucketMilliseconds: Int64 { (windowMilliseconds + 2 * 3_600_000 + 7) / 8 }
}
