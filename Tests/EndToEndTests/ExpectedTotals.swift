import ProviderFakes

/// What must be billed, by the generator's own book-keeping: exact, in units of 10⁻⁹.
struct ExpectedTotals: Sendable {
  struct Place: Hashable, Sendable, CustomStringConvertible {
    var customer: String
    var feature: String
    var description: String { "\(customer)/\(feature)" }
  }

  private(set) var units: [Place: Int128] = [:]
  static let one: Int128 = 1_000_000_000

  mutating func add(_ customer: String, _ feature: String, _ more: Int128) {
    units[Place(customer: customer, feature: feature), default: 0] += more
  }

  /// What differs from a fake's books; `names` gives the meters of the features that are billed there.
  func differences(_ fake: any ProviderFake, names: (String) -> String?) -> [String] {
    var wanted: [Place: Int128] = [:]
    for (place, units) in units {
      guard let meter = names(place.feature) else { continue }
      wanted[Place(customer: place.customer, feature: meter), default: 0] += units
    }
    var found: [Place: Int128] = [:]
    for total in fake.totals() {
      found[Place(customer: total.customer, feature: total.meter), default: 0] += total.value.units
    }
    let places = Set(wanted.keys).union(found.keys)
    return places.filter { wanted[$0, default: 0] != found[$0, default: 0] }.map { place in
      let want = ExactDecimal(units: wanted[place, default: 0])
      return "\(place): published \(want), billed \(ExactDecimal(units: found[place, default: 0]))"
    }.sorted()
  }
}

extension DaemonRig {
  /// The features that the Stripe sink lists, by their names there.
  static let stripeMeters = ["api_calls": "api_requests", "tokens": "tokens", "gpu_hours": "gpu_hours"]

  /// What is not yet, or wrongly, billed; empty where all is exact.
  func differences(_ expected: ExpectedTotals) -> [String] {
    var lines: [String] = []
    if sinks.contains("stripe") {
      lines += expected.differences(stripe) { Self.stripeMeters[$0] }.map { "stripe: \($0)" }
    }
    if sinks.contains("webhook") { lines += expected.differences(webhook) { $0 }.map { "webhook: \($0)" } }
    return lines
  }

  /// Keys with two values or two effects: there must never be any.
  func violations() -> [String] {
    (stripe.effects.violations + webhook.effects.violations).map { "\($0.kind.rawValue) \($0.key): \($0.detail)" }
      + stripe.asyncErrors.map { "\($0)" }
  }

  /// Waits until both books agree with what was published, to the last unit.
  func waitUntilExact(_ expected: ExpectedTotals, seconds: Double, _ instances: [Instance]) throws {
    let exact = try poll(seconds: seconds) {
      for instance in instances { try instance.requireAlive("its totals were waited for") }
      return differences(expected).isEmpty
    }
    let wrong = differences(expected)
    guard exact, wrong.isEmpty else {
      throw EndToEndFailure(
        description: "\(wrong.count) totals differ after \(seconds) s:\n\(wrong.prefix(12).joined(separator: "\n"))\n"
          + instances.map { $0.explanation() }.joined(separator: "\n"))
    }
    let broken = violations()
    guard broken.isEmpty else {
      throw EndToEndFailure(
        description: "\(broken.count) violations:\n\(broken.prefix(12).joined(separator: "\n"))\n"
          + instances.map { $0.explanation() }.joined(separator: "\n"))
    }
  }

  /// Waits until an instance publishes that nothing is missing.
  func waitUntilConserved(_ instance: Instance, seconds: Double = 15) throws {
    guard poll(seconds: seconds, { instance.imbalances().isEmpty }) else {
      throw EndToEndFailure(
        description: "conservation: \(instance.imbalances().joined(separator: "; "))\n\(instance.explanation())")
    }
  }
}
