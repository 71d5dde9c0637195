import Testing

@testable import Metering

@Suite struct PartitionMachineTests {
  private let rules = Sample.rules()
  private static let event =
    #"{"idempotencyKey":"k","customerId":"c","featureId":"calls","amount":1,"timestamp":1760000000000}"#

  @Test("an open range without rows that was restored is cut five minutes later")
  func restoredOpenRange() throws {
    let first = MachineRig(nonce: 1, rules: rules)
    first.begin()
    #expect(first.count("{", at: 0) == 1)
    first.handle(.quarantineAcknowledged(through: 1))
    first.handle(.tick, now: 2_000)
    let commit = try #require(first.commits.last)
    #expect(commit.state.nextOffset == 1)
    let second = MachineRig(
      nonce: 2, rules: rules, log: first.log, local: commit.state, chunks: first.commits.flatMap(\.chunks))
    second.begin()
    #expect(second.plans.map(\.local) == [.use])
    second.handle(.tick, now: 299_999)
    #expect(second.machine.picture().head == 0)
    second.handle(.tick, now: 300_000)
    #expect(second.machine.picture().head == 1)
  }

  // MARK: A former owner's late facts

  /// A row that the former owner (nonce 1) may have sent, at a new owner (nonce 2).
  private func takenOver() throws -> (rig: MachineRig, row: RowReference, sending: RecordIdentity) {
    let former = MachineRig(nonce: 1, rules: rules)
    former.begin()
    #expect(former.count(Self.event, at: 0) == 1)
    former.handle(.sinkReady(name: "books", true))
    former.handle(.tick, now: 60_000)
    let row = RowReference(claim: 0, row: 0)
    former.handle(
      .sinkAppend(
        name: "books",
        .sending(Sending(sink: "books", account: "acct", leaseMilliseconds: 60_000, rows: [row]), token: 1)))
    var sending: RecordIdentity?
    for notice in former.notices { if case .sendingStands(_, let identity, _, _) = notice { sending = identity } }
    let rig = MachineRig(nonce: 2, rules: rules, log: former.log)
    rig.begin()
    _ = rig.takeNotices()
    return (rig, row, try #require(sending))
  }

  private func isGone(_ notice: SinkNotice?) -> Bool { if case .rowGone = notice { true } else { false } }
  private func isReady(_ notice: SinkNotice?) -> Bool {
    if case .rowChanged(let row) = notice { row.state == .ready } else { false }
  }

  private func done(_ row: RowReference, _ outcome: RowOutcome, of sending: RecordIdentity) -> Done {
    Done(sink: "books", sending: sending, rows: [Done.Row(reference: row, outcome: outcome, code: "")])
  }

  @Test("a former owner's late DONE is told to the sink: the row is not asked for again and again")
  func lateDone() throws {
    let (rig, row, sending) = try takenOver()
    rig.land(.done(done(row, .delivered, of: sending)), nonce: 1, sequence: 1_000)
    #expect(isGone(rig.takeNotices().first))
  }

  @Test("a SENDING of rows that are all decided is void, and the sink hears of the rows before")
  func sendingWithoutEffect() throws {
    let (rig, row, sending) = try takenOver()
    rig.land(.done(done(row, .delivered, of: sending)), nonce: 1, sequence: 1_000)
    _ = rig.takeNotices()
    rig.handle(
      .sinkAppend(
        name: "books",
        .sending(Sending(sink: "books", account: "acct", leaseMilliseconds: 60_000, rows: [row]), token: 7)))
    let notices = rig.takeNotices()
    #expect(isGone(notices.first))
    guard case .sendingVoid(7)? = notices.last else { Issue.record("not void: \(notices)"); return }
  }

  @Test("a former owner's late UNSENT gives the row back, also when it has been given up meanwhile")
  func lateUnsent() throws {
    let (rig, row, sending) = try takenOver()
    rig.handle(.sinkAppend(name: "books", .done(done(row, .uncertain, of: sending))))
    _ = rig.takeNotices()
    rig.land(.unsent(Unsent(sink: "books", sending: sending, rows: [row])), nonce: 1, sequence: 1_000)
    #expect(isReady(rig.takeNotices().first))
  }

  @Test("a row that is given up after a former owner's UNSENT is given back to the sink")
  func givenUpAfterUnsent() throws {
    let (rig, row, sending) = try takenOver()
    rig.land(.unsent(Unsent(sink: "books", sending: sending, rows: [row])), nonce: 1, sequence: 1_000)
    _ = rig.takeNotices()
    rig.handle(.sinkAppend(name: "books", .done(done(row, .uncertain, of: sending))))
    #expect(isReady(rig.takeNotices().first))
  }

  // MARK: Snapshots

  @Test("a snapshot that came late and reaches back before what is left of the ledger is passed over")
  func lateSnapshot() throws {
    var ledger = try TestLedger(rules: rules)
    try ledger.appendCut([Sample.row("a", units: 1)])
    let stale = try #require(SnapshotBuilder.records(of: ledger.fold, nonce: 9, firstSequence: 0))
    try ledger.appendCut([Sample.row("b", units: 2)])
    let low = ledger.fold.nextOffset
    let good = try #require(
      SnapshotBuilder.records(of: ledger.fold, nonce: 7, firstSequence: ledger.nextSequence(7)))
    // Nonce 9 has never been an owner's: its snapshot does not stand, but it is whole.
    for record in stale.records { try ledger.append(record) }
    try ledger.append(good, by: 7)
    try ledger.appendCut([Sample.row("c", units: 3)])
    let rig = MachineRig(
      nonce: 20, rules: rules, log: ledger.entries, low: low, dedupFrom: 90, start: 100)
    rig.usageEnd = 1_000
    rig.begin()
    #expect(rig.stops.isEmpty)
    #expect(rig.machine.phaseDescription == "counting")
    #expect(rig.machine.picture().head == ledger.fold.head?.offset)
  }
}
