/// One row of a claim, frozen. Its index in the claim is part of its idempotency key.
public struct ClaimRow: Hashable, Sendable {
  /// The customer as the provider knows it; the event's own where it could not be mapped.
  public var customer: [UInt8]
  /// The provider's name of the feature.
  public var meter: [UInt8]
  /// Names and values (``NamedDimensions``), empty for none.
  public var dimensions: [UInt8]
  public var value: Quantity
  /// The greatest event time in it, Unix milliseconds.
  public var timestampMilliseconds: Int64
  public var events: Int64
  /// Parked from birth: the customer map has no entry.
  public var isUnmapped: Bool

  public init(
    customer: [UInt8], meter: [UInt8], dimensions: [UInt8], value: Quantity, timestampMilliseconds: Int64,
    events: Int64, isUnmapped: Bool
  ) {
    self.customer = customer
    self.meter = meter
    self.dimensions = dimensions
    self.value = value
    self.timestampMilliseconds = timestampMilliseconds
    self.events = events
    self.isUnmapped = isUnmapped
  }
}

/// A change of what is carried for (sink, customer, meter).
public struct CarryChange: Hashable, Sendable {
  public var customer: [UInt8]
  public var meter: [UInt8]
  public var carriedIn: Quantity
  public var carriedOut: Quantity

  public init(customer: [UInt8], meter: [UInt8], carriedIn: Quantity, carriedOut: Quantity) {
    self.customer = customer
    self.meter = meter
    self.carriedIn = carriedIn
    self.carriedOut = carriedOut
  }
}

/// A row's name within a partition and sink.
public struct RowReference: Hashable, Comparable, Sendable {
  public var claim: UInt64
  public var row: UInt32

  public init(claim: UInt64, row: UInt32) {
    self.claim = claim
    self.row = row
  }
  public static func < (left: Self, right: Self) -> Bool { (left.claim, left.row) < (right.claim, right.row) }
}
