import Billing
import Metering
import Testing

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
