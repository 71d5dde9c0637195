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
