/// What happened to the records of one offset range. Each record is in exactly one of counted, duplicate and
/// quarantined: ``isBalanced``.
public struct RangeCounters: Hashable, Sendable {
  /// Records judged.
  public var consumed: Int64 = 0
  /// Events that changed a total (or added zero to it).
  public var counted: Int64 = 0
  /// Events whose (source, key) had been seen within the window.
  public var duplicate: Int64 = 0
  /// Quarantined events, by `QuarantineReason.rawValue`.
  public var quarantined = [Int64](repeating: 0, count: QuarantineReason.allCases.count)
  /// Offsets without a record that a second reader found empty too (transaction markers, aborted records).
  public var holesVerified: Int64 = 0
  /// Offsets without a record that no second reader could look at in time.
  public var holesUnverified: Int64 = 0
  /// Records whose key is not their customer, with `events.key_check: warn`. They are counted all the same.
  public var keyMismatches: Int64 = 0

  /// All zero.
  public init() {}

  /// All quarantined events, whatever the reason.
  public var quarantinedTotal: Int64 { quarantined.reduce(0, +) }
  /// The conservation equation: consumed = counted + duplicate + quarantined.
  public var isBalanced: Bool { consumed == counted + duplicate + quarantinedTotal }

  /// Adds another range's counters to these.
  public mutating func add(_ other: RangeCounters) {
    consumed += other.consumed
    counted += other.counted
    duplicate += other.duplicate
    for reason in quarantined.indices { quarantined[reason] += other.quarantined[reason] }
    holesVerified += other.holesVerified
    holesUnverified += other.holesUnverified
    keyMismatches += other.keyMismatches
  }
}
