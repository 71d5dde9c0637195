import Testing

@testable import Metering

@Suite struct RecoveryPlannerTests {
  private static let hour: Int64 = 3_600_000
  private static let digest = Digest(high: 1, low: 1)

  private func cut(_ number: UInt64, from: Int64, to: Int64, clock: Int64, indexFrom: Int64? = nil) -> LedgerCut {
    LedgerCut(
      number: number, from: from, to: to, clockMilliseconds: clock, capMilliseconds: clock + Self.hour,
      configuration: Self.digest, indexFromOffset: indexFrom, lastRecord: nil, isAcceptedLoss: false, nonce: 1,
      summary: SetSummary(set: 0, chunks: 0, digest: Self.digest), firstOffset: Int64(number) + 10,
      sealOffset: Int64(number) + 10, ledgerMilliseconds: clock, rows: 0, quantity: .zero, quantityBefore: .zero,
      chunks: nil)
  }

  /// Three cuts an hour apart, and rules of a day's window.
  private func planner(
    introducedAt: Int? = nil, reach: Int64? = nil, headBucket: Int64? = nil, logStart: Int64 = 0
  ) -> RecoveryPlanner {
    let rules = Sample.rules()
    var cuts: [LedgerCut] = []
    for number in 0..<3 {
      cuts.append(
        cut(
          UInt64(number), from: 100 + Int64(number) * 10, to: 110 + Int64(number) * 10,
          clock: 1_760_000_000_000 + Int64(number) * Self.hour, indexFrom: introducedAt == number ? reach : nil))
    }
    let head = Head(
      offset: 130, cutNumber: 3, clockMilliseconds: cuts[2].clockMilliseconds,
      ledgerMilliseconds: cuts[2].ledgerMilliseconds, recordOffset: cuts[2].sealOffset, configuration: Self.digest,
      lastRecord: nil)
    return RecoveryPlanner(
      genesis: Sample.genesis(rules), genesisOffset: 0, head: head, cuts: cuts, rules: rules,
      rulesDigest: Self.digest, headBucketMilliseconds: headBucket ?? rules.counting.bucketMilliseconds,
      logStart: logStart,
      logEnd: 200)
  }

  private func local(at cut: Int) -> LocalSummary {
    LocalSummary(
      incarnation: [], configuration: Self.digest, bucketMilliseconds: Sample.rules().counting.bucketMilliseconds,
      headRecordOffset: Int64(cut) + 10, headOffset: 110 + Int64(cut) * 10, nextOffset: 110 + Int64(cut) * 10,
      ledgerNextOffset: 20, ledgerDigest: Self.digest)
  }

  @Test("local state of the head's window is used, or cut back")
  func sameWindow() {
    #expect(planner().plan(local: local(at: 2)).plan.local == .use)
    #expect(planner().plan(local: local(at: 1)).plan.local == .cutBack)
  }

  @Test(
    "what was counted beyond the head, short of a log that begins later, does not stay: its cut says that it is lost")
  func startBeyondLocalState() {
    var state = local(at: 2)
    state.nextOffset = 150
    let kept = planner(logStart: 150).plan(local: state).plan
    #expect(kept.local == .use)
    #expect(kept.countFrom == 150)
    let given = planner(logStart: 151).plan(local: state).plan
    #expect(given.local == .cutBack)
    #expect(given.replay.isEmpty)
    #expect(given.countFrom == 151)
    #expect(given.clockMilliseconds == 1_760_000_000_000 + 2 * Self.hour)
  }

  @Test("a rebuild that begins within a cut begins with that cut's clock: no sighting leaves the window early")
  func clockWithinACut() {
    let within = planner(logStart: 115).plan(local: nil)
    #expect(within.missing == 90)
    #expect(within.plan.replay.map(\.from) == [115, 120])
    #expect(within.plan.clockMilliseconds == 1_760_000_000_000 + Self.hour)
    #expect(planner(logStart: 110).plan(local: nil).plan.clockMilliseconds == 1_760_000_000_000)
  }

  @Test("while no cut has introduced a changed window, its index is rebuilt: nobody has said how far it reaches")
  func windowWithoutIntroduction() {
    let plan = planner(headBucket: Self.hour).plan(local: local(at: 2)).plan
    #expect(plan.local == .rebuild)
    #expect(plan.replay.first?.from == 90)
  }

  @Test("an index from before the cut that introduced the window reaches somewhere else: it is rebuilt")
  func olderThanTheIntroduction() {
    #expect(planner(introducedAt: 1, reach: 100).plan(local: local(at: 0)).plan.local == .rebuild)
    #expect(planner(introducedAt: 1, reach: 100).plan(local: local(at: 1)).plan.local == .cutBack)
  }

  @Test("a rebuild that begins at the introduced reach begins with the clock there")
  func clockAtTheReach() {
    let plan = planner(introducedAt: 2, reach: 120).plan(local: nil).plan
    #expect(plan.replay.map(\.from) == [120])
    #expect(plan.clockMilliseconds == 1_760_000_000_000 + Self.hour)
    #expect(planner().plan(local: nil).plan.clockMilliseconds == 0)
  }
}
