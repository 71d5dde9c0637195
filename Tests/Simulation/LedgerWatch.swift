import Metering

/// Reads one partition's ledger as it grows, and judges each record at once: folds from the beginning and from snapshots
/// against each other, cuts against the oracle, claims against the cuts, and remembers which SENDINGs stand.
final class LedgerWatch {
  unowned let world: World
  let partition: Int
  private(set) var fold: LedgerFold
  /// The usage partition that it is the ledger of.
  let log: UsageLog
  var oracle: Oracle
  private var snapshots: SnapshotWatch
  var sightingsAreJudged = false
  /// Where each cut's records lie in the ledger, by number.
  var places: [(first: Int64, seal: Int64)] = []
  /// The oracle's totals of each cut, by number.
  var cuts: [Oracle.Totals] = []
  var former = RangeCounters()
  /// What must have been billed for each sink, by customer and meter.
  var billable: [String: [BilledKey: Int128]] = [:]
  /// What people have decided never to bill.
  private(set) var dropped: [String: [BilledKey: Int128]] = [:]
  var claimedThrough: [String: UInt64] = [:]
  var mayHaveGap: Set<String> = []
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
    log = world.usage[partition]
    oracle = Oracle(log: log)
    snapshots = SnapshotWatch(partition: Int32(partition))
  }

  func fail(_ what: String) { world.fail("partition \(partition): \(what)") }

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
    case .resolvedStop(StopReason.Code.rowsDeleted.rawValue, let offset, _): noteSkipped(through: offset)
    default: break
    }
  }

  /// The sinks that a person's decision has moved beyond the cut whose SEAL lies at `offset`.
  private func noteSkipped(through offset: Int64) {
    guard let last = places.firstIndex(where: { $0.seal == offset }) else { return }
    for (name, sink) in fold.sinks.sorted(by: { $0.key < $1.key }) where sink.isActive {
      let next = claimedThrough[name] ?? sink.firstCut
      guard sink.nextCut == UInt64(last) + 1, next <= last else { continue }
      world.coverage.note("ledger: deleted rows skipped")
      if !places[Int(next)...last].contains(where: { $0.first < world.ledgers[partition].low }) {
        fail("\(name) skips cuts \(next) to \(last), whose rows are all retained")
      }
      claimedThrough[name] = sink.nextCut
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
    case .resolvedStop(let reason, _, _): what = "resolved \(reason)"
    case .snapshot: what = "snapshot"
    case .ignored(let why): what = "ignored \(why)"
    case .chunk: return
    }
    world.coverage.note("ledger: \(what)")
  }

  /// Whether all that is in the log is counted, claimed and settled.
  var isAtRest: Bool {
    guard let head = fold.head, head.offset >= log.endOfRecords else { return false }
    return fold.sinks.allSatisfy { name, state in
      // A retired sink settles what it has claimed, and claims no more; one that was removed after that does nothing.
      guard let rules = world.rules.sink(named: name) else { return true }
      let isClaimed = rules.isRetired || fold.unclaimedCuts(of: name).allSatisfy { $0.rows == 0 }
      return isClaimed && state.totals.inFlightRows == 0
    }
  }
}
