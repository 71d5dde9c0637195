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
    // Nothing is tried meanwhile: time alone does it.
    harness.reply(503, [("Retry-After", "601")])
    harness.run(for: 599_999)
    #expect(harness.ready[0] != true)
    harness.run(for: 1)
    #expect(harness.ready[0] == true)
    #expect(harness.machine.status().deferredRows == 1)
  }

  @Test("A burst of 429s is one: what was under way when the pause began does not make it longer")
  func burst() {
    let harness = Harness(contract(concurrency: 100))
    harness.open(0, (0..<100).map { row($0) })
    #expect(harness.requests.count == 100)
    while !harness.requests.isEmpty { harness.reply(429) }
    let paused = harness.events.compactMap { if case .rateLimited(let until) = $0 { until } else { nil } }
    #expect(paused.count == 1)
    #expect((1...1_000).contains(paused[0] - harness.now))
  }

  @Test("A row whose outcome a person takes back while its attempt is under way is not forgotten")
  func retriedUnderWay() {
    let harness = Harness(contract())
    harness.open(0, [row(0)])
    harness.give(.rowGone(0, ref(0)))
    harness.give(.rowRetried(0, row(0)))
    harness.reply(503)
    harness.run(for: 2_000)
    #expect(harness.sent.count == 2)
    harness.reply(200)
    harness.run(for: 200)
    #expect(harness.outcomes == [ref(0): .delivered])
  }

  @Test("A timer that reaches less far than the machine asked for is set again")
  func shortTimer() {
    let harness = Harness(contract(timestamps: .init(newestAheadMilliseconds: 0)))
    harness.open(0, [row(0, timestamp: epoch + 2 * 86_400_000)])
    let asked = harness.wake
    #expect(asked.map { $0 >= 172_800_000 } == true)
    harness.wake = nil
    harness.now = 86_400_000
    harness.give(.tick)
    #expect(harness.wake == asked)
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
