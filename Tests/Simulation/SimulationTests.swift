import Foundation
import Synchronization
import Testing

/// The partition core, ledger fold, delivery and rate machines as the daemon runs them, under virtual time.
///
/// METERD_SIM_SEEDS: how many seeds (5,000 in a release build, 200 in a debug one). METERD_SIM_FIRST: the first.
/// METERD_SIM_SEED: replay this one, with METERD_SIM_TRACE=1 for what happened.
@Suite struct SimulationTests {
  private static let environment = ProcessInfo.processInfo.environment

  private static let seeds: Range<UInt64> = {
    #if DEBUG
    let usual: UInt64 = 200
    #else
    let usual: UInt64 = 5_000
    #endif
    let first = environment["METERD_SIM_FIRST"].flatMap(UInt64.init) ?? 1
    return first..<first + (environment["METERD_SIM_SEEDS"].flatMap(UInt64.init) ?? usual)
  }()

  /// One for each core: test cases run side by side.
  private static let shares = UInt64(max(1, ProcessInfo.processInfo.activeProcessorCount))

  /// A share ends after so many failures.
  private static let mostFailures = 20

  private struct Tally {
    var coverage = Coverage()
    var seeds = 0
    var sharesLeft = shares
  }
  private static let tally = Mutex(Tally())

  @Test("every seed bills exactly what was counted", arguments: 0..<shares)
  func seeds(share: UInt64) throws {
    var coverage = Coverage()
    var failures = 0
    var ran = 0
    let watchdog = Watchdog()
    for seed in Self.seeds where seed % Self.shares == share {
      var run = Run(seed: seed)
      watchdog.begin(seed)
      do {
        try run.run()
      } catch {
        Issue.record("\(error)")
        failures += 1
      }
      ran += 1
      coverage.add(run.world.coverage)
      if failures == Self.mostFailures { break }
    }
    watchdog.end()
    let isLast = Self.tally.withLock { tally in
      tally.coverage.add(coverage)
      tally.seeds += ran
      tally.sharesLeft -= 1
      return tally.sharesLeft == 0
    }
    if isLast { judgeCoverage() }
  }

  /// The last share to end looks at all of them: what the seeds are meant to exercise must have happened.
  private func judgeCoverage() {
    let tally = Self.tally.withLock { $0 }
    if Self.environment["METERD_SIM_COVERAGE"] != nil {
      for (what, count) in tally.coverage.counts.sorted(by: { $0.key < $1.key }) { print("\(count)\t\(what)") }
    }
    print("simulation: \(tally.seeds) seeds, from \(Self.seeds.lowerBound)")
    guard tally.seeds >= 1_000 else { return }
    let missing = Coverage.expected.filter { tally.coverage.counts[$0] == nil }
    #expect(missing.isEmpty, "these never happened in \(tally.seeds) seeds")
  }

  @Test("replay of METERD_SIM_SEED", .enabled(if: environment["METERD_SIM_SEED"] != nil))
  func replay() throws {
    let seed = try #require(Self.environment["METERD_SIM_SEED"].flatMap(UInt64.init))
    let isTraced = Self.environment["METERD_SIM_TRACE"] != nil
    var run = Run(seed: seed, trace: isTraced ? { print($0) } : nil)
    let watchdog = Watchdog()
    watchdog.begin(seed)
    defer { watchdog.end() }
    try run.run()
  }

  @Test("the same seed is the same history")
  func isDeterministic() throws {
    var histories: [[String]] = []
    for _ in 0..<2 {
      var history: [String] = []
      var run = Run(seed: 42) { history.append($0) }
      try? run.run()
      histories.append(history)
    }
    #expect(!histories[0].isEmpty)
    #expect(histories[0] == histories[1])
  }
}

/// Names the seed of a run that loops within one event: no limit of steps or actions can catch that.
private final class Watchdog: Sendable {
  private struct State {
    var seed: UInt64 = 0
    var isOver = false
  }
  private let state = Mutex(State())

  private static let seconds = 60

  func begin(_ seed: UInt64) {
    state.withLock { $0.seed = seed }
    DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(Self.seconds)) { [weak self] in
      guard let now = self?.state.withLock({ $0 }), !now.isOver, now.seed == seed else { return }
      fatalError("\(SimulationFailure(seed: seed, what: "still runs after \(Self.seconds) s"))")
    }
  }

  func end() { state.withLock { $0.isOver = true } }
}
