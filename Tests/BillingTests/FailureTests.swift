import Billing
import Metering
import Testing

@Suite("Rejections, transient failures, circuit")
struct FailureTests {
  @Test("A refused batch is halved until the row at fault is alone; only that one is rejected")
  func bisect() {
    let harness = Harness(contract(batch: 64, concurrency: 8))
    harness.open(0, (0..<64).map { row($0) })
    let bad: Set<String> = ["k0.37", "k0.5"]
    var rounds = 0
    while !harness.requests.isEmpty, rounds < 200 {
      rounds += 1
      harness.reply(bad.isDisjoint(with: harness.requests[0].keys) ? 200 : 400)
    }
    harness.run(for: 1_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    #expect(harness.outcomes.count == 64)
    #expect(harness.outcomes.filter { $0.value == .rejected }.keys.sorted() == [ref(5), ref(37)])
    #expect(harness.sent.count < 40)
    // The contract's refusals are atomic: a refused attempt of the innocent is void.
    #expect(!harness.unsent.flatMap(\.rows).contains { harness.outcomes[$0] == nil })
  }

  @Test("A rejected row parks alone and does not hold up the next claim")
  func rejected() {
    let harness = Harness(contract())
    harness.open(0, [row(0), row(1)])
    harness.reply(400)
    harness.reply(200)
    harness.run(for: 200)
    #expect(harness.outcomes == [ref(0): .rejected, ref(1): .delivered])
    #expect(harness.ready[0] == true)
    #expect(harness.done.flatMap(\.rows).first { $0.outcome == .rejected }?.code == "bad")
  }

  @Test("Five transient failures defer a row: it goes on being tried, and no longer holds up the claim")
  func deferred() {
    let harness = Harness(contract())
    harness.open(0, [row(0)])
    for failure in 1...5 {
      #expect(harness.ready[0] != true)
      while harness.requests.isEmpty { harness.run(for: 1_000) }
      #expect(harness.sent.count == failure)
      harness.reply(500)
    }
    #expect(harness.ready[0] == true)
    #expect(harness.machine.status().deferredRows == 1)
    harness.run(for: 700_000)
    #expect(harness.sent.count == 6)
    harness.reply(200)
    harness.run(for: 200)
    #expect(harness.outcomes == [ref(0): .delivered])
    #expect(harness.machine.status().deferredRows == 0)
  }

  @Test("Ten minutes of failing defer a row, too")
  func deferredByTime() {
    let harness = Harness(contract())
    harness.open(0, [row(0)])
    harness.reply(503, [("Retry-After", "601")])
    harness.run(for: 601_000)
    #expect(harness.ready[0] != true)
    harness.reply(503, [("Retry-After", "1")])
    #expect(harness.ready[0] == true)
  }

  @Test("With 10,000 deferred rows claims wait; a row beyond them holds up by itself")
  func deferredLimit() {
    let harness = Harness(contract(batch: 5_001, idempotency: .key(windowMilliseconds: nil)))
    harness.open(0, (0..<10_002).map { row($0) })
    for _ in 0..<40 where harness.machine.status().deferredRows < 10_000 {
      // Too many for these rows only: the circuit stays closed.
      while !harness.requests.isEmpty { harness.reply(423) }
      harness.run(for: 61_000)
    }
    #expect(harness.machine.status().deferredRows == 10_000)
    #expect(harness.ready[0] != true)
  }

  @Test("Retry-After is obeyed, for a row as for the sink")
  func retryAfter() {
    let harness = Harness(contract(concurrency: 2))
    harness.open(0, [row(0), row(1), row(2)])
    harness.reply(503, [("Retry-After", "30")])
    #expect(harness.sent.count == 3)
    harness.reply(429, [("Retry-After", "20")])
    harness.reply(200)
    harness.run(for: 19_999)
    #expect(harness.sent.count == 3)
    harness.run(for: 1)
    #expect(harness.sent.map(\.keys) == [["k0.0"], ["k0.1"], ["k0.2"], ["k0.1"]])
    harness.run(for: 9_999)
    #expect(harness.sent.count == 4)
    harness.run(for: 1)
    #expect(harness.sent.last?.keys == ["k0.0"])
  }

  @Test("Back-off has full jitter below a doubling ceiling")
  func backOff() {
    var waits: [Int64] = []
    for seed in 0..<200 {
      let harness = Harness(contract(), seed: UInt64(seed))
      harness.open(0, [row(0)])
      harness.reply(500)
      let before = harness.now
      while harness.requests.isEmpty { harness.run(until: harness.wake ?? .max) }
      waits.append(harness.now - before)
    }
    #expect(waits.allSatisfy { (1...1_000).contains($0) })
    #expect(waits.contains { $0 < 200 })
    #expect(waits.contains { $0 > 800 })
  }

  @Test("A pause longer than a second gives granted rows back")
  func pauseVoids() {
    let harness = Harness(contract(concurrency: 1))
    harness.answersSendings = false
    harness.open(0, [row(0)])
    harness.answerSendings()
    harness.give(.claimStands(0, rows: [row(1), row(2)]))
    harness.answerSendings()
    harness.reply(429, [("Retry-After", "60")])
    #expect(Set(harness.unsent.flatMap(\.rows)).isSuperset(of: [ref(0)]))
    #expect(harness.machine.status().rowsInFlight == 0)
  }
}

@Suite("Circuit")
struct CircuitTests {
  @Test("An outage puts at most the rows of one second and the probe in doubt; the probe is the same each time")
  func probe() {
    let harness = Harness(contract(rates: [RateLimit(count: 10, burst: 1)]))
    harness.open(0, (0..<1_000).map { row($0) })
    harness.run(for: 3_600_000) { while !harness.requests.isEmpty { harness.reply(503) } }
    let keys = Set(harness.sent.flatMap(\.keys))
    #expect(keys.count <= 11)
    #expect(harness.machine.status().circuit == .open)
    let lastHalf = harness.sent.suffix(harness.sent.count / 2)
    #expect(Set(lastHalf.flatMap(\.keys)).count == 1)
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

@Suite("Rates, shares, lanes, claims")
struct RateTests {
  @Test("The rate holds in every window, burst included, and a share is a share")
  func share() {
    let harness = Harness(contract(rates: [RateLimit(count: 100, burst: 10)], concurrency: 1_000), partitions: 4)
    harness.open(0, (0..<5_000).map { row($0) })
    harness.run(for: 20_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    // One of four partitions: 25 a second.
    #expect((490...503).contains(harness.sent.count))
    // All but the moments of the requests themselves are waiting.
    #expect((19_000...20_000).contains(harness.machine.status().rateLimitWaitMilliseconds))
    let before = harness.sent.count
    harness.open(1, (0..<5_000).map { row($0, claim: 1) })
    harness.run(for: 10) { while !harness.requests.isEmpty { harness.reply(200) } }
    // A gained share starts empty.
    #expect(harness.sent.count - before <= 3)
    harness.run(for: 10_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    #expect((490...510).contains(harness.sent.count - before))
  }

  @Test("A bucket per client address is not divided")
  func clientAddress() {
    let limit = RateLimit(count: 100, burst: 10, scope: .clientAddress)
    let harness = Harness(contract(rates: [limit], concurrency: 1_000), partitions: 4)
    harness.open(0, (0..<5_000).map { row($0) })
    harness.run(for: 10_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    #expect((990...1_010).contains(harness.sent.count))
  }

  @Test("Records are limited, too")
  func records() {
    let harness = Harness(contract(batch: 50, rates: [RateLimit(.records, count: 100, burst: 100)]))
    harness.open(0, (0..<5_000).map { row($0) })
    harness.run(for: 10_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    let rows = harness.sent.reduce(0) { $0 + $1.keys.count }
    #expect((850...1_100).contains(rows))
  }

  @Test("Concurrency is bounded")
  func concurrency() {
    let harness = Harness(contract(concurrency: 7))
    harness.open(0, (0..<100).map { row($0) })
    #expect(harness.requests.count == 7)
    harness.run(for: 1_000)
    #expect(harness.machine.status().rateLimitWaitMilliseconds == 0)
    harness.reply(200)
    #expect(harness.requests.count == 7)
  }

  @Test("One in flight for each customer and meter, across partitions")
  func lanes() {
    let harness = Harness(contract(concurrency: 100, serial: true), partitions: 2)
    let customers = ["a", "b", "c"]
    harness.open(0, (0..<30).map { row($0, customer: customers[$0 % 3]) })
    harness.open(1, (0..<30).map { row($0, claim: 1, customer: customers[$0 % 3]) })
    var most = 0
    while !harness.requests.isEmpty {
      most = max(most, harness.requests.count)
      #expect(harness.requests.count <= 3)
      harness.reply(200)
    }
    harness.run(for: 200)
    #expect(most == 3)
    #expect(harness.outcomes.count == 60)
  }

  @Test("A row that backs off does not hold up its customer's other rows")
  func laneGoesOn() {
    let harness = Harness(contract(serial: true))
    harness.open(0, [row(0), row(1)])
    harness.reply(503, [("Retry-After", "100")])
    #expect(harness.requests.map(\.keys) == [["k0.1"]])
  }

  @Test("A batch limit in bytes is kept")
  func bytes() {
    var rules = contract(batch: 100)
    rules.batch.bytes = 20
    let harness = Harness(rules)
    harness.open(0, (0..<9).map { row($0) })
    #expect(harness.sent.allSatisfy { $0.keys.joined().utf8.count <= 20 })
    #expect(harness.sent.map(\.keys.count) == [5, 4])
  }

  @Test("Ready for a claim: from the start, not while rows are unsent, again when all have an outcome")
  func ready() {
    let harness = Harness(contract())
    harness.open(0, [])
    #expect(harness.ready[0] == true)
    harness.give(.claimStands(0, rows: [row(0), row(1)]))
    #expect(harness.ready[0] == false)
    harness.reply(200)
    #expect(harness.ready[0] == false)
    harness.reply(200)
    #expect(harness.ready[0] == true)
  }

  @Test("A retried row is sent; one that is under way already is not taken twice")
  func retried() {
    let harness = Harness(contract())
    harness.open(0, [row(0)])
    harness.give(.rowRetried(0, row(0)))
    #expect(harness.sent.count == 1)
    harness.reply(400)
    harness.run(for: 200)
    harness.give(.rowRetried(0, row(0, mayBeKnown: true)))
    #expect(harness.sent.count == 2)
    harness.reply(208)
    harness.run(for: 200)
    #expect(harness.done.flatMap(\.rows).map(\.outcome) == [.rejected, .alreadyDelivered])
  }

  @Test("Memory does not grow with what is settled")
  func memory() {
    let harness = Harness(contract(batch: 1_000))
    harness.open(0, [row(0, claim: 9_999, timestamp: epoch - 5_000_000)])
    harness.reply(503, [("Retry-After", "3600")])
    for claim in 0..<50 {
      harness.give(.claimStands(0, rows: SinkRows((0..<1_000).map { row($0, claim: UInt64(claim)) })))
      while !harness.requests.isEmpty { harness.reply(200) }
      harness.run(for: 200)
    }
    #expect(harness.machine.heldEntries < 10_000)
    #expect(harness.machine.status().oldestUnsettledTimestampMilliseconds == epoch - 5_000_000)
  }
}
