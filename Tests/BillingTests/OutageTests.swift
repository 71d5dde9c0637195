import Billing
import Metering
import TestSupport
import Testing

/// What an outage of minutes leaves behind.
@Suite("Outage")
struct OutageTests {
  @Test("Few calls during it, one for each full batch after it; no claim is taken, nothing accumulates")
  func minutes() {
    let harness = Harness(contract(batch: 1_000, rates: [RateLimit(count: 500, burst: 50)], concurrency: 8))
    harness.open(0, [])
    #expect(harness.ready[0] == true)
    harness.give(.claimStands(0, rows: SinkRows((0..<20_000).map { row($0) })))
    // The rows of the first second fail, and the circuit opens.
    harness.run(for: 60_000) { while !harness.requests.isEmpty { harness.reply(503) } }
    let before = harness.sent.count
    let held = harness.machine.heldEntries
    var most = 0
    for _ in 0..<15 {
      harness.run(for: 60_000) {
        while !harness.requests.isEmpty { harness.reply(503) }
        most = max(most, harness.machine.heldEntries)
      }
      // The next claim waits, and so grows wider: more usage in as many rows.
      #expect(harness.ready[0] == false)
    }
    // Jitter draws the waits between probes; a minute at most once the failures have gone on.
    #expect(harness.sent.count - before < 120)
    #expect(harness.sent[before...].allSatisfy { $0.keys.count == 1 })
    #expect(most <= held + 200)
    let during = harness.sent.count
    harness.run(for: 120_000) { while !harness.requests.isEmpty { harness.reply(200) } }
    #expect(harness.outcomes.count == 20_000)
    #expect(harness.outcomes.values.allSatisfy { $0 == .delivered })
    // The probe that got through, the batches that failed whole come back whole, the rest in full ones.
    #expect(harness.sent.count - during <= 20 + 10)
    #expect(harness.ready[0] == true)
    #expect(harness.machine.heldEntries < 2_100)
  }

  @Test(
    "Whatever rows of a batch are at fault, exactly they are rejected, and the others have effect once",
    arguments: 0..<40)
  func bisection(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let count = Int.random(in: 1...200, using: &random)
    let batch = [1, 2, 7, 50, 256].randomElement(using: &random) ?? 1
    let bad = Set((0..<count).filter { _ in Int.random(in: 0..<20, using: &random) == 0 }.map { "k0.\($0)" })
    let harness = Harness(contract(batch: batch, concurrency: Int.random(in: 1...8, using: &random)), seed: seed)
    harness.open(0, (0..<count).map { row($0) })
    var effects: [String: Int] = [:]
    harness.run(for: 60_000) {
      while let request = harness.requests.randomElement(using: &random) {
        let isFine = bad.isDisjoint(with: request.keys)
        if isFine { for key in request.keys { effects[key, default: 0] += 1 } }
        harness.reply(isFine ? 200 : 400, to: request)
      }
    }
    #expect(harness.outcomes.count == count)
    #expect(Set(harness.outcomes.filter { $0.value == .rejected }.keys.map { "k0.\($0.row)" }) == bad)
    #expect(effects.count == count - bad.count && effects.values.allSatisfy { $0 == 1 })
    // A binary search for each row at fault, beside the batches that went through.
    let depth = (0...8).first { 1 << $0 >= batch } ?? 8
    #expect(harness.sent.count <= (count + batch - 1) / batch + bad.count * (2 * depth + 1) + 8)
  }
}
