/// Decides, from the ledger's head and what local state says of itself, what has to be read again.
///
/// Pure, so that every case is a unit test. The rule it serves: dedup decides the same from warm, restored, cut-back and
/// rebuilt state.
struct RecoveryPlanner {
  var genesis: Genesis
  /// The ledger offset of GENESIS: it is a head too.
  var genesisOffset: Int64
  var head: Head
  /// The standing cuts that are still remembered, in order.
  var cuts: [LedgerCut]
  var rules: BillingRules
  var rulesDigest: Digest
  /// The length of the dedup buckets under the head's configuration, milliseconds.
  var headBucketMilliseconds: Int64
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
        local.configuration == rulesDigest, local.nextOffset >= max(head.offset, logStart), local.nextOffset <= logEnd
      {
        // (What it has counted beyond the head, and short of the log's start, will be given up: nothing of it may stay.)
        let plan = RecoveryPlan(local: .use, replay: [], clockMilliseconds: nil, countFrom: local.nextOffset)
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

  /// Whether the local index holds what a rebuild for these rules would hold.
  ///
  /// A changed window makes another index, which reaches as far back as the cut that introduces it says. Until that cut
  /// stands, nobody has said how far that is; and an index from before it reaches somewhere else.
  private func hasSameWindow(_ local: LocalSummary) -> Bool {
    guard local.bucketMilliseconds == rules.counting.bucketMilliseconds,
      headBucketMilliseconds == rules.counting.bucketMilliseconds
    else { return false }
    return introduction.map { local.headRecordOffset >= $0.sealOffset } ?? true
  }

  /// The last remembered cut that introduced a changed window.
  private var introduction: LedgerCut? { cuts.last { $0.indexFromOffset != nil } }

  /// The clock that the local head's record states.
  private func clockAt(_ local: LocalSummary) -> Int64 {
    cuts.first { $0.sealOffset == local.headRecordOffset }?.clockMilliseconds
      ?? (local.headRecordOffset == head.recordOffset ? max(0, head.clockMilliseconds) : 0)
  }

  /// The cuts after the local head, if that head stands in this ledger.
  private func cutsAfter(_ local: LocalSummary) -> [ReplayRange]? {
    if local.headRecordOffset == head.recordOffset { return local.headOffset == head.offset ? [] : nil }
    guard let index = cuts.firstIndex(where: { $0.sealOffset == local.headRecordOffset }) else {
      // GENESIS is a head too, as long as no cut after it was forgotten.
      guard local.headRecordOffset == genesisOffset, cuts.first?.number == 0,
        local.headOffset == genesis.startOffset
      else { return nil }
      return cuts.map(\.replayRange)
    }
    guard cuts[index].to == local.headOffset else { return nil }
    return cuts[(index + 1)...].map(\.replayRange)
  }

  /// Everything that can still have a sighting within the window of the next record: bucket(clock) − 8 and later.
  private func rebuild(resumeAt: Int64) -> Result {
    let bucket = rules.counting.bucketMilliseconds
    func number(_ clock: Int64) -> Int64 {
      DedupBucket.number(clockMilliseconds: max(0, clock), bucketMilliseconds: bucket)
    }
    let oldest = number(head.clockMilliseconds) - 8
    // The latest cut that ends before the window marks its start; so does the first that is remembered, unless it is
    // the very first: the clock before it is not known any more.
    var start = cuts.lastIndex { number($0.clockMilliseconds) < oldest }
    if start == nil, let first = cuts.first, first.number > 0 { start = 0 }
    var ranges: [ReplayRange]
    if let start {
      ranges = cuts[(start + 1)...].map(\.replayRange)
    } else {
      let sightings = ReplayRange(
        from: genesis.dedupFromOffset, to: genesis.startOffset,
        capMilliseconds: cuts.first?.capMilliseconds ?? head.capMilliseconds, configuration: genesis.configuration,
        headRecordOffset: genesisOffset)
      ranges = [sightings] + cuts.map(\.replayRange)
    }
    ranges.removeAll { $0.from >= $0.to }
    // A window that was changed reaches only as far back as the cut that introduced it says.
    if let reach = introduction?.indexFromOffset { ranges = ranges.compactMap { clip($0, from: reach) } }
    let missing = ranges.first { $0.from < logStart }?.from
    ranges = ranges.compactMap { clip($0, from: logStart) }
    // The clock before the first record that is read again: what the last cut below it states.
    let from = ranges.first?.from ?? head.offset
    // Where that lies within a cut, what is gone may have moved the clock as far as the cut's end: then that is taken, so
    // that no sighting leaves the window early.
    let stated = cuts.first { begin(of: $0) < from && from < $0.to } ?? cuts.last { $0.to <= from }
    let clock = stated.map { max(0, $0.clockMilliseconds) } ?? 0
    let plan = RecoveryPlan(local: .rebuild, replay: ranges, clockMilliseconds: clock, countFrom: resumeAt)
    return Result(plan: plan, missing: missing)
  }

  /// GENESIS does not state the clock at the end of the sightings before the start: the first cut does, for both.
  private func begin(of cut: LedgerCut) -> Int64 { cut.number == 0 ? genesis.dedupFromOffset : cut.from }

  private func clip(_ range: ReplayRange, from: Int64) -> ReplayRange? {
    guard range.to > from else { return nil }
    var clipped = range
    clipped.from = max(range.from, from)
    return clipped
  }
}

extension LedgerCut {
  var replayRange: ReplayRange {
    ReplayRange(
      from: from, to: to, capMilliseconds: capMilliseconds, configuration: configuration,
      headRecordOffset: sealOffset)
  }
}
