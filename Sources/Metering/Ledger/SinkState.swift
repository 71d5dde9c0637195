/// The terms of the conservation equation that a sink's claims have brought about, and counts of rows. Sums wrap:
/// a quantity's limit makes 128 bits enough, and an equation holds modulo 2¹²⁸ as well.
public struct SinkTotals: Hashable, Sendable {
  public var settled = Quantity.zero
  public var inFlight = Quantity.zero
  public var uncertain = Quantity.zero
  public var parked = Quantity.zero
  public var dropped = Quantity.zero
  /// Not routed to this sink.
  public var skipped = Quantity.zero
  public var carried = Quantity.zero
  public var inFlightRows: Int64 = 0
  public var uncertainRows: Int64 = 0
  public var parkedRows: Int64 = 0
  /// By `RowState.Settlement.rawValue`.
  public var settledRows = [Int64](repeating: 0, count: RowState.Settlement.allCases.count)

  /// Where the value of a row stands.
  enum Bucket { case inFlight, uncertain, parked, settled, dropped }

  mutating func add(_ value: Quantity, rows: Int64, to bucket: Bucket) {
    switch bucket {
    case .inFlight:
      inFlight.units &+= value.units
      inFlightRows &+= rows
    case .uncertain:
      uncertain.units &+= value.units
      uncertainRows &+= rows
    case .parked:
      parked.units &+= value.units
      parkedRows &+= rows
    case .settled: settled.units &+= value.units
    case .dropped: dropped.units &+= value.units
    }
  }

  mutating func move(_ moved: (units: Int128, rows: Int64), from: RowState, to: RowState) {
    if moved.rows == 0 { return }
    add(Quantity(units: 0 &- moved.units), rows: -moved.rows, to: from.bucket)
    add(Quantity(units: moved.units), rows: moved.rows, to: to.bucket)
    if case .settled(let settlement) = to { settledRows[Int(settlement.rawValue)] &+= moved.rows }
  }
}

/// Whose carried quantity it is.
public struct CarryKey: Hashable, Sendable {
  /// The customer as the provider knows it.
  public var customer: [UInt8]
  /// The provider's name of the feature.
  public var meter: [UInt8]

  public init(customer: [UInt8], meter: [UInt8]) {
    self.customer = customer
    self.meter = meter
  }

  static func precedes(_ left: CarryKey, _ right: CarryKey) -> Bool {
    if left.customer != right.customer { return left.customer.lexicographicallyPrecedes(right.customer) }
    return left.meter.lexicographicallyPrecedes(right.meter)
  }
}

/// One sink's progress in this partition.
public struct SinkState: Hashable, Sendable {
  public let name: String
  /// The first cut that it counts from.
  public let firstCut: UInt64
  /// The sum of all cuts before `firstCut` (wrapping).
  let quantityBeforeFirst: Quantity
  /// The first cut that no claim of it holds.
  public internal(set) var nextCut: UInt64
  /// The sum of all cuts before `nextCut` (wrapping).
  var quantityBeforeNext: Quantity
  /// The number of its next claim.
  public internal(set) var nextClaim: UInt64 = 0
  /// Whether the head's configuration names it, and not as retired.
  public internal(set) var isActive = true
  /// What waits for a row; never zero.
  public internal(set) var carry: [CarryKey: Quantity] = [:]
  /// What retried rows could not send: it joins `carry` when the next claim stands; never zero.
  public internal(set) var returned: [CarryKey: Quantity] = [:]
  /// Claims with rows that are not settled, ascending by number.
  public internal(set) var claims: [OpenClaim] = []
  public internal(set) var totals = SinkTotals()

  init(name: String, firstCut: UInt64, quantityBefore: Quantity) {
    self.name = name
    self.firstCut = firstCut
    nextCut = firstCut
    quantityBeforeFirst = quantityBefore
    quantityBeforeNext = quantityBefore
  }

  /// The claim of that number, if it has rows that are not settled.
  public func claim(_ number: UInt64) -> OpenClaim? { claimPosition(number).map { claims[$0] } }

  /// The row, unless it is settled or was never claimed.
  public func row(_ reference: RowReference) -> OpenRow? {
    claimPosition(reference.claim).flatMap { claims[$0].row(at: reference.row) }
  }

  /// Rows that are not settled.
  public var openRows: Int { claims.reduce(0) { $0 + $1.openCount } }

  func claimPosition(_ number: UInt64) -> Int? {
    var low = 0
    var high = claims.count
    while low < high {
      let middle = (low + high) / 2
      if claims[middle].number == number { return middle }
      if claims[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return nil
  }
}
