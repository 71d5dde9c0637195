import Testing

@testable import Daemon

/// How long usage takes to its settlement, by hand-made cuts and claims.
@Suite struct SettleTimesTests {
  @Test func aClaimIsAsOldAsTheOldestRecordOfItsCuts() {
    var times = SettleTimes(sinks: ["a", "b"])
    times.counted(offset: 0, timestamp: 1_000, now: 9_000)
    times.counted(offset: 10, timestamp: 3_000, now: 9_000)
    times.cut(0, from: 0, to: 20)
    times.counted(offset: 20, timestamp: 5_000, now: 9_000)
    times.cut(1, from: 20, to: 30)
    times.claimed(sink: "a", claim: 0, throughCut: 0, rows: 3)
    times.claimed(sink: "a", claim: 1, throughCut: 1, rows: 3)
    times.claimed(sink: "b", claim: 0, throughCut: 1, rows: 3)
    #expect(times.seconds(sink: "a", claim: 0, now: 11_000) == 10)
    #expect(times.seconds(sink: "a", claim: 1, now: 11_000) == 6)
    #expect(times.seconds(sink: "b", claim: 0, now: 11_000) == 10)
    #expect(times.seconds(sink: "c", claim: 0, now: 11_000) == nil)
  }

  @Test func aBatchThatReachesOverACutBelongsToBoth() {
    var times = SettleTimes(sinks: ["a"])
    times.counted(offset: 0, timestamp: 1_000, now: 9_000)
    times.cut(0, from: 0, to: 5)
    times.cut(1, from: 5, to: 8)
    times.claimed(sink: "a", claim: 0, throughCut: 0, rows: 1)
    times.claimed(sink: "a", claim: 1, throughCut: 1, rows: 1)
    #expect(times.seconds(sink: "a", claim: 1, now: 2_000) == 1)
  }

  @Test func whatHasNoTimeIsAsOldAsItsReading() {
    var times = SettleTimes(sinks: ["a"])
    times.counted(offset: 0, timestamp: -1, now: 4_000)
    // A record from the future is as old as its reading, too.
    times.counted(offset: 1, timestamp: 90_000, now: 4_500)
    times.cut(0, from: 0, to: 2)
    times.claimed(sink: "a", claim: 0, throughCut: 0, rows: 1)
    #expect(times.seconds(sink: "a", claim: 0, now: 5_000) == 1)
  }

  @Test func anOutageOfManyCutsKeepsTheOldest() {
    var times = SettleTimes(sinks: ["a"])
    for number in 0..<5_000 as Range<Int64> {
      times.counted(offset: number, timestamp: number * 1_000, now: .max)
      times.cut(UInt64(number), from: number, to: number + 1)
    }
    times.claimed(sink: "a", claim: 0, throughCut: 4_999, rows: 1)
    #expect(times.seconds(sink: "a", claim: 0, now: 10_000) == 10)
    // A claim of what this process has not counted is not timed.
    times.claimed(sink: "a", claim: 1, throughCut: 5_000, rows: 1)
    #expect(times.seconds(sink: "a", claim: 1, now: 10_000) == nil)
  }
}
