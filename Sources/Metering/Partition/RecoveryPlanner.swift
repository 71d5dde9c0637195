/// Decides, from the ledger's head and what local state says of itself, what has to be read again.
///
/// Pure, so that every case is a unit test. The rule it serves: dedup decides the same from warm, restored, cut-back and
/// rebuilt state.
struct RecoveryPlanner {
  var genesis: Genesis
  var head: LedgerHead
  /// The standing cuts that are still remembered, in order.
  var cuts: [CutInfo]
  var rules: BillingRules
  var rulesDigest: Digest
  /// Where the usage partition begins and ends now.
  var logStart: Int64
  var logEnd: Int64

  /// A plan, and the first offset of the window where the topic no longer holds it.
  struct Result {
    var plan: RecoveryPlan
    var missing: Int64?
  }

  func plan(local: LocalSummary?) -> Result {
    let resumeAt = max(head.offset, logStart)
    if let local, hasSameWindow(local) {
      if local.headRecordOffset == head.recordOffset, local.headOffset == head.offset,
        local.configuration == rulesDigest, local.nextOffset >= head.offset, local.nextOffset <= logEnd
      {
        let plan = RecoveryPlan(
          local: .use, replay: [], clockMilliseconds: nil, countFrom: max(local.nextOffset, logStart))
        return Result(plan: plan)
      }
      if let after = cutsAfter(local), after.first.map({ $0.from >= logStart }) ?? true {
        let plan = RecoveryPlan(
          local: .cutBack, replay: after.filter { $0.from < $0.to }, clockMilliseconds: clockAt(local),
          countFrom: resumeAt)
        return Result(plan: plan)
      }
    }
    return rebuild(resumeAt: resumeAt)
  }

  private func hasSameWindow(_ local: LocalSummary) -> Bool {
    local.bucketMilliseconds == rules.counting.bucketMilliseconds
  }

  /// The clock that the local head's record states.
  private func clockAt(_ local: LocalSummary) -> Int64 {
    cuts.first { $0.recordOffset == local.headRecordOffset }?.clockMilliseconds
      ?? (local.headRecordOffset == head.recordOffset ? head.clockMilliseconds : 0)
  }

  /// The cuts after the local head, if that head stands in this ledger.
  private func cutsAfter(_ local: LocalSummary) -> [ReplayRange]? {
    if local.headRecordOffset == head.recordOffset { return local.headOffset == head.offset ? [] : nil }
    guard let index = cuts.firstIndex(where: { $0.recordOffset == local.headRecordOffset }) else {
      // GENESIS is a head too, as long as no cut after it was forgotten.
      guard local.headRecordOffset == genesisRecordOffset, cuts.first?.number == 0,
        local.headOffset == genesis.startOffset
      else { return nil }
      return cuts.map(\.replayRange)
    }
    guard cuts[index].to == local.headOffset else { return nil }
    return cuts[(index + 1)...].map(\.replayRange)
  }

  /// GENESIS is the ledger's first record but for a RESOLVE of a lost ledger.
  private var genesisRecordOffset: Int64 { head.genesisRecordOffset }

  /// Everything that can still have a sighting within the window of the next record: bucket(clock) − 8 and later.
  private func rebuild(resumeAt: Int64) -> Result {
    let bucket = rules.counting.bucketMilliseconds
    func number(_ clock: Int64) -> Int64 { floorDivide(clock, bucket) }
    let oldest = number(head.clockMilliseconds) - 8
    var first = 0
    while first < cuts.count, number(cuts[first].clockMilliseconds) < oldest { first += 1 }
    var ranges = cuts[first...].map(\.replayRange).filter { $0.from < $0.to }
    var clock = first > 0 ? cuts[first - 1].clockMilliseconds : 0
    if first == 0, cuts.first.map({ $0.number == 0 }) ?? (head.nextCut == 0) {
      let sightings = ReplayRange(
        from: genesis.dedupFromOffset, to: genesis.startOffset, capMilliseconds: head.genesisCapMilliseconds,
        configuration: genesis.configuration, headRecordOffset: genesisRecordOffset)
      if sightings.from < sightings.to { ranges.insert(sightings, at: 0) }
      clock = 0
    } else if first == 0, let before = head.clockBeforeCuts {
      clock = before
    }
    // A window that was made longer reaches only as far back as the cut that introduced it says.
    if let reach = cuts.last(where: { $0.indexFromOffset != nil })?.indexFromOffset {
      ranges = ranges.compactMap { clip($0, from: reach) }
    }
    let missing = ranges.first { $0.from < logStart }?.from
    ranges = ranges.compactMap { clip($0, from: logStart) }
    let plan = RecoveryPlan(local: .rebuild, replay: ranges, clockMilliseconds: clock, countFrom: resumeAt)
    return Result(plan: plan, missing: missing)
  }

  private func clip(_ range: ReplayRange, from: Int64) -> ReplayRange? {
    guard range.to > from else { return nil }
    var clipped = range
    clipped.from = max(range.from, from)
    return clipped
  }
}

extension CutInfo {
  var replayRange: ReplayRange {
    ReplayRange(from: from, to: to, capMilliseconds: capMilliseconds, configuration: configuration,
      headRecordOffset: recordOffset)
  }
}

/// ⌊a / b⌋ for positive b.
func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
  let quotient = a / b
  return a % b < 0 ? quotient - 1 : quotient
}
