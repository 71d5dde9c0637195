import Billing
import Metering
import Testing

@Suite("SENDING, lease and read-back")
struct SendingTests {
  @Test("Nothing is sent before the SENDING was read back, and each row of it once")
  func readBackFirst() {
    let harness = Harness(contract(batch: 10))
    harness.answersSendings = false
    harness.open(0, (0..<3).map { row($0) })
    #expect(harness.sendings.count == 1)
    #expect(harness.sendings[0].sending.rows == [ref(0), ref(1), ref(2)])
    #expect(harness.sendings[0].sending.account == "acct")
    #expect(harness.sendings[0].sending.leaseMilliseconds == 60_000)
    #expect(harness.sent.isEmpty)
    harness.answerSendings()
    #expect(harness.sent.map(\.keys) == [["k0.0", "k0.1", "k0.2"]])
    harness.reply(200)
    harness.run(for: 1_000)
    #expect(harness.done.count == 1)
    #expect(harness.outcomes == [ref(0): .delivered, ref(1): .delivered, ref(2): .delivered])
    #expect(harness.sent.count == 1)
    #expect(harness.unsent.isEmpty)
  }

  @Test("No byte starts after the lease: a late read-back voids the rows, and they get another SENDING")
  func leaseOver() {
    let harness = Harness(contract())
    harness.answersSendings = false
    harness.open(0, [row(0)])
    harness.now = 55_000
    harness.answerSendings(1)
    #expect(harness.sent.isEmpty)
    #expect(harness.unsent.map(\.rows) == [[ref(0)]])
    #expect(harness.sendings.count == 1)
    harness.answersSendings = true
    harness.answerSendings()
    #expect(harness.sent.count == 1)
    // Connecting may take 10 s: the last moment to hand over is that much before the end of the lease.
    #expect(harness.sent[0].notAfter == 55_000 + 60_000 - 10_000)
  }

  @Test("A void SENDING sends nothing and leaves no UNSENT")
  func voidSending() {
    let harness = Harness(contract())
    harness.answersSendings = false
    harness.open(0, [row(0)])
    let (_, token, _) = harness.sendings.removeFirst()
    harness.give(.sendingVoid(0, token))
    #expect(harness.sent.isEmpty)
    #expect(harness.unsent.isEmpty)
    #expect(harness.sendings.count == 1)
  }

  @Test("A SENDING covers what goes out within a second")
  func oneSecond() {
    let harness = Harness(contract(rates: [RateLimit(count: 10, burst: 2)]))
    harness.answersSendings = false
    harness.open(0, (0..<1_000).map { row($0) })
    #expect(harness.sendings.count == 1)
    #expect(harness.sendings[0].sending.rows.count == 10)
    harness.answersSendings = true
    harness.answerSendings()
    harness.run(for: 10_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    #expect((95...102).contains(harness.sent.count))
  }

  @Test("Rows go oldest timestamp first, across partitions")
  func oldestFirst() {
    let harness = Harness(contract(concurrency: 2), partitions: 2)
    harness.answersSendings = false
    harness.open(1, [row(0, timestamp: epoch - 500), row(1, timestamp: epoch - 900)])
    harness.open(0, [row(0, timestamp: epoch - 700)])
    harness.answerSendings()
    while !harness.requests.isEmpty {
      harness.reply(200)
      harness.answerSendings()
    }
    // The first SENDING was asked for before partition 0 was known: one request is what one of two partitions may.
    #expect(harness.sent.count == 3)
    #expect(harness.sent.first?.keys == ["k0.1"])
  }

  @Test("A partition whose ledger is slow does not hold up the others")
  func slowLedger() {
    let harness = Harness(contract(concurrency: 2), partitions: 2)
    harness.answersSendings = false
    harness.open(0, [row(0), row(1)])
    #expect(harness.sendings.count == 1)
    harness.open(1, [row(0, claim: 1), row(1, claim: 1)])
    harness.sendings.removeAll { $0.partition == 1 }
    let slow = harness.sendings
    harness.sendings.removeAll()
    harness.answersSendings = true
    harness.run(for: 6_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    #expect(harness.outcomes.isEmpty == harness.sent.isEmpty)
    harness.give(.claimStands(1, rows: [row(2, claim: 1)]))
    harness.run(for: 1_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    #expect(harness.sent.contains { $0.keys == ["k1.2"] })
    harness.sendings = slow
    harness.answerSendings()
    harness.run(for: 1_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    #expect(harness.outcomes[ref(0)] == .delivered)
    #expect(harness.machine.status().requestsInFlight == 0)
  }

  @Test("UNSENT names exactly the rows whose attempt is proven without effect")
  func provenWithoutEffect() {
    for reply in [
      ProviderReply.notSent(code: "connect"), .response(.init(status: 401)), .response(.init(status: 429)),
    ] {
      let harness = Harness(contract(batch: 5))
      harness.open(0, (0..<3).map { row($0) })
      harness.reply(reply)
      #expect(harness.unsent.map(\.rows) == [[ref(0), ref(1), ref(2)]])
      #expect(harness.done.isEmpty)
    }
    let harness = Harness(contract(batch: 5))
    harness.open(0, (0..<3).map { row($0) })
    harness.reply(.ambiguous(code: "timeout"))
    #expect(harness.unsent.isEmpty)
    #expect(harness.done.isEmpty)
  }

  @Test("A closed partition gets nothing more, and its reply is no other partition's")
  func closed() {
    let harness = Harness(contract(), partitions: 2)
    harness.open(0, [row(0)])
    harness.give(.partitionClosed(0))
    harness.reply(200)
    harness.run(for: 5_000)
    #expect(harness.done.isEmpty)
    #expect(harness.machine.status().rowsInFlight == 0)
    #expect(harness.machine.status().requestsInFlight == 0)
    harness.open(1, [row(1)])
    harness.reply(200)
    harness.run(for: 1_000)
    #expect(harness.outcomes == [ref(1): .delivered])
  }

  @Test("Draining voids what is not sent, awaits what is, and says so")
  func draining() {
    let harness = Harness(contract(concurrency: 1))
    harness.answersSendings = false
    harness.open(0, (0..<3).map { row($0) })
    harness.answerSendings()
    harness.answersSendings = true
    #expect(harness.requests.count == 1)
    harness.give(.partitionDraining(0))
    #expect(harness.drained.isEmpty)
    harness.reply(200)
    harness.run(for: 1_000)
    #expect(harness.drained == [0])
    #expect(harness.outcomes == [ref(0): .delivered])
    #expect(harness.sent.count == 1)
    #expect(harness.ready[0] != true)
  }

  @Test("DONEs are grouped: by a thousand, or a tenth of a second")
  func grouping() {
    let harness = Harness(contract(batch: 1_000, concurrency: 4))
    harness.open(0, (0..<3_500).map { row($0) })
    while !harness.requests.isEmpty { harness.reply(200) }
    harness.run(for: 200)
    #expect(harness.outcomes.count == 3_500)
    #expect(harness.done.allSatisfy { $0.rows.count <= 1_000 })
    #expect(harness.done.count <= 5)
    let single = Harness(contract(concurrency: 100))
    single.open(0, (0..<50).map { row($0) })
    for _ in 0..<49 { single.reply(200) }
    #expect(single.done.isEmpty)
    single.run(for: 100)
    #expect(single.done.map(\.rows.count) == [49])
  }
}
