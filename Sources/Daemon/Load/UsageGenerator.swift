/// What a load run publishes. Everything that decides the events' bytes is here: two generators of equal plans write
/// equal bytes.
public struct LoadPlan: Hashable, Sendable {
  /// How many records are published, repeats among them; at least 1.
  public var events: Int64
  /// How many of 10,000 records repeat an earlier one, byte for byte; 0 … 5,000.
  public var duplicatesPer10000: Int
  /// How many customers there are; 1 … 10,000,000. Few of them use much: each power of two of ranks has the same share.
  public var customers: Int
  /// How many features there are; 1 … 1,000.
  public var features: Int
  /// Decides every random choice.
  public var seed: UInt64
  /// The event time of the first event, Unix milliseconds.
  public var startMilliseconds: Int64
  /// Event time between two events, nanoseconds.
  public var spacingNanoseconds: Int64

  /// A plan; nothing is checked here (``UsageGenerator/init(plan:)`` does).
  public init(
    events: Int64, duplicatesPer10000: Int = 200, customers: Int = 10_000, features: Int = 10, seed: UInt64 = 1,
    startMilliseconds: Int64, spacingNanoseconds: Int64 = 1_000
  ) {
    self.events = events
    self.duplicatesPer10000 = duplicatesPer10000
    self.customers = customers
    self.features = features
    self.seed = seed
    self.startMilliseconds = startMilliseconds
    self.spacingNanoseconds = spacingNanoseconds
  }
}

/// Writes the events of a ``LoadPlan``, one after another, and keeps the totals that an exact count must arrive at.
///
/// Each event is a pure function of the plan and its number, so that a repeat needs no memory of what was written: a
/// repeat is the event of an earlier number once more. Quantities are whole (1 … 1,000), so that every provider takes
/// them. No allocation per event; the quantity totals take 16 bytes for each customer and feature.
public struct UsageGenerator: ~Copyable {
  /// A repeat lies at most so many records after its original.
  public static let repeatDistance: UInt64 = 65_536
  /// No event's value is longer than this, in bytes.
  public static let longestValue = 320
  /// No event's key is longer than this, in bytes.
  public static let longestKey = 16

  /// The plan that is written.
  public let plan: LoadPlan
  /// The number of the next event, from 0.
  public private(set) var next: Int64 = 0
  /// How many of those written are repeats.
  public private(set) var duplicates: Int64 = 0

  private let featureNames: [[UInt8]]
  private let spread: UInt64
  private let customerBits: UInt64
  private var totals: [Int128]

  /// What is wrong with a plan: the option, what it is, what is allowed.
  public struct InvalidPlan: Error, CustomStringConvertible {
    public let description: String
  }

  /// A generator at the first event of a plan.
  public init(plan: LoadPlan) throws(InvalidPlan) {
    func require(_ holds: Bool, _ what: String) throws(InvalidPlan) {
      if !holds { throw InvalidPlan(description: what) }
    }
    try require(plan.events >= 1, "--events is \(plan.events); at least 1 is needed")
    try require(
      (0...5_000).contains(plan.duplicatesPer10000), "--duplicates is out of range; 0% … 50% is allowed")
    try require((1...10_000_000).contains(plan.customers), "--customers is \(plan.customers); 1 … 10000000 is allowed")
    try require((1...1_000).contains(plan.features), "--features is \(plan.features); 1 … 1000 is allowed")
    try require(
      plan.customers * plan.features <= 100_000_000,
      "--customers × --features is \(plan.customers * plan.features); at most 100000000 totals are kept")
    self.plan = plan
    featureNames = (0..<plan.features).map { Self.featureName($0) }
    spread = mixed(plan.seed ^ 0x6d65_7465_7264_0001)
    // 2^bits > customers: the last power of two is not full, so a rank beyond the end is folded back.
    customerBits = UInt64(Int.bitWidth - plan.customers.leadingZeroBitCount)
    totals = [Int128](repeating: 0, count: plan.customers * plan.features)
  }

  /// The bytes of one event, in the caller's buffers.
  public struct Written {
    /// Bytes of the key (the customer's id).
    public var key: Int
    /// Bytes of the value.
    public var value: Int
    /// Whether it repeats an earlier event.
    public var isRepeat: Bool
  }

  /// Writes the next event; nil at the end of the plan.
  ///
  /// - Parameters:
  ///   - key: at least ``longestKey`` bytes.
  ///   - value: at least ``longestValue`` bytes.
  public mutating func write(key: UnsafeMutableRawBufferPointer, value: UnsafeMutableRawBufferPointer) -> Written? {
    precondition(key.count >= Self.longestKey && value.count >= Self.longestValue, "the event's buffers are too small")
    guard next < plan.events else { return nil }
    let number = UInt64(next)
    next += 1
    let original = original(of: number)
    let isRepeat = original != number
    let event = Event(number: original, plan: plan, spread: spread, customerBits: customerBits)
    if isRepeat {
      duplicates += 1
    } else {
      totals[event.customer * plan.features + event.feature] += Int128(event.quantity)
    }
    var keyWriter = ByteWriter(key)
    keyWriter.customer(event.customer)
    var writer = ByteWriter(value)
    writer.event(event, feature: featureNames[event.feature])
    return Written(key: keyWriter.count, value: writer.count, isRepeat: isRepeat)
  }

  /// The totals of what was written so far, by customer and feature, in that order; zero totals are left out.
  public func expected() -> ExpectedTotals {
    var result = ExpectedTotals(events: next, unique: next - duplicates, duplicates: duplicates, totals: [])
    for customer in 0..<plan.customers {
      for feature in 0..<plan.features {
        let total = totals[customer * plan.features + feature]
        guard total != 0 else { continue }
        result.totals.append(
          .init(customer: Self.customerName(customer), feature: Self.text(featureNames[feature]), whole: total))
      }
    }
    return result
  }

  /// Follows repeats back to the event that they repeat. A repeat of a repeat is one of the original.
  private func original(of number: UInt64) -> UInt64 {
    var current = number
    while current > 0 {
      let draw = mixed(current &+ spread ^ 0xd0b1_e5ee_d000_0000)
      guard Int(draw % 10_000) < plan.duplicatesPer10000 else { return current }
      let distance = 1 + (draw >> 20) % min(Self.repeatDistance, current)
      current -= distance
    }
    return current
  }

  private static func customerName(_ customer: Int) -> String {
    withUnsafeTemporaryAllocation(byteCount: longestKey, alignment: 1) { buffer in
      var writer = ByteWriter(buffer)
      writer.customer(customer)
      return String(decoding: buffer[..<writer.count], as: UTF8.self)
    }
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  private static func featureName(_ index: Int) -> [UInt8] {
    let known = ["api_calls", "tokens", "storage_gb_hours", "emails_sent", "compute_seconds"]
    return Array((index < known.count ? known[index] : "feature_\(index)").utf8)
  }
}

/// The totals that a count of a load run must arrive at.
public struct ExpectedTotals: Hashable, Sendable {
  /// One customer's and feature's total; whole.
  public struct Total: Hashable, Sendable {
    public var customer: String
    public var feature: String
    public var whole: Int128

    public init(customer: String, feature: String, whole: Int128) {
      self.customer = customer
      self.feature = feature
      self.whole = whole
    }
  }
  /// Records published.
  public var events: Int64
  /// Events among them that are nobody's repeat.
  public var unique: Int64
  /// Repeats.
  public var duplicates: Int64
  public var totals: [Total]

  public init(events: Int64, unique: Int64, duplicates: Int64, totals: [Total]) {
    self.events = events
    self.unique = unique
    self.duplicates = duplicates
    self.totals = totals
  }

  /// The JSON of `--expect`: quantities are decimal strings, names are written as the generator made them (ASCII
  /// without anything that JSON escapes).
  public var json: String {
    var text = "{\"events\":\(events),\"unique\":\(unique),\"duplicates\":\(duplicates),\"totals\":["
    for (index, total) in totals.enumerated() {
      text += index == 0 ? "\n" : ",\n"
      text += "{\"customer\":\"\(total.customer)\",\"feature\":\"\(total.feature)\",\"quantity\":\"\(total.whole)\"}"
    }
    return text + "\n]}\n"
  }
}

/// SplitMix64's finalizer: a bijection of 64 bits, so that different inputs stay different (keys are unique by it).
@inline(__always)
func mixed(_ value: UInt64) -> UInt64 {
  var bits = value &+ 0x9e37_79b9_7f4a_7c15
  bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
  bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
  return bits ^ (bits >> 31)
}
