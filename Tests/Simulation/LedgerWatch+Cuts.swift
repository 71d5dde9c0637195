import Metering

// Cuts against the oracle, claims against the cuts.
extension LedgerWatch {
  func judgeCut() {
    guard let cut = fold.cuts.last, let genesis = fold.genesis,
      let rules = fold.configurations[cut.configuration]?.counting,
      let founders = fold.configurations[genesis.configuration]?.counting
    else { return fail("a cut stands that is not remembered, or names no CONFIG") }
    if !sightingsAreJudged {
      sightingsAreJudged = true
      let sightings = Oracle.Range(
        from: genesis.dedupFromOffset, to: genesis.startOffset, cap: cut.capMilliseconds,
        rules: founders, indexFrom: nil)
      oracle.sight(sightings)
    }
    guard cut.from == oracle.end else {
      return fail("cut \(cut.number) begins at \(cut.from), the head was \(oracle.end ?? -1)")
    }
    if cut.from == cut.to { world.coverage.note("ledger: empty cut") }
    if cut.indexFromOffset != nil { world.coverage.note("cut: sightings of a changed window") }
    places.append((cut.firstOffset, cut.sealOffset))
    guard cut.to <= log.end else { return fail("cut \(cut.number) ends at \(cut.to), the log at \(log.end)") }
    let expected = judge(cut, rules: rules)
    let isJudged = expected.counted + expected.duplicate + expected.quarantined > 0
    if isJudged || cut.isAcceptedLoss, cut.clockMilliseconds != oracle.clock {
      fail("cut \(cut.number) states the clock \(cut.clockMilliseconds), it is \(oracle.clock)")
    }
    if cut.isAcceptedLoss { judgeLoss(cut) }
    for offset in expected.quarantinedOffsets where !log.quarantined.contains(offset) {
      fail("cut \(cut.number) stands, and record \(offset) is not in the quarantine topic")
    }
  }

  /// What a person has accepted as lost is gone, and the person has said so.
  private func judgeLoss(_ cut: LedgerCut) {
    world.coverage.note("ledger: accepted loss")
    let reason = StopReason.Code.logStartsBeyondHead.rawValue
    guard cut.to <= log.low, fold.resolution(reason: reason, offset: cut.from) != nil else {
      return fail("cut \(cut.number) gives [\(cut.from), \(cut.to)) up, the log begins at \(log.low)")
    }
  }

  /// What the cut must hold: the oracle's totals, compared with what it states.
  private func judge(_ cut: LedgerCut, rules: CountingRules) -> Oracle.Totals {
    let found = found(in: cut)
    var range = Oracle.Range(
      from: cut.from, to: cut.to, cap: cut.capMilliseconds, rules: rules, indexFrom: cut.indexFromOffset,
      isAcceptedLoss: cut.isAcceptedLoss)
    range.retainedFrom = world.writers[cut.nonce]?.retainedFrom ?? .min
    // A record that a person has accepted as not counted may have been counted all the same, by a reader that saw it.
    let accepted = log.elusive.filter {
      (cut.from..<cut.to).contains($0)
        && fold.resolution(reason: StopReason.Code.recordInHole.rawValue, offset: $0) != nil
    }.sorted()
    var first: (Oracle, Oracle.Totals)?
    for subset in 0..<(1 << min(accepted.count, 10)) {
      range.absent = Set(accepted.indices.filter { subset >> $0 & 1 == 1 }.map { accepted[$0] })
      var attempt = oracle
      let expected = attempt.judge(range)
      if first == nil { first = (attempt, expected) }
      guard difference(cut, found, expected) == nil, log.quarantined.isSuperset(of: expected.quarantinedOffsets)
      else { continue }
      first = (attempt, expected)
      break
    }
    guard let (judged, expected) = first else { return found }
    oracle = judged
    cuts.append(expected)
    if let difference = difference(cut, found, expected) { fail(difference) }
    return expected
  }

  /// What the cut states.
  private func found(in cut: LedgerCut) -> Oracle.Totals {
    var found = Oracle.Totals()
    let counters = fold.counters
    found.counted = counters.counted - former.counted
    found.duplicate = counters.duplicate - former.duplicate
    found.quarantined = counters.quarantinedTotal - former.quarantinedTotal
    former = counters
    do {
      for row in try (cut.chunks ?? []).flatMap({ try CutChunk.rows(in: $0) }) {
        let values = row.dimensions.withUnsafeBytes { DimensionEncoding.values(of: $0) } ?? []
        let dimensions = values.map { if case .string(let text) = $0 { text } else { "" } }
        let key = Oracle.RowKey(
          customer: String(decoding: row.customer, as: UTF8.self),
          feature: String(decoding: row.feature, as: UTF8.self), dimensions: dimensions,
          slot: row.slotStartMilliseconds)
        found.rows[key] = Oracle.Row(
          units: row.quantity.units, events: row.events, greatestTime: row.greatestTimeMilliseconds)
      }
    } catch {
      fail("cut \(cut.number) cannot be read: \(error)")
    }
    return found
  }

  /// How the cut differs from what it must hold, in words.
  private func difference(_ cut: LedgerCut, _ found: Oracle.Totals, _ expected: Oracle.Totals) -> String? {
    // The rows of a cut that no sink needs are not kept: its quantity is.
    if cut.chunks == nil {
      let sum = expected.rows.values.reduce(0) { $0 + $1.units }
      if cut.quantity.units != sum {
        return "cut \(cut.number) holds \(cut.quantity), expected \(Quantity(units: sum))"
      }
    }
    let haveRows = cut.chunks == nil || found.rows == expected.rows
    let haveCounts =
      (found.counted, found.duplicate, found.quarantined)
      == (expected.counted, expected.duplicate, expected.quarantined)
    if haveRows && haveCounts { return nil }
    let rows = Set(found.rows.keys).union(expected.rows.keys).filter { found.rows[$0] != expected.rows[$0] }
    let text = rows.prefix(2).map {
      "\($0): \(String(describing: found.rows[$0])), not \(String(describing: expected.rows[$0]))"
    }
    return """
      cut \(cut.number) [\(cut.from), \(cut.to)) counted \(found.counted), duplicate \(found.duplicate), quarantined \
      \(found.quarantined), expected \(expected.counted), \(expected.duplicate), \(expected.quarantined); \(text)
      """
  }

  // MARK: Claims

  /// Every cut from a sink's first on is in exactly one of its claims, with what it holds.
  func judgeClaim(of sink: String, _ entry: LedgerEntry) {
    guard case .claim(let seal)? = try? LedgerCodec.decode(entry.bytes).record,
      let routed = world.scenario.sinks.first(where: { $0.name == sink })
    else { return fail("a CLAIM of no sink") }
    let next = claimedThrough[sink] ?? fold.sinks[sink]?.firstCut ?? 0
    guard seal.firstCut == next || (seal.firstCut > next && mayHaveGap.contains(sink)) else {
      return fail("\(sink): a claim begins at cut \(seal.firstCut), the next one was \(next)")
    }
    guard seal.lastCut < UInt64(cuts.count) else { return fail("\(sink): a claim of cuts that do not stand") }
    mayHaveGap.remove(sink)
    claimedThrough[sink] = seal.lastCut + 1
    for number in seal.firstCut...seal.lastCut {
      for (key, row) in cuts[Int(number)].rows {
        guard let meter = routed.meter(of: key.feature) else { continue }
        billable[sink, default: [:]][BilledKey(customer: key.customer, meter: meter), default: 0] += row.units
      }
    }
    if !(fold.sinks[sink]?.carry.isEmpty ?? true) { world.coverage.note("ledger: carry") }
  }
}
