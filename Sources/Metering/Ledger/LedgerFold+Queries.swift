/// What of the cuts is still needed, and what the state means.
extension LedgerFold {
  /// The cut of that number, while the window or an active sink needs it.
  public func cut(_ number: UInt64) -> LedgerCut? {
    guard let first = cuts.first, number >= first.number, number - first.number < UInt64(cuts.count) else { return nil }
    return cuts[Int(number - first.number)]
  }

  /// The index in ``cuts`` of the cut at whose end a rebuild of the window starts: the latest whose end-clock lies in a
  /// bucket more than 8 before the head's. Nil where the window reaches back to the first cut.
  private var windowStart: Int? {
    guard let head, let rules = headRules else { return nil }
    let length = rules.counting.bucketMilliseconds
    let present = DedupBucket.number(clockMilliseconds: head.clockMilliseconds, bucketMilliseconds: length)
    return cuts.lastIndex {
      DedupBucket.number(clockMilliseconds: $0.clockMilliseconds, bucketMilliseconds: length) < present - 8
    }
  }

  /// The cuts of the dedup window, ascending. Unless it is cut 0, the first one marks the start only: a rebuild reads
  /// from its `to`, with its clock.
  public var windowedCuts: ArraySlice<LedgerCut> { cuts[(windowStart ?? 0)...] }

  /// Where a rebuild of the window starts to read the usage partition, with the log's clock there.
  public struct RebuildStart: Hashable, Sendable {
    public var offset: Int64
    /// Unix milliseconds; Int64.min before the first timestamp.
    public var clockMilliseconds: Int64
    /// The first cut that the rebuild goes through; nil where that is the range after the head.
    public var nextCut: UInt64?
  }

  /// Nil before GENESIS. The dedup-from offset where the window reaches back to the beginning. Where a grown window
  /// reaches beyond what is remembered, the end of the oldest cut that is.
  public var rebuildStart: RebuildStart? {
    guard let genesis else { return nil }
    let marker: LedgerCut?
    if let windowStart { marker = cuts[windowStart] } else { marker = cuts.first.flatMap { $0.number > 0 ? $0 : nil } }
    guard let marker else {
      return RebuildStart(offset: genesis.dedupFromOffset, clockMilliseconds: .min, nextCut: cuts.first?.number)
    }
    return RebuildStart(
      offset: marker.to, clockMilliseconds: marker.clockMilliseconds, nextCut: cut(marker.number &+ 1)?.number)
  }

  /// Starts the sinks that a cut's configuration names for the first time, and those that come back with it.
  mutating func startSinks(under rules: BillingRules) -> [String] {
    var started: [String] = []
    let active = Set(sinks.values.lazy.filter(\.isActive).map(\.name))
    for name in sinks.keys { sinks[name]?.isActive = rules.sink(named: name).map { !$0.isRetired } ?? false }
    for rule in rules.sinks where !rule.isRetired {
      if let sink = sinks[rule.name] {
        if !active.contains(rule.name) { started.append(rule.name) }
        // A name that returns goes on at its last claim, as far back as cuts are remembered; older ones it skips.
        guard let oldest = cuts.first, oldest.number > sink.nextCut else { continue }
        let gap = oldest.quantityBefore.units &- sink.quantityBeforeNext.units
        sinks[rule.name]?.totals.skipped.units &+= gap
        sinks[rule.name]?.nextCut = oldest.number
        sinks[rule.name]?.quantityBeforeNext = oldest.quantityBefore
        continue
      }
      let first: LedgerCut? =
        switch rule.start {
        case .present: cuts.last
        case .earliest: cuts.first
        case .instant(let instant): cuts.first { $0.clockMilliseconds >= instant }
        }
      guard let first else { continue }
      sinks[rule.name] = SinkState(name: rule.name, firstCut: first.number, quantityBefore: first.quantityBefore)
      started.append(rule.name)
    }
    return started
  }

  /// A person accepts that the rows of cuts are gone: the active sinks that would claim them go on after the cut whose
  /// SEAL lies at `offset`, and say so in what is skipped.
  mutating func skipDeletedRows(through offset: Int64) {
    guard let last = cuts.first(where: { $0.sealOffset == offset }) else { return }
    let through = last.quantityBefore.units &+ last.quantity.units
    for (name, sink) in sinks where sink.isActive && sink.nextCut <= last.number {
      let span = unclaimedCuts(of: name).prefix { $0.number <= last.number }
      guard span.contains(where: { $0.chunks == nil && $0.summary.chunks > 0 }) else { continue }
      sinks[name]?.totals.skipped.units &+= through &- sink.quantityBeforeNext.units
      sinks[name]?.nextCut = last.number &+ 1
      sinks[name]?.quantityBeforeNext = Quantity(units: through)
    }
    pruneCuts()
  }

  /// Forgets the cuts that neither the window nor an active sink needs, and the rows that no active sink needs.
  mutating func pruneCuts() {
    let unclaimed = sinks.values.lazy.filter(\.isActive).map(\.nextCut).min() ?? .max
    for index in cuts.indices where cuts[index].number < unclaimed && cuts[index].chunks != nil {
      cuts[index].chunks = nil
    }
    let oldest = min(windowedCuts.first?.number ?? .max, unclaimed)
    if let first = cuts.first?.number, first < oldest {
      cuts.removeFirst(min(cuts.count - 1, Int(min(oldest - first, UInt64(cuts.count)))))
    }
  }

  /// The cuts that an active sink's next claim can span, ascending.
  public func unclaimedCuts(of sink: String) -> ArraySlice<LedgerCut> {
    guard let state = sinks[sink], state.isActive, let first = cuts.first else { return [] }
    let skip = state.nextCut > first.number ? state.nextCut - first.number : 0
    return cuts.dropFirst(Int(min(skip, UInt64(cuts.count))))
  }

  /// The head's configuration: GENESIS's until a cut changes it. Nil before GENESIS only.
  public var headRules: BillingRules? { head.flatMap { configurations[$0.configuration] } }

  /// The rules of a sink under the head's configuration.
  public func rules(of sink: String) -> SinkRules? { headRules?.sink(named: sink) }

  /// What is wrong with counting on under `rules`.
  public enum Admission: Hashable, Sendable {
    /// The head's configuration.
    case current
    /// Another one, of a higher version; the ledger holds it (`isKnown`), or its CONFIG has to be appended first.
    case change(isKnown: Bool)
    /// Another one, and its version is not higher than the head's.
    case versionNotRaised(present: Int64)
  }

  /// Whether the partition may be counted under these rules.
  public func admits(_ rules: BillingRules) -> Admission {
    let digest = rules.digest
    if digest == head?.configuration { return .current }
    if let standing = headRules, rules.version <= standing.version {
      return .versionNotRaised(present: standing.version)
    }
    return .change(isKnown: configurations[digest] != nil)
  }

  /// The active sinks that have unclaimed, unsettled or carried quantity, and that `rules` do not name: they may not
  /// vanish before they are marked retired.
  public func sinksThatMayNotVanish(from rules: BillingRules) -> [String] {
    sinks.values.filter { sink in
      guard sink.isActive, rules.sink(named: sink.name) == nil else { return false }
      return !sink.claims.isEmpty || !sink.carry.isEmpty || !sink.returned.isEmpty
        || unclaimedCuts(of: sink.name).contains { $0.rows > 0 }
    }.map(\.name).sorted()
  }

  /// counted − (settled + in flight + uncertain + parked + carried + dropped + skipped + not yet claimed), since the
  /// sink's first cut, wrapping: must be 0. Nil for a sink that no cut has named.
  public func conservation(sink name: String) -> Quantity? {
    guard let sink = sinks[name] else { return nil }
    let counted = quantity.units &- sink.quantityBeforeFirst.units
    let unclaimed = quantity.units &- sink.quantityBeforeNext.units
    let totals = sink.totals
    let known =
      totals.settled.units &+ totals.inFlight.units &+ totals.uncertain.units &+ totals.parked.units
      &+ totals.carried.units &+ totals.dropped.units &+ totals.skipped.units &+ unclaimed
    return Quantity(units: counted &- known)
  }

  /// What is not yet claimed for a sink (wrapping).
  public func unclaimedQuantity(of name: String) -> Quantity? {
    sinks[name].map { Quantity(units: quantity.units &- $0.quantityBeforeNext.units) }
  }

  /// consumed − (counted + duplicate + quarantined) over all cuts; where that is 0, counted − the events in rows. Must
  /// be 0.
  public var eventsImbalance: Int64 {
    let quarantined = counters.quarantined.reduce(0, &+)
    let judged = counters.consumed &- counters.counted &- counters.duplicate &- quarantined
    return judged != 0 ? judged : counters.counted &- eventsInRows
  }

  /// The RESOLVE of that stop.
  public func resolution(reason: String, offset: Int64) -> ResolvedStop? {
    resolvedStops.last { $0.reason == reason && $0.offset == offset }
  }

  /// Whether ``snapshot()`` may be taken now: no set of the owner is open that could still be sealed.
  public var canSnapshot: Bool { genesis != nil && openSets.isEmpty }
}
