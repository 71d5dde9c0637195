/// Why a claim could not be built.
public enum ClaimError: Error, Hashable, Sendable {
  /// The head's configuration does not name the sink, or names it as retired.
  case noSuchSink(String)
  /// No cut is unclaimed, or none up to the wanted one.
  case nothingToClaim
  /// The rows of this cut are no longer in memory: read them again (``CutRecall``).
  case rowsMissing(cut: UInt64)
  /// The rows of a cut cannot be decoded. (The fold has decoded them before: this is memory gone wrong.)
  case damagedRows(cut: UInt64, LedgerCodecError)
  /// A sum does not fit in 128 bits.
  case overflow(customer: [UInt8], meter: [UInt8])
  /// More rows than a claim can number.
  case tooManyRows
}

/// What a claim says, before it is put into records.
public struct ClaimContent: Hashable, Sendable {
  /// Ordered by customer, meter, slot, dimensions.
  public var rows: [ClaimRow]
  /// Ordered by customer, meter.
  public var carries: [CarryChange]
  public var skipped: Quantity
}

/// Merges the rows of cuts into one claim for one sink: routed, mapped to the provider's names, and fitted to what its
/// contract takes. The same cuts, rules, carry and customer map give the same claim, byte for byte.
///
/// Lifecycle: one `init`, ``add(cut:payloads:features:map:)`` for each cut in order, one ``finish()``.
public struct ClaimBuilder {
  private struct Key: Equatable {
    var customer: Int32
    var meter: Int32
    var dimensions: Int32
    var slot: Int64
  }

  private struct Merged {
    var key: Key
    var quantity: Quantity
    var greatestTime: Int64
    var events: Int64
  }

  /// Where a merged row stands among all.
  private struct Order {
    /// The ranks of customer and meter.
    var names: UInt64
    var slot: Int64
    var dimensions: Int32
    var place: UInt32

    init(customer: Int32, meter: Int32, slot: Int64, dimensions: Int32, place: UInt32) {
      names = UInt64(UInt32(bitPattern: customer)) << 32 | UInt64(UInt32(bitPattern: meter))
      self.slot = slot
      self.dimensions = dimensions
      self.place = place
    }

    static func precedes(_ left: Order, _ right: Order) -> Bool {
      if left.names != right.names { return left.names < right.names }
      if left.slot != right.slot { return left.slot < right.slot }
      return left.dimensions < right.dimensions
    }
  }

  private struct Customer: Hashable {
    var bytes: [UInt8]
    var isUnmapped: Bool
  }

  private let rules: SinkRules
  private let carry: [CarryKey: Quantity]
  private let featureNames: [[UInt8]: [UInt8]]
  private var customers: [Customer] = []
  /// The index of each customer; empty as long as ``isPlain``.
  private var customerIndices: [Customer: Int32] = [:]
  private var meters = Interned<[UInt8]>()
  private var dimensions = Interned<[UInt8]>()
  /// The events' customer → its index in `customers`: the map is asked once for each.
  private var targets: [[UInt8]: Int32] = [:]
  /// Whether all customers so far came in ascending order and are their own targets, as they are in a cut whose
  /// customers are not mapped: then neither table of them is needed.
  private var isPlain = true
  private var merged: [Merged] = []
  /// Whether rows are looked up in `slots`. One cut's rows differ already, unless customers or features of it meet in one
  /// target or meter; rows are only looked up from the first such meeting, or the second cut, on.
  private var isHashed = false
  private var hasCut = false
  /// Which feature and dimensions of the cut a (meter, dimensions) stands for.
  private var sources: [UInt64: (feature: [UInt8], dimensions: [UInt8])] = [:]
  private var isTooLong = false
  /// An open-addressing table over `merged`, a power of two of slots: the place of a key plus 1; 0 is free.
  private var slots: [UInt32] = []
  private var skipped = Quantity.zero

  /// - Parameter carry: what is carried for the sink, by the provider's names.
  public init(rules: SinkRules, carry: [CarryKey: Quantity]) {
    self.rules = rules
    self.carry = carry
    // By bytes: a Swift String would take names for equal that only normalize alike.
    featureNames = Dictionary(
      rules.featureNames.map { (Array($0.key.utf8), Array($0.value.utf8)) },
      uniquingKeysWith: { first, _ in first })
  }

  /// Merges the rows of one cut.
  ///
  /// - Parameters:
  ///   - features: what the configuration of *this cut* says of features: it names the dimensions whose values the cut's
  ///     rows carry. The head's may name others.
  ///   - map: the provider's name of a customer, or nil where the customer map has none. Asked once for each customer of
  ///     the claim.
  public mutating func add(
    cut number: UInt64, payloads: [[UInt8]], features: [String: FeatureRule],
    map: ([UInt8]) -> [UInt8]?
  ) throws(ClaimError) {
    var overflow: (customer: [UInt8], feature: [UInt8])?
    var isNameless = false
    let dimensionNames = Self.dimensionNames(features)
    if hasCut, !isHashed { hashRows() }
    hasCut = true
    for payload in payloads {
      // What the ordinals of this payload stand for here; -1: not routed to this sink.
      var series: [(meter: Int32, dimensions: Int32)] = []
      var customerOrdinal = -1
      var customer: Int32 = 0
      do {
        try CutChunk.forEachRow(in: payload) { row, names in
          if names.seriesIndex == series.count {
            let dimensions = NamedDimensions.encode(names.dimensions, names: dimensionNames[names.feature] ?? [])
            if dimensions == nil { isNameless = true }
            let routed: (meter: Int32, dimensions: Int32) = dimensions.map { route(names.feature, $0) } ?? (-1, 0)
            series.append(routed)
            if !isHashed, routed.meter >= 0 { noteSource(routed, names.feature, names.dimensions) }
          }
          let (meter, dimension) = series[names.seriesIndex]
          if meter < 0 {
            guard let sum = skipped.adding(row.quantity) else {
              overflow = (names.customer, names.feature)
              return
            }
            skipped = sum
            return
          }
          if names.customerOrdinal != customerOrdinal {
            customerOrdinal = names.customerOrdinal
            customer = target(of: names.customer, map)
          }
          let key = Key(customer: customer, meter: meter, dimensions: dimension, slot: row.slotStartMilliseconds)
          if !merge(row, into: key) { overflow = (names.customer, names.feature) }
        }
      } catch {
        throw .damagedRows(cut: number, error)
      }
    }
    if isNameless {
      throw .damagedRows(
        cut: number, .malformed("a row's dimensions are not those of the cut's configuration"))
    }
    if let overflow { throw .overflow(customer: overflow.customer, meter: overflow.feature) }
  }

  /// Which dimensions a feature has, where it has any. By bytes, as ``featureNames``.
  private static func dimensionNames(_ features: [String: FeatureRule]) -> [[UInt8]: [String]] {
    var names: [[UInt8]: [String]] = [:]
    for (feature, rule) in features where !rule.dimensions.isEmpty {
      names[Array(feature.utf8)] = rule.dimensions
    }
    return names
  }

  private mutating func route(_ feature: [UInt8], _ dimension: [UInt8]) -> (
    meter: Int32, dimensions: Int32
  ) {
    guard let name = featureNames[feature] ?? (rules.takesOtherFeatures ? feature : nil) else {
      return (-1, 0)
    }
    return (meters.index(of: name), dimensions.index(of: dimension))
  }

  private mutating func noteSource(
    _ series: (meter: Int32, dimensions: Int32), _ feature: [UInt8], _ dimensions: [UInt8]
  ) {
    let key = UInt64(UInt32(bitPattern: series.meter)) << 32 | UInt64(UInt32(bitPattern: series.dimensions))
    guard let known = sources[key] else {
      sources[key] = (feature, dimensions)
      return
    }
    if known.feature != feature || known.dimensions != dimensions { hashRows() }
  }

  private mutating func target(of customer: [UInt8], _ map: ([UInt8]) -> [UInt8]?) -> Int32 {
    var asked: [UInt8]??
    if isPlain {
      let last = customers.last?.bytes
      if last == customer { return Int32(customers.count - 1) }
      if last.map({ Self.precedes($0, customer) }) ?? true {
        let mapped = map(customer)
        if mapped == customer {
          customers.append(Customer(bytes: customer, isUnmapped: false))
          return Int32(customers.count - 1)
        }
        asked = .some(mapped)
      }
      // From here on with tables of all that came before.
      isPlain = false
      for (index, known) in customers.enumerated() {
        targets[known.bytes] = Int32(index)
        customerIndices[known] = Int32(index)
      }
    }
    if let known = targets[customer] { return known }
    let mapped = asked ?? map(customer)
    let target = Customer(bytes: mapped ?? customer, isUnmapped: mapped == nil)
    let index: Int32
    if let known = customerIndices[target] {
      if !isHashed { hashRows() }
      index = known
    } else {
      index = Int32(customers.count)
      customers.append(target)
      customerIndices[target] = index
    }
    targets[customer] = index
    return index
  }

  private static func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.withUnsafeBufferPointer { left in
      right.withUnsafeBufferPointer { right in
        let count = min(left.count, right.count)
        var at = 0
        while at < count, left[at] == right[at] { at += 1 }
        return at < count ? left[at] < right[at] : left.count < right.count
      }
    }
  }

  private mutating func merge(_ row: CutNumbers, into key: Key) -> Bool {
    guard isHashed else { return append(row, key) }
    if merged.count * 2 >= slots.count { growSlots() }
    var slot = Self.slot(of: key, mask: slots.count - 1)
    while slots[slot] != 0 {
      let place = Int(slots[slot]) - 1
      if merged[place].key == key {
        guard let sum = merged[place].quantity.adding(row.quantity) else { return false }
        merged[place].quantity = sum
        merged[place].greatestTime = max(merged[place].greatestTime, row.greatestTimeMilliseconds)
        merged[place].events &+= row.events
        return true
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    _ = append(row, key)
    slots[slot] = UInt32(merged.count)
    return true
  }

  private mutating func append(_ row: CutNumbers, _ key: Key) -> Bool {
    guard merged.count < Int(UInt32.max) else {
      isTooLong = true
      return true
    }
    merged.append(
      Merged(key: key, quantity: row.quantity, greatestTime: row.greatestTimeMilliseconds, events: row.events))
    return true
  }

  private mutating func hashRows() {
    isHashed = true
    sources = [:]
    var count = 1 << 10
    while count < merged.count * 4 { count *= 2 }
    fillSlots(count)
  }

  /// The keys are our own small numbers and a time slot: nobody can choose them so that they meet.
  private static func slot(of key: Key, mask: Int) -> Int {
    var mixed = UInt64(UInt32(bitPattern: key.customer)) << 32 | UInt64(UInt32(bitPattern: key.meter))
    mixed ^= UInt64(bitPattern: key.slot) &* 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ (mixed >> 32)) &* 0xd6e8_feb8_6659_fd93
    mixed ^= UInt64(UInt32(bitPattern: key.dimensions)) &* 0xa076_1d64_78bd_642f
    mixed = (mixed ^ (mixed >> 29)) &* 0xd6e8_feb8_6659_fd93
    return Int(truncatingIfNeeded: mixed >> 32) & mask
  }

  private mutating func growSlots() { fillSlots(slots.count * 4) }

  private mutating func fillSlots(_ count: Int) {
    slots = [UInt32](repeating: 0, count: count)
    for place in merged.indices {
      var slot = Self.slot(of: merged[place].key, mask: slots.count - 1)
      while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = UInt32(place + 1)
    }
  }

  /// The claim of all that was added.
  public consuming func finish() throws(ClaimError) -> ClaimContent {
    guard !isTooLong else { throw .tooManyRows }
    let customerRank =
      isPlain
      ? (0..<Int32(customers.count)).map { $0 }
      : ranks(of: customers) { left, right in
        left.bytes == right.bytes ? !left.isUnmapped && right.isUnmapped : Self.precedes(left.bytes, right.bytes)
      }
    let meterRank = ranks(of: meters.values, by: Self.precedes)
    let dimensionRank = ranks(of: dimensions.values, by: Self.precedes)
    var order: [Order] = []
    order.reserveCapacity(merged.count)
    for (place, row) in merged.enumerated() {
      order.append(
        Order(
          customer: customerRank[Int(row.key.customer)], meter: meterRank[Int(row.key.meter)], slot: row.key.slot,
          dimensions: dimensionRank[Int(row.key.dimensions)], place: UInt32(place)))
    }
    // One cut's rows are mostly in order already.
    if zip(order, order.dropFirst()).contains(where: { Order.precedes($1, $0) }) { order.sort(by: Order.precedes) }
    var content = ClaimContent(rows: [], carries: [], skipped: skipped)
    content.rows.reserveCapacity(order.count)
    var start = 0
    while start < order.count {
      var end = start + 1
      while end < order.count, order[end].names == order[start].names { end += 1 }
      try fit(order[start..<end], into: &content)
      start = end
    }
    return content
  }

  /// The carry rule, for the rows of one (customer, meter) in slot order: each sends the part of (carry + row) that the
  /// contract takes, and passes the rest on. An unmapped customer's rows stay as they are.
  private func fit(_ group: ArraySlice<Order>, into content: inout ClaimContent) throws(ClaimError) {
    guard let first = group.first.map({ merged[Int($0.place)] }) else { return }
    let customer = customers[Int(first.key.customer)]
    let meter = meters.values[Int(first.key.meter)]
    let carriedIn =
      customer.isUnmapped ? .zero : carry[CarryKey(customer: customer.bytes, meter: meter)] ?? .zero
    var carried = carriedIn
    for place in group {
      let row = merged[Int(place.place)]
      var value = row.quantity
      if !customer.isUnmapped {
        guard let total = carried.adding(row.quantity) else {
          throw .overflow(customer: customer.bytes, meter: meter)
        }
        value = rules.rowRules.part(of: total)
        carried = Quantity(units: total.units - value.units)
      }
      content.rows.append(
        ClaimRow(
          customer: customer.bytes, meter: meter,
          dimensions: dimensions.values[Int(row.key.dimensions)], value: value,
          timestampMilliseconds: row.greatestTime, events: row.events,
          isUnmapped: customer.isUnmapped))
    }
    if carriedIn != .zero || carried != .zero {
      content.carries.append(
        CarryChange(
          customer: customer.bytes, meter: meter, carriedIn: carriedIn, carriedOut: carried))
    }
  }
}

/// Values as small numbers, in the order of their first appearance.
private struct Interned<Value: Hashable> {
  private(set) var values: [Value] = []
  private var indices: [Value: Int32] = [:]

  mutating func index(of value: Value) -> Int32 {
    if let known = indices[value] { return known }
    let index = Int32(values.count)
    indices[value] = index
    values.append(value)
    return index
  }
}

/// The place of each value in sorted order, by its number.
private func ranks<Value>(of values: [Value], by precedes: (Value, Value) -> Bool) -> [Int32] {
  var ranks = [Int32](repeating: 0, count: values.count)
  for (rank, index) in values.indices.sorted(by: { precedes(values[$0], values[$1]) }).enumerated() {
    ranks[index] = Int32(rank)
  }
  return ranks
}
