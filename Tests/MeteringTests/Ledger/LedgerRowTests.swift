import Testing

@testable import Metering

@Suite("Rows in the ledger")
struct LedgerRowTests {
  let first = RowReference(claim: 0, row: 0)
  let second = RowReference(claim: 0, row: 1)
  let third = RowReference(claim: 0, row: 2)

  /// A claim of three rows of 1, 2 and 3 units.
  func claimed() throws -> TestLedger {
    var ledger = try TestLedger()
    try ledger.appendCut([Sample.row("a", units: 1), Sample.row("b", units: 2), Sample.row("c", units: 3)])
    try ledger.appendClaim()
    return ledger
  }

  func balanced(_ ledger: TestLedger) -> Bool {
    ledger.fold.conservation(sink: "books") == .zero && ledger.fold.eventsImbalance == 0
  }

  @Test("sent, void, sent, delivered")
  func delivery() throws {
    var ledger = try claimed()
    #expect(ledger.state(first) == .ready)
    let attempt = try ledger.send([first, second])
    #expect(attempt.rows == [first, second])
    guard case .inDoubt(let attempts) = ledger.state(first) else { Issue.record("not in doubt"); return }
    #expect(attempts.map(\.sending) == [attempt.sending])
    #expect(attempts[0].ledgerMilliseconds == ledger.time)
    #expect(attempts[0].account == "acct")
    try ledger.append(.unsent(Unsent(sink: "books", sending: attempt.sending, rows: [first])), by: 7)
    #expect(ledger.state(first) == .ready)
    #expect(try ledger.done([first], of: attempt.sending, .delivered) == .ignored(.noEffect))
    #expect(
      try ledger.done([second], of: attempt.sending, .delivered)
        == .done(sink: "books", rows: [RowChange(reference: second, state: .settled(.delivered))]))
    #expect(ledger.state(second) == nil)
    #expect(try ledger.send([second]).rows == [])
    let again = try ledger.send([third, first, first])
    #expect(again.rows == [third, first])
    try ledger.done([first, third], of: again.sending, .alreadyDelivered)
    #expect(ledger.fold.sinks["books"]?.claims == [])
    #expect(ledger.fold.sinks["books"]?.totals.settled == Quantity(units: 6))
    #expect(ledger.fold.sinks["books"]?.totals.settledRows == [1, 2, 0, 0, 0])
    #expect(balanced(ledger))
  }

  @Test("delivered > rejected > uncertain, in every order of arrival")
  func ranks() throws {
    let outcomes: [RowOutcome] = [.uncertain, .rejected, .delivered]
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
      for present in 1..<8 {
        var ledger = try claimed()
        let sendings = try outcomes.map { _ in try ledger.send([first]).sending }
        let given = order.filter { present >> $0 & 1 == 1 }
        // By whomever: a fact counts also when its writer is no owner any more.
        try ledger.append(.owner(Owner(instance: "b")), by: 8)
        for outcome in given { try ledger.done([first], of: sendings[outcome], outcomes[outcome], code: "x") }
        switch given.max() {
        case 2: #expect(ledger.state(first) == nil)
        case 1:
          guard case .parked(reason: "x", _) = ledger.state(first) else { Issue.record("not parked"); return }
        default:
          guard case .uncertain(code: "x", _) = ledger.state(first) else { Issue.record("not uncertain"); return }
        }
        #expect(balanced(ledger))
      }
    }
  }

  @Test("the first ambiguous attempt is the oldest that is not void")
  func firstAmbiguous() throws {
    var ledger = try claimed()
    let one = try ledger.send([first])
    ledger.time += 1000
    let two = try ledger.send([first])
    try ledger.append(.unsent(Unsent(sink: "books", sending: one.sending, rows: [first])), by: 7)
    guard case .inDoubt(let attempts) = ledger.state(first) else { Issue.record("not in doubt"); return }
    #expect(attempts.map(\.sending) == [two.sending])
    #expect(attempts[0].ledgerMilliseconds == 1_001_000)
    // A late proof that nothing was sent ends the uncertainty.
    try ledger.done([first], of: two.sending, .uncertain, code: "timeout")
    #expect(try ledger.send([first]).rows == [])
    try ledger.append(.unsent(Unsent(sink: "books", sending: two.sending, rows: [first])), by: 7)
    #expect(ledger.state(first) == .ready)
    #expect(balanced(ledger))
  }

  @Test("a PARK or RESOLVE outranks DONEs of SENDINGs before it, and not those after it")
  func outranked() throws {
    var ledger = try claimed()
    let one = try ledger.send([first, second])
    #expect(
      try ledger.append(.park(Park(sink: "books", rows: [first], reason: "too_old", detail: "")), by: 7)
        == .parked(sink: "books", rows: [RowChange(reference: first, state: .parked(reason: "too_old", record: 7))]))
    #expect(try ledger.done([first], of: one.sending, .delivered) == .ignored(.noEffect))
    // A RESOLVE has effect only where the state is still the one that it names.
    func resolve(_ decision: Resolve.Decision) throws -> LedgerChange {
      try ledger.append(.resolve(Resolve(decision: decision, why: "test")), by: 1000 + UInt64(ledger.fold.nextOffset))
    }
    #expect(try resolve(.retry(sink: "books", row: first, state: 5, customer: nil)) == .ignored(.noEffect))
    #expect(try resolve(.settle(sink: "books", row: first, state: 7)) == .ignored(.noEffect))
    #expect(try resolve(.retry(sink: "books", row: first, state: 7, customer: [1])) == .ignored(.noEffect))
    #expect(
      try resolve(.retry(sink: "books", row: first, state: 7, customer: nil))
        == .resolvedRow(sink: "books", row: RowChange(reference: first, state: .ready)))
    #expect(try resolve(.retry(sink: "books", row: first, state: 7, customer: nil)) == .ignored(.noEffect))
    #expect(ledger.fold.sinks["books"]?.row(first)?.hasEarlierAttempts == true)
    #expect(try ledger.done([first], of: one.sending, .uncertain) == .ignored(.noEffect))
    let two = try ledger.send([first])
    try ledger.done([first], of: two.sending, .delivered)
    #expect(ledger.state(first) == nil)

    try ledger.done([second], of: one.sending, .uncertain, code: "reset")
    guard case .uncertain(_, let record) = ledger.state(second) else { Issue.record("not uncertain"); return }
    _ = try resolve(.settle(sink: "books", row: second, state: record))
    #expect(ledger.state(second) == nil)
    #expect(ledger.fold.sinks["books"]?.totals.settledRows == [1, 0, 0, 1, 0])

    try ledger.append(.park(Park(sink: "books", rows: [third], reason: "x", detail: "")), by: 7)
    #expect(try resolve(.drop(sink: "books", row: third, state: ledger.fold.through)) != .ignored(.noEffect))
    #expect(ledger.fold.sinks["books"]?.totals.dropped == Quantity(units: 3))
    #expect(ledger.fold.sinks["books"]?.claims.isEmpty == true)
    #expect(balanced(ledger))
  }

  @Test("a refused attempt had no effect; a foreign duplicate proves none: neither makes a later duplicate our own")
  func earlierAttempts() throws {
    var ledger = try claimed()
    let one = try ledger.send([first, second])
    try ledger.done([first], of: one.sending, .rejected)
    #expect(ledger.state(first) == .parked(reason: "rejected", record: ledger.fold.through))
    try ledger.append(.park(Park(sink: "books", rows: [second], reason: "foreign_duplicate", detail: "")), by: 7)
    for (row, state) in [(first, ledger.fold.through - 1), (second, ledger.fold.through)] {
      try ledger.append(
        .resolve(Resolve(decision: .retry(sink: "books", row: row, state: state, customer: nil), why: "")),
        by: 2000 + UInt64(row.row))
      #expect(ledger.state(row) == .ready)
      #expect(ledger.fold.sinks["books"]?.row(row)?.hasEarlierAttempts == false)
    }
  }

  @Test("a retry overrules the refusal, and not the ambiguous attempt before it: its age counts as ever")
  func retryAfterAmbiguousAttempt() throws {
    var ledger = try claimed()
    let one = try ledger.send([first])
    let two = try ledger.send([first])
    try ledger.done([first], of: two.sending, .rejected)
    try ledger.append(
      .resolve(
        Resolve(
          decision: .retry(sink: "books", row: first, state: ledger.fold.through, customer: nil), why: "known now")),
      by: 2000)
    guard case .inDoubt(let attempts) = ledger.state(first) else { Issue.record("not in doubt"); return }
    #expect(attempts.map(\.sending) == [one.sending])
    try ledger.done([first], of: one.sending, .delivered)
    #expect(ledger.state(first) == nil)
    #expect(balanced(ledger))
  }

  @Test("SENDING and PARK count only from the owner")
  func zombies() throws {
    var ledger = try claimed()
    try ledger.append(.owner(Owner(instance: "b")), by: 8)
    #expect(try ledger.send([first], by: 7).rows == [])
    #expect(
      try ledger.append(.park(Park(sink: "books", rows: [first], reason: "x", detail: "")), by: 7)
        == .ignored(.notOwner))
    #expect(ledger.state(first) == .ready)
    #expect(try ledger.send([first], by: 8).rows == [first])
  }

  @Test("an unmapped customer's row is parked from birth, and mapped afresh at retry")
  func unmapped() throws {
    var ledger = try TestLedger()
    try ledger.appendCut([Sample.row("a", units: 1), Sample.row("b", units: 2)])
    try ledger.appendClaim { $0 == Array("a".utf8) ? Array("cus_a".utf8) : nil }
    let seal = ledger.fold.through
    // Rows are ordered by the provider's name of the customer: "b" (not mapped) before "cus_a".
    #expect(ledger.state(first) == .parked(reason: "unmapped_customer", record: seal))
    #expect(ledger.fold.sinks["books"]?.totals.parked == Quantity(units: 2))
    func retry(_ customer: [UInt8]?) throws -> LedgerChange {
      try ledger.append(
        .resolve(
          Resolve(decision: .retry(sink: "books", row: first, state: seal, customer: customer), why: "mapped now")),
        by: 3000 + UInt64(ledger.fold.nextOffset))
    }
    #expect(try retry(nil) == .ignored(.noEffect))
    #expect(try retry([120]) == .resolvedRow(sink: "books", row: RowChange(reference: first, state: .ready)))
    #expect(ledger.fold.sinks["books"]?.row(first)?.row.customer == [120])
    #expect(ledger.fold.sinks["books"]?.row(first)?.row.isUnmapped == false)
    #expect(balanced(ledger))
  }

  @Test(
    "an unmapped row that is retried sends what the contract takes; the rest joins what is carried at the next claim")
  func unmappedParts() throws {
    let sink = SinkRules(name: "books", provider: "p", rowRules: Sample.whole)
    var ledger = try TestLedger(rules: Sample.rules(sinks: [sink]))
    let half = Quantity.scale / 2
    try ledger.appendCut([
      Sample.row("a", units: 5 * half), Sample.row("b", units: half), Sample.row("c", units: -half),
    ])
    try ledger.appendClaim(map: { _ in nil })
    func key(_ customer: String) -> CarryKey {
      CarryKey(customer: Array(customer.utf8), meter: Array("calls".utf8))
    }
    func retry(_ row: UInt32, as customer: String) throws -> LedgerChange {
      let reference = RowReference(claim: 0, row: row)
      guard case .parked(_, let record)? = ledger.state(reference) else { return .ignored(.noEffect) }
      let decision = Resolve.Decision.retry(
        sink: "books", row: reference, state: record, customer: Array(customer.utf8))
      return try ledger.append(.resolve(Resolve(decision: decision, why: "mapped")), by: 90 + UInt64(row))
    }
    // Built before the rows come back, appended after: it states what was carried then.
    try ledger.appendCut([Sample.row("z", units: half)])
    let prepared = try ledger.fold.prepareClaim(sink: "books", map: { $0 })

    let sent = RowReference(claim: 0, row: 0)
    #expect(
      try retry(0, as: "x") == .resolvedRow(sink: "books", row: RowChange(reference: sent, state: .ready)))
    #expect(ledger.fold.sinks["books"]?.row(sent)?.row.value.units == 4 * half)
    #expect(ledger.fold.rowsToDeliver(sink: "books").claims.map { $0[0].row.value.units } == [4 * half])
    // Nothing of these can be sent: they are settled, and what they are worth waits.
    for row in 1...2 as ClosedRange<UInt32> {
      #expect(
        try retry(row, as: "x")
          == .resolvedRow(
            sink: "books",
            row: RowChange(reference: RowReference(claim: 0, row: row), state: .settled(.zero))))
    }
    #expect(ledger.fold.sinks["books"]?.returned.mapValues(\.units) == [key("x"): half])
    #expect(balanced(ledger))

    try ledger.append(prepared.records(nonce: 7, firstSequence: ledger.nextSequence(7)), by: 7)
    #expect(ledger.fold.sinks["books"]?.carry.mapValues(\.units) == [key("x"): half, key("z"): half])
    #expect(ledger.fold.sinks["books"]?.returned == [:])
    #expect(balanced(ledger))
    try ledger.appendCut([Sample.row("x", units: half)])
    let next = try ledger.fold.prepareClaim(sink: "books", map: { $0 })
    #expect(next.content.rows.map(\.value.units) == [2 * half])
    #expect(balanced(ledger))
  }

  @Test("settled rows leave memory, also where one row of many stays open")
  func compaction() throws {
    var ledger = try TestLedger()
    try ledger.appendCut((0..<500).map { Sample.row("c\($0)", units: 1) })
    try ledger.appendClaim()
    let all = (0..<500).map { RowReference(claim: 0, row: UInt32($0)) }
    let sending = try ledger.send(all).sending
    for chunk in 0..<50 {
      try ledger.done(Array(all[chunk * 10..<chunk * 10 + 9]), of: sending, .delivered)
    }
    let claim = try #require(ledger.fold.sinks["books"]?.claim(0))
    #expect(claim.openCount == 50)
    #expect(claim.marks.count <= 100)
    let left: [UInt32] = claim.rows.map(\.index)
    #expect(left == Array(stride(from: UInt32(9), to: 500, by: 10)))
    for row in all { #expect((ledger.state(row) == nil) == (row.row % 10 != 9)) }
    #expect(balanced(ledger))
  }
}
