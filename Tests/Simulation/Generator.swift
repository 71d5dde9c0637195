import Metering

/// Events of every kind that the totals depend on, from one seed. One for each partition: a customer's events meet in one.
struct Generator {
  private struct Sent {
    var text: String
    var customer: String
    var meaning: Meaning
  }
  private var sent: [Sent] = []
  private var number = 0
  private static let customers = ["c1", "c2", "c3", "c4"]
  private static let day: Int64 = 86_400_000

  /// Appends one record (or a hole) to the log. `now`: the producer's clock, which may be wrong.
  mutating func produce(
    into log: UsageLog, now: Int64, hasElusiveRecords: Bool, using random: inout SimulationRandom,
    coverage: inout Coverage
  ) {
    if hasElusiveRecords, random.oneIn(60) {
      coverage.note("record: elusive")
      return elusive(into: log, now: now, &random)
    }
    if random.oneIn(25) {
      coverage.note("record: hole")
      return log.appendHole()
    }
    let timestamp = timestamp(now, &random, &coverage)
    if random.oneIn(40) {
      coverage.note("record: malformed")
      let text = #"{"idempotencyKey":"bad"#
      return log.append(
        text: text, customer: "c1", timestamp: timestamp, meaning: Meaning(kind: .malformed, timeMilliseconds: nil))
    }
    if !sent.isEmpty, random.oneIn(6) {
      // A producer's retry, mostly of something recent.
      coverage.note("record: repeat")
      let back = random.oneIn(4) ? sent.count : min(sent.count, 20)
      let old = sent[sent.count - 1 - Int.random(in: 0..<back, using: &random)]
      return log.append(text: old.text, customer: old.customer, timestamp: timestamp, meaning: old.meaning)
    }
    let new = event(now, timestamp: timestamp, &random, &coverage)
    sent.append(new)
    log.append(text: new.text, customer: new.customer, timestamp: timestamp, meaning: new.meaning)
  }

  /// An event that a reader may pass over. Nothing else depends on whether it was seen: its key comes once, and its record
  /// has no timestamp.
  private mutating func elusive(into log: UsageLog, now: Int64, _ random: inout SimulationRandom) {
    number += 1
    let event = Meaning.Event(
      key: "e\(number)", customer: random.pick(Self.customers), feature: "calls",
      units: Int128(random.pick(1...5_000_000_000)), isRevert: false)
    var text = #"{"idempotencyKey":"\#(event.key)","customerId":"\#(event.customer)","featureId":"calls","#
    text += #""amount":"\#(Quantity(units: event.units))","timestamp":\#(now)}"#
    log.append(
      text: text, customer: event.customer, timestamp: -1, meaning: Meaning(kind: .event(event), timeMilliseconds: now))
    log.hideLast()
  }

  private func timestamp(_ now: Int64, _ random: inout SimulationRandom, _ coverage: inout Coverage) -> Int64 {
    if random.oneIn(80) {
      coverage.note("timestamp: none")
      return -1
    }
    if random.oneIn(60) {
      coverage.note("timestamp: future")
      return now + random.pick(0...3 * Self.day)
    }
    if random.oneIn(60) {
      coverage.note("timestamp: past")
      return now - random.pick(0...3 * Self.day)
    }
    return now - random.pick(0...2_000)
  }

  private mutating func event(
    _ now: Int64, timestamp: Int64, _ random: inout SimulationRandom, _ coverage: inout Coverage
  ) -> Sent {
    number += 1
    let isConflict = number > 1 && random.oneIn(50)
    if isConflict { coverage.note("record: conflict") }
    let key = "k\(isConflict ? Int.random(in: 1..<number, using: &random) : number)"
    var event = Meaning.Event(
      key: key, customer: random.pick(Self.customers), feature: random.oneIn(3) ? "tokens" : "calls",
      units: Int128(random.pick(0...5_000_000_000)), isRevert: random.oneIn(12))
    var fields = #""idempotencyKey":"\#(key)","customerId":"\#(event.customer)","featureId":"\#(event.feature)""#
    fields += #","amount":"\#(Quantity(units: event.units))""#
    if event.isRevert { fields += #","revert":true"# }
    if random.oneIn(3) {
      event.dimensions["region"] = random.pick(["eu", "us"])
      if random.oneIn(2) { event.dimensions["tier"] = "gold" }
      let members = event.dimensions.sorted { $0.key < $1.key }.map { #""\#($0.key)":"\#($0.value)""# }
      fields += #","dimensions":{\#(members.joined(separator: ","))}"#
    }
    var eventTime: Int64?
    if timestamp < 0 || !random.oneIn(3) {
      // A producer's retry carries the same event time.
      let time = random.oneIn(20) ? now + random.pick(0...3_000_000) : now - random.pick(0...7_200_000)
      fields += #","timestamp":\#(time)"#
      eventTime = time
    }
    return Sent(
      text: "{\(fields)}", customer: event.customer,
      meaning: Meaning(kind: .event(event), timeMilliseconds: eventTime))
  }
}
