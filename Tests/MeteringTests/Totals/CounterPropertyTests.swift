import Metering
import Testing

/// However the counter gets where it is, it decides as the design's words do.
@Suite struct CounterPropertyTests {
  private func check(
    _ seeds: ClosedRange<UInt64>, records: Int, calm: Bool = false, _ troubles: CounterHarness.Troubles
  ) throws
    -> [CounterHarness]
  {
    try seeds.map { seed in
      let stream = UsageStream(seed: seed, count: records, calm: calm)
      let oracle = Oracle(stream)
      var harness = CounterHarness(stream, oracle, seed: seed &* 77, troubles)
      try harness.run()
      for (range, expected) in zip(harness.ledger, oracle.ranges) {
        #expect(range == expected, "seed \(seed), range from \(expected.from)")
        #expect(range.counters.isBalanced)
      }
      #expect(harness.ledger.count == oracle.ranges.count)
      #expect(harness.quarantined == oracle.quarantined, "seed \(seed)")
      return harness
    }
  }

  @Test func straightThrough() throws {
    _ = try check(1...12, records: 500, .init())
  }

  @Test func streamsHaveWhatTheyAreMeantToHave() {
    let oracles = (1...12).map { Oracle(UsageStream(seed: $0, count: 500)) }
    let ranges = oracles.flatMap(\.ranges)
    #expect(ranges.reduce(0) { $0 + $1.counters.duplicate } > 500)
    #expect(ranges.reduce(0) { $0 + $1.counters.counted } > 500)
    let reasons = oracles.flatMap { $0.quarantined.values }
    #expect(reasons.contains(.keyConflict) && reasons.contains(.malformedJSON))
    #expect(ranges.count > 24)
  }

  @Test func restoredFromTheJournal() throws {
    let runs = try check(21...40, records: 400, .init(commit: 30, crash: 10))
    #expect(runs.reduce(0) { $0 + $1.crashes } > 30)
  }

  @Test func cutBackAndReplayed() throws {
    let runs = try check(41...60, records: 400, .init(commit: 40, crash: 8, foreignCuts: 60))
    #expect(runs.reduce(0) { $0 + $1.cutBacks } > 20)
  }

  @Test func sealedAndRestored() throws {
    let runs = try check(61...80, records: 400, .init(commit: 30, crash: 5, foreignCuts: 30, seal: 40))
    #expect(runs.reduce(0) { $0 + $1.seals } > 40)
  }

  @Test func rebuiltFromTheRecords() throws {
    let runs = try check(81...100, records: 400, .init(crash: 8, lostDisk: 70))
    #expect(runs.reduce(0) { $0 + $1.rebuilds } > 20)
  }

  @Test func shortOfMemory() throws {
    let runs = try check(101...102, records: 9000, calm: true, .init(commit: 5, crash: 1, seal: 2, memoryLimit: 1))
    #expect(runs.reduce(0) { $0 + $1.memoryStops } > 0)
  }
}
