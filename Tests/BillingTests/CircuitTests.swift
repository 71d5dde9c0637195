import Billing
import Metering
import Testing

@Suite("Circuit")
struct CircuitTests {
  @Test(
    "An outage puts at most the rows of one second and the probe in doubt; the probe changes after ten minutes, then twenty"
  )
  func probe() {
    let harness = Harness(contract(rates: [RateLimit(count: 10, burst: 1)]))
    harness.open(0, (0..<1_000).map { row($0) })
    func keys() -> Int { Set(harness.sent.flatMap(\.keys)).count }
    harness.run(for: 600_000) { while !harness.requests.isEmpty { harness.reply(503) } }
    let first = keys()
    #expect(first <= 11)
    let lastHalf = harness.sent.suffix(harness.sent.count / 2)
    #expect(Set(lastHalf.flatMap(\.keys)).count == 1)
    harness.run(for: 3_000_000) { while !harness.requests.isEmpty { harness.reply(503) } }
    #expect(keys() == first + 2)
    #expect(harness.machine.status().circuit == .open)
    #expect(harness.sent.count > 50)
    // Rows that were granted but not sent when it opened are void.
    harness.run(for: 120_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    #expect(harness.machine.status().circuit == .closed)
    #expect(harness.events.contains { if case .circuitClosed = $0 { true } else { false } })
    #expect(harness.outcomes.count > 100)
  }

  @Test("A SENDING that stands after the circuit opened is voided")
  func lateSending() {
    let harness = Harness(contract(concurrency: 3))
    harness.open(0, [row(0), row(1), row(2)])
    harness.answersSendings = false
    harness.give(.claimStands(0, rows: [row(3), row(4)]))
    harness.reply(500)
    harness.reply(500)
    let before = harness.sendings.count
    #expect(before == 1)
    harness.reply(500)
    #expect(harness.machine.status().circuit == .open)
    harness.answerSendings()
    #expect(harness.sent.count == 3)
    #expect(!harness.unsent.isEmpty)
  }

  @Test("One row that the provider cannot digest does not open it")
  func poison() {
    let harness = Harness(contract(concurrency: 4))
    harness.open(0, [row(0)])
    harness.run(for: 600_000) { while !harness.requests.isEmpty { harness.reply(500) } }
    #expect(harness.machine.status().circuit == .closed)
    #expect(harness.ready[0] == true)
    harness.give(.claimStands(0, rows: [row(0, claim: 1)]))
    #expect(harness.requests.map(\.keys) == [["k1.0"]])
  }

  @Test("One customer that the provider cannot digest does not open it, nor hold up the next claim")
  func poisonedCustomer() {
    let harness = Harness(contract(serial: true))
    harness.open(0, (0..<5).map { row($0, customer: "a") } + (5..<9).map { row($0, customer: "c\($0)") })
    harness.run(for: 3_600_000) {
      while let request = harness.requests.first {
        harness.reply(request.keys[0] < "k0.5" ? 500 : 200, to: request)
      }
    }
    #expect(!harness.events.contains { if case .circuitOpened = $0 { true } else { false } })
    #expect(harness.outcomes.count == 4)
    #expect(harness.ready[0] == true)
  }

  @Test("Rows that failed stop holding up the next claim after ten minutes, and a fresh row closes the circuit")
  func poisonedMeter() {
    let harness = Harness(contract(serial: true))
    let isPoisoned = { (request: Harness.Request) in request.keys[0] <= "k1.0" }
    harness.open(0, (0..<6).map { row($0, customer: "c\($0)", meter: "bad") })
    func answer() {
      while let request = harness.requests.first { harness.reply(isPoisoned(request) ? 500 : 200, to: request) }
    }
    harness.run(for: 300_000) { answer() }
    #expect(harness.machine.status().circuit == .open)
    #expect(harness.ready[0] != true)
    harness.run(for: 400_000) { answer() }
    #expect(harness.ready[0] == true)
    // Older than most of the next claim's, and poisoned as well: asked first, and given up after ten minutes.
    harness.give(
      .claimStands(
        0,
        rows: SinkRows(
          [row(0, claim: 1, customer: "d", meter: "bad")] + (1..<5).map { row($0, claim: 1, customer: "e\($0)") })))
    harness.run(for: 2_000_000) { answer() }
    #expect(harness.outcomes.count == 4)
    #expect(harness.ready[0] == true)
    // Those that keep failing open it again and again: a fresh row closes it each time.
    harness.give(.claimStands(0, rows: SinkRows((1..<5).map { row($0, claim: 2, customer: "f\($0)") })))
    harness.run(for: 70_000) { answer() }
    #expect(harness.outcomes.count == 8)
    #expect(harness.ready[0] == true)
  }

  @Test("A 401 opens it at once, alarms, and leaves nothing in doubt")
  func unauthorized() {
    let harness = Harness(contract(concurrency: 1))
    harness.open(0, (0..<5).map { row($0) })
    harness.reply(401)
    #expect(harness.machine.status().circuit == .open)
    #expect(harness.events.contains(.unauthorized(code: "http_401")))
    harness.run(for: 60_000) { while !harness.requests.isEmpty { harness.reply(401) } }
    #expect(Set(harness.sent.flatMap(\.keys)).count == 1)
    let probes = harness.sent.count
    #expect(harness.unsent.flatMap(\.rows).count >= probes)
    harness.run(for: 120_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    #expect(harness.outcomes.count == 5)
    #expect(harness.outcomes.values.allSatisfy { $0 == .delivered })
  }

  @Test("The probe's partition may close: another row asks")
  func probeLost() {
    let harness = Harness(contract(concurrency: 4), partitions: 2)
    harness.open(0, (0..<4).map { row($0) })
    harness.open(1, (0..<4).map { row($0, claim: 1) })
    while !harness.requests.isEmpty, harness.machine.status().circuit == .closed { harness.reply(500) }
    while !harness.requests.isEmpty { harness.reply(500) }
    harness.run(for: 3_000)
    harness.give(.partitionClosed(0))
    while !harness.requests.isEmpty { harness.reply(500) }
    harness.run(for: 200_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    #expect(harness.machine.status().circuit == .closed)
    #expect(harness.outcomes.keys.filter { $0.claim == 1 }.count == 4)
  }

  @Test(
    "Not idempotent: an outage makes uncertain the rows of one second and the probe, and a row for each further hour",
    arguments: [Contract.Idempotency.none, .racyKey(windowMilliseconds: 604_800_000)])
  func notIdempotent(_ idempotency: Contract.Idempotency) {
    let harness = Harness(contract(idempotency: idempotency, rates: [RateLimit(count: 10, burst: 1)], concurrency: 3))
    harness.open(0, (0..<1_000).map { row($0) })
    var minutes: [Int: Int] = [:]
    for minute in 1...(12 * 60) {
      harness.run(for: 60_000) { while !harness.requests.isEmpty { harness.reply(500) } }
      minutes[minute] = Set(harness.sent.flatMap(\.keys)).count
    }
    // What the rate let out before it opened, then the probe; nothing more within the hour.
    #expect((minutes[1] ?? 0) <= 10 + 1)
    #expect(minutes[59] == minutes[1])
    #expect((minutes[12 * 60] ?? 0) <= (minutes[1] ?? 0) + 11)
    if idempotency == .none {
      #expect(Set(harness.sent.flatMap(\.keys)).count == harness.sent.count)
      #expect(harness.outcomes.values.allSatisfy { $0 == .uncertain })
    }
    // The provider is back: the next probe finds out, and all the others follow.
    harness.run(for: 2 * 3_600_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    #expect(harness.machine.status().circuit == .closed)
    #expect(harness.outcomes.count == 1_000)
    #expect(harness.outcomes.values.filter { $0 == .uncertain }.count <= (minutes[12 * 60] ?? 0))
  }
}
