import Testing

@testable import Metering

/// A sink that starts at a cut whose rows `ledger.keep` has deleted.
@Suite struct DeletedRowsTests {
  private static let time: Int64 = 1_760_000_000_000

  private func rules(_ version: Int64, _ sinks: (name: String, start: SinkStart, isRetired: Bool)...) -> BillingRules {
    Sample.rules(
      version: version,
      sinks: sinks.map {
        SinkRules(
          name: $0.name, provider: "webhook", rowRules: Sample.exact, start: $0.start, isRetired: $0.isRetired)
      })
  }

  private var before: BillingRules { rules(1, ("a", .present, false)) }
  private var added: BillingRules { rules(2, ("a", .present, false), ("b", .earliest, false)) }

  /// Three cuts of 1, 2 and 4 units that sink a has claimed, and then a SNAPSHOT; the cuts' SEALs.
  private func ledger() throws -> (ledger: TestLedger, seals: [Int64]) {
    var ledger = try TestLedger(rules: before)
    ledger.time = Self.time
    for cut in 0..<3 { try ledger.appendCut([Sample.row("c", units: 1 << cut, slot: Self.time)]) }
    try ledger.appendClaim("a")
    let seals = ledger.fold.cuts.map(\.sealOffset)
    try ledger.append(
      try #require(SnapshotBuilder.records(of: ledger.fold, nonce: 7, firstSequence: ledger.nextSequence(7))), by: 7)
    return (ledger, seals)
  }

  /// An owner under the rules that name sink b, of what is retained; it counts an event of one and cuts.
  private func owner(
    _ nonce: UInt64, _ rules: BillingRules, _ log: [LedgerEntry], low: Int64, key: String, at offset: Int64
  ) -> MachineRig {
    let rig = MachineRig(nonce: nonce, rules: rules, log: log, low: low, dedupFrom: 90, start: 100)
    rig.usageEnd = 1_000
    rig.begin()
    for sink in rules.sinks { rig.handle(.sinkReady(name: sink.name, true), now: 60_000) }
    if rig.stops.isEmpty {
      let event = #"{"idempotencyKey":"\#(key)","customerId":"c","featureId":"calls","amount":1}"#
      #expect(rig.count(event, at: offset) == 1)
      rig.handle(.tick, now: 120_000)
      rig.handle(.tick, now: 240_000)
    }
    return rig
  }

  @Test(
    "the partition stops, and says which cut is the last whose rows are gone; the sink goes on after it once resolved")
  func resolved() throws {
    let (ledger, seals) = try ledger()
    let head = try #require(ledger.fold.head?.offset)
    let low = seals[1] + 1
    let rig = owner(20, added, ledger.entries, low: low, key: "k1", at: head)
    let stop = try #require(rig.stops.first)
    #expect(stop.code == .rowsDeleted)
    #expect(stop.offset == seals[1])
    #expect(stop.isResolvable)
    #expect(stop.remedy(partition: 3) == "meterd ledger resolve 3 --reason rows_deleted --why TEXT --config FILE")
    // Another stop's resolution, or another cut's, is not this one's.
    rig.land(resolve(.rowsDeleted, seals[2] + 1_000), nonce: 98, sequence: 0)
    rig.land(resolve(.ledgerChanged, stop.offset), nonce: 98, sequence: 1)
    #expect(rig.ends.isEmpty)
    rig.land(resolve(.rowsDeleted, stop.offset), nonce: 99, sequence: 0)
    #expect(rig.ends == [.resolved])

    let next = owner(21, added, rig.log, low: low, key: "k2", at: head + 1)
    #expect(next.stops.isEmpty)
    let fold = next.machine.fold
    let state = try #require(fold.sinks["b"])
    #expect(state.totals.skipped == Quantity(units: 3))
    // Cut 2, whose rows are retained, and what was counted since.
    #expect(state.totals.inFlight == Quantity(units: 4 + Quantity.scale))
    #expect(fold.unclaimedQuantity(of: "b") == Quantity(units: Quantity.scale))
    #expect(state.claims.map(\.firstCut) == [2])
    #expect(fold.conservation(sink: "a") == .zero)
    #expect(fold.conservation(sink: "b") == .zero)
  }

  @Test("everything of the cuts is gone: the last one is named")
  func allGone() throws {
    let (ledger, seals) = try ledger()
    let low = seals[2] + 1
    let rig = owner(20, added, ledger.entries, low: low, key: "k1", at: try #require(ledger.fold.head?.offset))
    #expect(rig.stops.map(\.code) == [.rowsDeleted])
    #expect(rig.stops.first?.offset == seals[2])
  }

  @Test("retired under a higher version, the sink lets the partition go on; one of another name starts at present")
  func retired() throws {
    let (ledger, seals) = try ledger()
    let head = try #require(ledger.fold.head?.offset)
    let rig = owner(20, added, ledger.entries, low: seals[1] + 1, key: "k1", at: head)
    #expect(rig.stops.map(\.code) == [.rowsDeleted])
    let mended = rules(3, ("a", .present, false), ("b", .earliest, true), ("d", .present, false))
    let next = owner(21, mended, rig.log, low: seals[1] + 1, key: "k2", at: head + 1)
    #expect(next.stops.isEmpty)
    #expect(next.machine.fold.sinks["b"]?.isActive == false)
    #expect(next.machine.fold.sinks["d"]?.totals.inFlight == Quantity(units: Quantity.scale))
    #expect(next.machine.fold.conservation(sink: "d") == .zero)
  }

  @Test("while the rows are retained, the sink starts where it is told to, and nothing stops")
  func retained() throws {
    let (ledger, _) = try ledger()
    let head = try #require(ledger.fold.head?.offset)
    let rig = owner(20, added, ledger.entries, low: 0, key: "k1", at: head)
    #expect(rig.stops.isEmpty)
    #expect(rig.machine.fold.sinks["b"]?.totals.inFlight == Quantity(units: 7 + Quantity.scale))
  }

  @Test("a fold from a snapshot skips as the fold from the beginning does")
  func snapshot() throws {
    var (ledger, seals) = try ledger()
    try ledger.append(.config(ConfigurationRecord(digest: added.digest, bytes: added.encoded)), by: 7)
    try ledger.append(ledger.cut([Sample.row("c", units: 8)], by: 7, rules: added), by: 7)
    var restored = try LedgerFold(
      snapshot: try #require(ledger.fold.snapshot()), through: ledger.fold.through, partition: 3)
    try ledger.append(resolve(.rowsDeleted, seals[1]), by: 99)
    _ = try restored.apply(try #require(ledger.entries.last))
    #expect(ledger.fold.sinks["b"]?.nextCut == 2)
    #expect(restored == ledger.fold)
  }

  private func resolve(_ code: StopReason.Code, _ offset: Int64) -> LedgerRecord {
    .resolve(Resolve(decision: .stop(reason: code.rawValue, offset: offset, argument: 0), why: "test"))
  }
}
