import Metering

/// Reads one partition's ledger as it grows, and judges each record at once: folds from the beginning and from snapshots
/// against each other, cuts against the oracle, claims against the cuts, and remembers which SENDINGs stand.
final class LedgerWatch {
  private unowned let world: World
  let partition: Int
  private(set) var fold: LedgerFold
  private var oracle: Oracle
  private var snapshots: SnapshotWatch
  private var sightingsAreJudged = false
  /// The oracle's totals of each cut, by number.
  private(set) var cuts: [Oracle.Totals] = []
  private var former = RangeCounters()
  /// What must have been billed for each sink, by customer and meter.
  private(set) var billable: [String: [BilledKey: Int128]] = [:]
  /// What people have decided never to bill.
  private(set) var dropped: [String: [BilledKey: Int128]] = [:]
  private var claimedThrough: [String: UInt64] = [:]
  private var mayHaveGap: Set<String> = []
  /// Rows' idempotency keys → the SENDINGs that stood, and when they landed.
  private(set) var permits: [String: [Permit]] = [:]
  /// Rows that are uncertain or parked, for the person who looks after them.
  private(set) var resting: [RestingRow: Resting] = [:]

  struct Permit {
    var nonce: UInt64
    var offset: Int64
    var landedAt: Int64
    var account: String
  }

  struct RestingRow: Hashable, Comparable {
    var sink: String
    var row: RowReference
    static func < (left: Self, right: Self) -> Bool { (left.sink, left.row) < (right.sink, right.row) }
  }

  struct Resting {
    var since: Int64
    var key: BilledKey
    var units: Int128
    var state: RowState
  }

  init(world: World, partition: Int) {
    self.world = world
    self.partition = partition
    fold = LedgerFold(partition: Int32(partition))
    oracle = Oracle(log: world.usage[partition])
    snapshots = SnapshotWatch(partition: Int32(partition))
  }

  private func fail(_ what: String) { world.fail("partition \(partition): \(what)") }

  func take(_ entry: LedgerEntry) {
    let change: LedgerChange
    do {
      change = try fold.apply(entry)
    } catch {
      return fail("the ledger cannot be folded: \(error)")
    }
    if let difference = snapshots.take(entry, change: change, fold: fold) { fail(difference) }
    note(change)
    world.trace?("\(world.now) ledger \(partition)/\(entry.offset) \(describe(change, entry))")
    react(to: change, entry)
    for (name, sink) in fold.sinks where !sink.isActive { mayHaveGap.insert(name) }
    if fold.eventsImbalance != 0 { fail("events imbalance \(fold.eventsImbalance)") }
    for name in fold.sinks.keys {
      if let imbalance = fold.conservation(sink: name), imbalance != .zero {
        fail("\(name): conservation imbalance \(imbalance)")
      }
    }
  }

  private func react(to change: LedgerChange, _ entry: LedgerEntry) {
    switch change {
    case .genesis(let genesis):
      if genesis.dedupFromOffset < genesis.startOffset { world.coverage.note("start: with sightings before it") }
    case .cut: judgeCut()
    case .claim(let sink, _): judgeClaim(of: sink, entry)
    case .sending(let sink, let identity, let rows, _):
      guard case .sending(let sending)? = try? LedgerCodec.decode(entry.bytes).record else { return }
      for row in rows {
        let permit = Permit(
          nonce: identity.nonce, offset: entry.offset, landedAt: world.now, account: sending.account)
        permits[key(of: row, sink: sink), default: []].append(permit)
      }
    case .parked(let sink, let rows):
      // Nobody but us sends to these providers. (Who has lost the partition may think so: that PARK does not count.)
      for row in rows where row.state == .parked(reason: Park.foreignDuplicate, record: entry.offset) {
        fail("\(sink): \(row.reference) is taken for a foreign duplicate")
      }
      for row in rows { noteRest(sink, row) }
    case .done(let sink, let rows), .unsent(let sink, let rows):
      for row in rows { noteRest(sink, row) }
    case .resolvedRow(let sink, let row):
      if row.state == .settled(.dropped), let rest = resting[RestingRow(sink: sink, row: row.reference)] {
        dropped[sink, default: [:]][rest.key, default: 0] += rest.units
      }
      noteRest(sink, row)
    default: break
    }
  }

  func key(of row: RowReference, sink: String) -> String {
    IdempotencyKey.text(
      incarnation: fold.genesis?.incarnation ?? [], sink: sink, partition: Int32(partition), reference: row)
  }

  private func noteRest(_ sink: String, _ change: RowChange) {
    let name = RestingRow(sink: sink, row: change.reference)
    switch change.state {
    case .uncertain, .parked:
      guard let row = fold.sinks[sink]?.row(change.reference)?.row else { return }
      resting[name] = Resting(since: world.now, key: BilledKey(row), units: row.value.units, state: change.state)
    case .ready, .inDoubt, .settled: resting[name] = nil
    }
  }

  // MARK: Cuts

  private func judgeCut() {
    guard let cut = fold.cuts.last, let genesis = fold.genesis,
      let rules = fold.configurations[cut.configuration]?.counting
    else { return fail("a cut stands that is not remembered, or names no CONFIG") }
    if !sightingsAreJudged {
      sightingsAreJudged = true
      // GENESIS says under which CONFIG; one that its writer never came to append is the first cut's.
      let sightings = Oracle.Range(
        from: genesis.dedupFromOffset, to: genesis.startOffset, cap: cut.capMilliseconds,
        rules: fold.configurations[genesis.configuration]?.counting ?? rules, indexFrom: nil)
      _ = oracle.judge(sightings)
    }
    guard cut.from == oracle.end else {
      return fail("cut \(cut.number) begins at \(cut.from), the head was \(oracle.end ?? -1)")
    }
    if cut.from == cut.to { world.coverage.note("ledger: empty cut") }
    if cut.indexFromOffset != nil { world.coverage.note("cut: sightings of a changed window") }
    let expected = oracle.judge(
      Oracle.Range(
        from: cut.from, to: cut.to, cap: cut.capMilliseconds, rules: rules, indexFrom: cut.indexFromOffset))
    cuts.append(expected)
    compare(cut, with: expected, rules: rules)
    if expected.counted + expected.duplicate + expected.quarantined > 0, cut.clockMilliseconds != oracle.clock {
      fail("cut \(cut.number) states the clock \(cut.clockMilliseconds), it is \(oracle.clock)")
    }
    for offset in expected.quarantinedOffsets where !world.usage[partition].quarantined.contains(offset) {
      fail("cut \(cut.number) stands, and record \(offset) is not in the quarantine topic")
    }
  }

  private func compare(_ cut: LedgerCut, with expected: Oracle.Totals, rules: CountingRules) {
    var found = Oracle.Totals()
    let counters = fold.counters
    found.counted = counters.counted - former.counted
    found.duplicate = counters.duplicate - former.duplicate
    found.quarantined = counters.quarantinedTotal - former.quarantinedTotal
    found.quarantinedOffsets = expected.quarantinedOffsets
    former = counters
    do {
      // The rows of a cut that no sink needs are not kept: its quantity is.
      guard let chunks = cut.chunks else {
        let sum = expected.rows.values.reduce(0) { $0 + $1.units }
        if cut.quantity.units != sum {
          fail("cut \(cut.number) holds \(cut.quantity), expected \(Quantity(units: sum))")
        }
        return
      }
      for row in try chunks.flatMap({ try CutChunk.rows(in: $0) }) {
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
      return fail("cut \(cut.number) cannot be read: \(error)")
    }
    guard found != expected else { return }
    let rows = Set(found.rows.keys).union(expected.rows.keys).filter { found.rows[$0] != expected.rows[$0] }
    let text = rows.prefix(2).map {
      "\($0): \(String(describing: found.rows[$0])), not \(String(describing: expected.rows[$0]))"
    }
    fail(
      """
      cut \(cut.number) [\(cut.from), \(cut.to)) counted \(found.counted), duplicate \(found.duplicate), quarantined \
      \(found.quarantined), expected \(expected.counted), \(expected.duplicate), \(expected.quarantined); \(text)
      """)
  }

  // MARK: Claims

  /// Every cut from a sink's first on is in exactly one of its claims, with what it holds.
  private func judgeClaim(of sink: String, _ entry: LedgerEntry) {
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

  private func describe(_ change: LedgerChange, _ entry: LedgerEntry) -> String {
    let nonce = (try? LedgerCodec.decode(entry.bytes).identity.nonce) ?? 0
    return "nonce \(nonce % 1_000_000): \(change)"
  }

  // MARK: Coverage

  private func note(_ change: LedgerChange) {
    let what: String
    switch change {
    case .genesis: what = "genesis"
    case .owner: what = "owner"
    case .configuration: what = "configuration"
    case .cut: what = "cut"
    case .claim: what = "claim"
    case .sending: what = "sending"
    case .unsent: what = "unsent"
    case .done(_, let rows):
      if rows.contains(where: { if case .uncertain = $0.state { true } else { false } }) {
        world.coverage.note("ledger: uncertain")
      }
      if rows.contains(where: { $0.state == .settled(.alreadyDelivered) }) {
        world.coverage.note("sink: already delivered")
      }
      what = "done"
    case .parked: what = "parked"
    case .resolvedRow(_, let row):
      switch row.state {
      case .settled(.resolved): what = "settled by resolve"
      case .settled: what = "dropped by resolve"
      default: what = "retried by resolve"
      }
    case .resolvedStop: what = "stop resolved"
    case .snapshot: what = "snapshot"
    case .ignored(let why): what = "ignored \(why)"
    case .chunk: return
    }
    world.coverage.note("ledger: \(what)")
  }

  /// Whether all that is in the log is counted, claimed and settled.
  var isAtRest: Bool {
    guard let head = fold.head, head.offset >= world.usage[partition].endOfRecords else { return false }
    return fold.sinks.allSatisfy { name, state in
      // A retired sink settles what it has claimed, and claims no more; one that was removed after that does nothing.
      guard let rules = world.rules.sink(named: name) else { return true }
      let isClaimed = rules.isRetired || fold.unclaimedCuts(of: name).allSatisfy { $0.rows == 0 }
      return isClaimed && state.totals.inFlightRows == 0
    }
  }
}

/// What a provider books a row under.
struct BilledKey: Hashable, Comparable, CustomStringConvertible {
  var customer: String
  var meter: String

  init(customer: String, meter: String) {
    self.customer = customer
    self.meter = meter
  }

  init(_ row: ClaimRow) {
    self.init(
      customer: String(decoding: row.customer, as: UTF8.self), meter: String(decoding: row.meter, as: UTF8.self))
  }

  var description: String { "\(customer)|\(meter)" }
  static func < (left: Self, right: Self) -> Bool { (left.customer, left.meter) < (right.customer, right.meter) }
}
