import Metering

/// Compares what the ledger and the providers say with what the oracle says.
struct Judge {
  let world: World

  private func failure(_ what: String) -> SimulationFailure { SimulationFailure(seed: world.scenario.seed, what: what) }

  func isAtRest(_ partition: Int) -> Bool {
    guard let fold = try? fold(partition).fold, fold.head?.offset == lastOffset(partition) else { return false }
    return world.scenario.sinks.allSatisfy { sink in
      guard let state = fold.sinks[sink.name] else { return fold.cuts.allSatisfy { $0.rows == 0 } }
      let isClaimed = fold.unclaimedCuts(of: sink.name).allSatisfy { $0.rows == 0 }
      return isClaimed && state.totals.inFlightRows == 0
    }
  }

  /// The offset after the last record: what a head can reach. Holes at the end are not seen yet.
  private func lastOffset(_ partition: Int) -> Int64 {
    let records = world.usage[partition].records
    return Int64((records.lastIndex { $0 != nil } ?? -1) + 1)
  }

  private struct Folded {
    var fold: LedgerFold
    var cuts: [LedgerCut]
    var rows: [[CutRow]]
    var genesisCap: Int64
  }

  private func fold(_ partition: Int) throws(SimulationFailure) -> Folded {
    var folded = Folded(fold: LedgerFold(partition: Int32(partition)), cuts: [], rows: [], genesisCap: 0)
    for entry in world.ledgers[partition].entries(from: 0, limit: .max) {
      let change: LedgerChange
      do {
        change = try folded.fold.apply(entry)
      } catch {
        throw failure("the ledger cannot be folded: \(error)")
      }
      switch change {
      case .genesis: folded.genesisCap = folded.fold.head?.capMilliseconds ?? 0
      case .cut:
        guard let cut = folded.fold.cuts.last else { throw failure("a cut stands that is not remembered") }
        folded.cuts.append(cut)
        do {
          folded.rows.append(try (cut.chunks ?? []).flatMap { try CutChunk.rows(in: $0) })
        } catch {
          throw failure("cut \(cut.number) cannot be read: \(error)")
        }
      default: break
      }
    }
    return folded
  }

  func judge() throws(SimulationFailure) {
    if let stop = world.stops.first {
      throw failure("stopped: \(stop.code.rawValue) at \(stop.offset): \(stop.detail)")
    }
    var counted: [String: Int128] = [:]
    var folds: [LedgerFold] = []
    for partition in 0..<world.scenario.partitions {
      let folded = try fold(partition)
      try judgeCuts(folded, partition: partition, counted: &counted)
      try judgeSnapshots(folded.fold, partition: partition)
      folds.append(folded.fold)
    }
    for sink in world.scenario.sinks { try judge(sink, folds: folds, counted: counted) }
  }

  private func judgeCuts(
    _ folded: Folded, partition: Int, counted: inout [String: Int128]
  ) throws(SimulationFailure) {
    guard let head = folded.fold.head, head.offset == lastOffset(partition) else {
      let states = world.processes.map { $0.hosts[partition]?.status ?? "none" }
      throw failure(
        "the head is \(folded.fold.head?.offset ?? -1), the log ends at \(lastOffset(partition)); hosts \(states)")
    }
    if folded.fold.eventsImbalance != 0 { throw failure("events imbalance \(folded.fold.eventsImbalance)") }
    var cuts: [Oracle.Cut] = []
    var end: Int64 = 0
    for cut in folded.cuts {
      guard cut.from == end else { throw failure("cut \(cut.number) begins at \(cut.from), the head was \(end)") }
      end = cut.to
      guard let rules = folded.fold.configurations[cut.configuration]?.counting else {
        throw failure("cut \(cut.number) names no CONFIG")
      }
      cuts.append(
        Oracle.Cut(
          from: cut.from, to: cut.to, cap: cut.capMilliseconds, window: rules.windowMilliseconds,
          maxAge: rules.maxAgeMilliseconds, maxAhead: rules.maxAheadMilliseconds, indexFrom: cut.indexFromOffset))
    }
    let expected = Oracle.judge(log: world.usage[partition], sightings: nil, cuts: cuts)
    for (index, totals) in expected.enumerated() {
      var found = Oracle.Totals()
      for row in folded.rows[index] {
        let name = "\(String(decoding: row.customer, as: UTF8.self))|\(String(decoding: row.feature, as: UTF8.self))"
        found.byCustomerFeature[name, default: 0] += row.quantity.units
        found.counted += row.events
      }
      let cut = folded.cuts[index]
      if found.counted != totals.counted || found.byCustomerFeature != totals.byCustomerFeature {
        throw failure("cut \(cut.number) [\(cut.from), \(cut.to)) holds \(found), expected \(totals)")
      }
      for (name, units) in totals.byCustomerFeature { counted[name, default: 0] += units }
    }
  }

  /// Effects at the provider: each row once, with one value; nothing more, nothing less.
  private func judge(
    _ sink: SimulatedSink, folds: [LedgerFold], counted: [String: Int128]
  ) throws(SimulationFailure) {
    guard let provider = world.providers[sink.name] else { return }
    var observed: [String: Int128] = [:]
    var keys: Set<String> = []
    for effect in provider.effects {
      guard keys.insert(effect.key).inserted else { throw failure("\(sink.name): \(effect.key) took effect twice") }
      observed["\(effect.customer)|\(effect.meter)", default: 0] += effect.units
    }
    if let (key, values) = provider.values.first(where: { $0.value.count > 1 }) {
      throw failure("\(sink.name): \(key) was sent with \(values.count) values: \(values.sorted())")
    }
    for fold in folds {
      guard let state = fold.sinks[sink.name] else { continue }
      if let imbalance = fold.conservation(sink: sink.name), imbalance != .zero {
        throw failure("\(sink.name): conservation imbalance \(imbalance)")
      }
      for (key, quantity) in state.carry {
        let name = "\(String(decoding: key.customer, as: UTF8.self))|\(String(decoding: key.meter, as: UTF8.self))"
        observed[name, default: 0] += quantity.units
      }
      for claim in state.claims {
        for row in claim.rows {
          guard case .uncertain = row.state else {
            throw failure("\(sink.name): claim \(claim.number) row \(row.index) is not settled: \(row.state)")
          }
          let reference = RowReference(claim: claim.number, row: row.index)
          let key = IdempotencyKey.text(
            incarnation: fold.genesis?.incarnation ?? [], sink: sink.name, partition: fold.partition,
            reference: reference)
          if keys.contains(key) { continue }
          let name =
            "\(String(decoding: row.row.customer, as: UTF8.self))|\(String(decoding: row.row.meter, as: UTF8.self))"
          observed[name, default: 0] += row.row.value.units
        }
      }
    }
    let expected = counted.filter { $0.value != 0 }
    let found = observed.filter { $0.value != 0 }
    if expected != found {
      let differences = Set(expected.keys).union(found.keys).filter { expected[$0] != found[$0] }.sorted()
      let text = differences.map { "\($0): counted \(expected[$0] ?? 0), billed \(found[$0] ?? 0)" }
      throw failure("\(sink.name): \(text.joined(separator: "; "))")
    }
  }

  /// A fold that starts from any snapshot equals the fold from the beginning.
  private func judgeSnapshots(_ fold: LedgerFold, partition: Int) throws(SimulationFailure) {
    let entries = world.ledgers[partition].entries(from: 0, limit: .max)
    for mark in fold.snapshots {
      do {
        var finder = SnapshotFinder()
        var found: (payloads: [[UInt8]], through: Int64)?
        for entry in entries[Int(mark.firstOffset)...] where found == nil { found = finder.add(entry) }
        guard let (payloads, through) = found else {
          throw failure("no snapshot where the fold says there is one, at \(mark.firstOffset)")
        }
        var from = try LedgerFold(snapshot: payloads, through: through, partition: Int32(partition))
        for entry in entries[Int(from.nextOffset)...] { _ = try from.apply(entry) }
        if from != fold { throw failure("the fold from the snapshot at \(mark.firstOffset) is another one") }
      } catch let error as SimulationFailure {
        throw error
      } catch {
        throw failure("the snapshot at \(mark.firstOffset) cannot be folded on: \(error)")
      }
    }
  }
}
