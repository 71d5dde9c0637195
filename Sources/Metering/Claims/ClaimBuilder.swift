/// Merges the rows of cuts into one claim for one sink: routed, mapped to the provider's names, and fitted to what its
/// contract takes. The same cuts, rules, carry and customer map give the same claim, byte for byte.
///
/// Lifecycle: one `init`, ``add(cut:payloads:features:map:)`` for each cut in order, one ``finish()``.
public struct ClaimBuilder {
  struct Customer: Hashable {
    var bytes: [UInt8]
    var isUnmapped: Bool
  }

  let rules: SinkRules
  let carry: [CarryKey: Quantity]
  private let featureNames: [[UInt8]: [UInt8]]
  private(set) var customers: [Customer] = []
  /// The index of each customer; empty as long as ``isPlain``.
  private var customerIndices: [Customer: Int32] = [:]
  private(set) var meters = Interned<[UInt8]>()
  private(set) var dimensions = Interned<[UInt8]>()
  /// The events' customer → its index in `customers`: the map is asked once for each.
  private var targets: [[UInt8]: Int32] = [:]
  /// Whether all customers so far came in ascending order and are their own targets, as they are in a cut whose
  /// customers are not mapped: then neither table of them is needed.
  private(set) var isPlain = true
  private(set) var merged = MergedRows()
  private var hasCut = false
  /// Which feature and dimensions of the cut a (meter, dimensions) stands for.
  private var sources: [UInt64: (feature: [UInt8], dimensions: [UInt8])] = [:]
  private(set) var skipped = Quantity.zero

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
    if hasCut { hashRows() }
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
            if !merged.isHashed, routed.meter >= 0 { noteSource(routed, names.feature, names.dimensions) }
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
          let key = MergedRows.Key(
            customer: customer, meter: meter, dimensions: dimension, slot: row.slotStartMilliseconds)
          if !merged.add(row, to: key) { overflow = (names.customer, names.feature) }
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
      hashRows()
      index = known
    } else {
      index = Int32(customers.count)
      customers.append(target)
      customerIndices[target] = index
    }
    targets[customer] = index
    return index
  }

  /// From here on rows may meet in one key.
  private mutating func hashRows() {
    merged.hash()
    sources = [:]
  }
}
