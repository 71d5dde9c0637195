import Metering

/// Events of every kind that the totals depend on, from one seed.
struct Generator {
  private var sent: [(text: String, customer: String, meaning: Meaning)] = []
  private var number = 0
  private static let customers = ["c1", "c2", "c3", "c4"]

  /// Appends one record (or a hole) to the log. `now`: the producer's clock, which may be wrong.
  mutating func produce(into log: UsageLog, now: Int64, using random: inout SimulationRandom) {
    if random.oneIn(25) { return log.appendHole() }
    var timestamp = now - random.pick(0...2_000)
    if random.oneIn(60) { timestamp = now + random.pick(0...3 * 86_400_000) }
    if random.oneIn(60) { timestamp = now - random.pick(0...3 * 86_400_000) }
    if random.oneIn(80) { timestamp = -1 }
    if random.oneIn(40) {
      let text = #"{"idempotencyKey":"bad"#
      return log.append(
        text: text, customer: "c1", timestamp: timestamp, meaning: Meaning(kind: .malformed, timeMilliseconds: nil))
    }
    if !sent.isEmpty, random.oneIn(6) {
      // A producer's retry, mostly of something recent.
      let back = random.oneIn(4) ? sent.count : min(sent.count, 20)
      let old = sent[sent.count - 1 - Int.random(in: 0..<back, using: &random)]
      return log.append(text: old.text, customer: old.customer, timestamp: timestamp, meaning: old.meaning)
    }
    number += 1
    let isConflict = random.oneIn(50) && number > 1
    let key = "k\(isConflict ? Int.random(in: 1..<number, using: &random) : number)"
    let customer = random.pick(Self.customers)
    let feature = random.oneIn(3) ? "tokens" : "calls"
    let units = Int128(random.pick(0...5_000_000_000))
    let isRevert = random.oneIn(12)
    var fields = #""idempotencyKey":"\#(key)","customerId":"\#(customer)","featureId":"\#(feature)""#
    fields += #","amount":"\#(Quantity(units: units))""#
    if isRevert { fields += #","revert":true"# }
    var eventTime: Int64?
    if timestamp < 0 || !random.oneIn(3) {
      // A producer's retry carries the same event time.
      let time = max(now - random.pick(0...7_200_000), 100_000_000_000)
      fields += #","timestamp":\#(time)"#
      eventTime = time
    }
    let kind = Meaning.Kind.event(key: key, customer: customer, feature: feature, units: units, isRevert: isRevert)
    let meaning = Meaning(kind: kind, timeMilliseconds: eventTime)
    sent.append((text: "{\(fields)}", customer: customer, meaning: meaning))
    log.append(text: "{\(fields)}", customer: customer, timestamp: timestamp, meaning: meaning)
  }
}
