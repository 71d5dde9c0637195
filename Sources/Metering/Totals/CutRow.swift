/// One row of a cut: what one customer used of one feature, with one set of dimensions, in one time slot, within the
/// cut's offset range.
public struct CutRow: Hashable, Sendable {
  /// The customer's bytes, as the events state them (UTF-8, 1–256 bytes).
  public var customer: [UInt8]
  /// The feature's bytes (UTF-8, 1–256 bytes).
  public var feature: [UInt8]
  /// The used dimensions in canonical encoding; empty for a feature without dimensions.
  public var dimensions: [UInt8]
  /// The start of the time slot, Unix milliseconds: event time cut to `flush.time_slot`.
  public var slotStartMilliseconds: Int64
  /// The greatest event time in the row, Unix milliseconds: the timestamp under which it is billed.
  public var greatestTimeMilliseconds: Int64
  /// The exact sum; reverts are subtracted.
  public var quantity: Quantity
  /// How many events were counted into the row, reverts among them.
  public var events: Int64

  /// A row of these values.
  public init(
    customer: [UInt8], feature: [UInt8], dimensions: [UInt8], slotStartMilliseconds: Int64,
    greatestTimeMilliseconds: Int64, quantity: Quantity, events: Int64
  ) {
    self.customer = customer
    self.feature = feature
    self.dimensions = dimensions
    self.slotStartMilliseconds = slotStartMilliseconds
    self.greatestTimeMilliseconds = greatestTimeMilliseconds
    self.quantity = quantity
    self.events = events
  }

  /// The canonical order of a cut's rows: customer, feature and dimension bytes (unsigned, shorter first where one is
  /// the other's beginning), then slot start. No two rows of one cut are equal in it.
  public static func precedes(_ left: CutRow, _ right: CutRow) -> Bool {
    if left.customer != right.customer { return left.customer.lexicographicallyPrecedes(right.customer) }
    if left.feature != right.feature { return left.feature.lexicographicallyPrecedes(right.feature) }
    if left.dimensions != right.dimensions { return left.dimensions.lexicographicallyPrecedes(right.dimensions) }
    return left.slotStartMilliseconds < right.slotStartMilliseconds
  }
}

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

/// The totals of the offset range [from, to), frozen for a cut before any mapping to a provider's names.
public struct FrozenRange: Hashable, Sendable {
  /// The range's first offset.
  public var from: Int64
  /// The offset after the range's last: the head that a cut of this range sets.
  public var to: Int64
  /// The rows in canonical order (``CutRow/precedes(_:_:)``).
  public var rows: [CutRow]
  /// What happened to the range's records.
  public var counters: RangeCounters
  /// The log's clock after the range's last record, Unix milliseconds.
  public var clockAtEnd: Int64

  /// A frozen range of these values.
  public init(from: Int64, to: Int64, rows: [CutRow], counters: RangeCounters, clockAtEnd: Int64) {
    self.from = from
    self.to = to
    self.rows = rows
    self.counters = counters
    self.clockAtEnd = clockAtEnd
  }
}
