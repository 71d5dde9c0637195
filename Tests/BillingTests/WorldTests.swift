import Billing
import TestSupport
import Testing

/// METERD_TEST_SEEDS raises the number of seeds; each failure names its seed.
private let seeds: ClosedRange<UInt64> = 1...(environment("METERD_TEST_SEEDS").flatMap { UInt64($0) } ?? 60)

@Suite("Randomized: crashes, two live owners, faults")
struct WorldTests {
  @Test("Idempotent, one row a request, one in flight per customer: exactly once")
  func stripeLike() {
    for seed in seeds {
      let world = World(
        seed: seed,
        .init(
          contract: contract(
            rates: [RateLimit(count: 20, burst: 5)], concurrency: 10, serial: true, timeout: 30_000),
          providerWindow: 86_400_000))
      world.run()
      #expect(world.judge() == [], "seed \(seed)")
      #expect(world.uncertain == 0, "seed \(seed): nothing was older than the window")
      checkRate(world.starts, count: 20, burst: 5 + world.lives.count, seed)
    }
  }

  @Test("Idempotent, batches: exactly once")
  func webhookLike() {
    for seed in seeds {
      let world = World(
        seed: seed, .init(contract: contract(batch: 7, concurrency: 3), providerWindow: 86_400_000))
      world.run()
      #expect(world.judge() == [], "seed \(seed)")
      #expect(world.uncertain == 0, "seed \(seed)")
    }
  }

  @Test("A short window under long outages: never sent after it, uncertain instead")
  func shortWindow() {
    var uncertain = 0
    for seed in seeds {
      let hour: Int64 = 3_600_000
      let world = World(
        seed: seed,
        .init(
          contract: contract(batch: 3, idempotency: .key(windowMilliseconds: hour), concurrency: 3),
          providerWindow: hour, minutes: 180, outage: 2_000..<(2 * hour)))
      world.run()
      #expect(world.judge() == [], "seed \(seed)")
      uncertain += world.uncertain
    }
    #expect(uncertain > 0)
  }

  @Test("Not idempotent: at most once, whatever happens; unknown outcomes are uncertain")
  func notIdempotent() {
    var uncertain = 0
    for seed in seeds {
      let world = World(
        seed: seed,
        .init(contract: contract(batch: 2, idempotency: .none, concurrency: 4), providerWindow: nil))
      world.run()
      #expect(world.judge() == [], "seed \(seed)")
      uncertain += world.uncertain
    }
    #expect(uncertain > 0)
  }

  @Test("Racy: effects once, since attempts never overlap")
  func racy() {
    for seed in seeds {
      let world = World(
        seed: seed,
        .init(
          contract: contract(
            idempotency: .racyKey(windowMilliseconds: 86_400_000), concurrency: 4, serial: true),
          providerWindow: 86_400_000))
      world.run()
      #expect(world.judge() == [], "seed \(seed)")
    }
  }

  /// In no window of a second more than a second's worth and the bursts of all instances that lived.
  private func checkRate(_ starts: [Int64], count: Int, burst: Int, _ seed: UInt64) {
    let starts = starts.sorted()
    var first = 0
    for (index, start) in starts.enumerated() {
      while starts[first] <= start - 1_000 { first += 1 }
      if index - first + 1 > count + burst {
        Issue.record("seed \(seed): \(index - first + 1) requests within a second")
        return
      }
    }
  }
}
