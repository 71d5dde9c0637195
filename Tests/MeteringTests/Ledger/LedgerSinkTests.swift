import Testing

@testable import Metering

@Suite("Sinks in the ledger")
struct LedgerSinkTests {
  func rules(_ version: Int64, _ sinks: [(String, SinkStart, Bool)]) -> BillingRules {
    Sample.rules(
      version: version,
      sinks: sinks.map {
        SinkRules(name: $0.0, provider: "webhook", rowRules: Sample.exact, start: $0.1, isRetired: $0.2)
      })
  }

  @discardableResult
  func cut(
    _ ledger: inout TestLedger, _ rules: BillingRules, units: Int128 = 1, clock: Int64? = nil
  ) throws -> LedgerChange {
    if ledger.fold.configurations[rules.digest] == nil {
      try ledger.append(.config(ConfigurationRecord(digest: rules.digest, bytes: rules.encoded)), by: 7)
    }
    return try ledger.append(
      ledger.cut([Sample.row("c", units: units)], by: 7, clock: clock, rules: rules), by: 7)
  }

  @Test("a new sink starts at the first cut that names it, at the oldest remembered, or at an instant")
  func starts() throws {
    var ledger = try TestLedger(rules: rules(1, [("a", .present, false)]))
    for clock in 0..<5 { try cut(&ledger, ledger.rules, units: 10, clock: Int64(clock) * 1000) }
    let more = rules(
      2,
      [
        ("a", .present, false), ("b", .present, false), ("c", .earliest, false), ("d", .instant(2500), false),
        ("e", .instant(6500), false), ("f", .present, true),
      ])
    #expect(try cut(&ledger, more, clock: 5000) == .cut(number: 5, started: ["b", "c", "d"]))
    #expect(ledger.fold.sinks["b"]?.firstCut == 5)
    #expect(ledger.fold.sinks["c"]?.firstCut == 0)
    #expect(ledger.fold.sinks["d"]?.firstCut == 3)
    #expect(ledger.fold.unclaimedQuantity(of: "d") == Quantity(units: 21))
    #expect(try cut(&ledger, more, clock: 6000) == .cut(number: 6, started: []))
    #expect(try cut(&ledger, more, clock: 7000) == .cut(number: 7, started: ["e"]))
    #expect(ledger.fold.sinks["f"] == nil)
    for name in ["a", "b", "c", "d", "e"] {
      try ledger.appendClaim(name)
      #expect(ledger.fold.conservation(sink: name) == .zero)
      #expect(ledger.fold.unclaimedQuantity(of: name) == .zero)
    }
    #expect(ledger.fold.sinks["d"]?.totals.inFlight == Quantity(units: 23))
    #expect(ledger.fold.conservation(sink: "f") == nil)
  }

  @Test("rows that every sink has claimed are recalled from the ledger for a sink that starts before them")
  func recall() throws {
    var ledger = try TestLedger(rules: rules(1, [("a", .present, false)]))
    for clock in 0..<3 { try cut(&ledger, ledger.rules, units: Int128(clock + 1), clock: Int64(clock)) }
    try ledger.appendClaim("a")
    #expect(ledger.fold.cuts.allSatisfy { $0.chunks == nil })
    let more = rules(2, [("a", .present, false), ("b", .earliest, false)])
    try cut(&ledger, more, units: 100, clock: 9)
    #expect(throws: ClaimError.rowsMissing(cut: 0)) { try ledger.fold.prepareClaim(sink: "b") { $0 } }
    var recall = CutRecall(ledger.fold.unclaimedCuts(of: "b"))
    let from = try #require(recall.fromOffset)
    let through = try #require(recall.throughOffset)
    for entry in ledger.entries where (from...through).contains(entry.offset) { recall.add(entry) }
    #expect(recall.isComplete)
    let claim = try ledger.fold.prepareClaim(sink: "b", recalled: recall.chunks) { $0 }
    #expect(claim.content.rows.map(\.value.units) == [106])
    #expect(
      try ledger.append(claim.records(nonce: 7, firstSequence: ledger.nextSequence(7)), by: 7)
        == .claim(sink: "b", number: 0))
    #expect(ledger.fold.conservation(sink: "b") == .zero)
  }

  @Test("a sink with work may not vanish; a retired one takes no claims; a name that returns goes on at its last claim")
  func returning() throws {
    let with = rules(1, [("a", .present, false), ("b", .present, false)])
    var ledger = try TestLedger(rules: with)
    try cut(&ledger, with, units: 5, clock: 0)
    try ledger.appendClaim("a")
    try ledger.appendClaim("b")
    let without = rules(2, [("a", .present, false)])
    #expect(ledger.fold.sinksThatMayNotVanish(from: without) == ["b"])
    let retired = rules(3, [("a", .present, false), ("b", .present, true)])
    #expect(ledger.fold.sinksThatMayNotVanish(from: retired) == [])
    try cut(&ledger, retired, units: 7, clock: 1)
    #expect(ledger.fold.sinks["b"]?.isActive == false)
    #expect(throws: ClaimError.noSuchSink("b")) { try ledger.fold.prepareClaim(sink: "b") { $0 } }
    let vanished = rules(4, [("a", .present, false)])
    #expect(ledger.fold.sinksThatMayNotVanish(from: vanished) == [])
    try cut(&ledger, vanished, units: 11, clock: 2)
    // What it holds can still be settled.
    let row = RowReference(claim: 0, row: 0)
    let sending = try ledger.send([row], sink: "b").sending
    try ledger.done([row], of: sending, .delivered, sink: "b")
    let back = rules(5, [("a", .present, false), ("b", .earliest, false)])
    #expect(try cut(&ledger, back, units: 13, clock: 3) == .cut(number: 3, started: ["b"]))
    #expect(ledger.fold.sinks["b"]?.nextCut == 1)
    #expect(ledger.fold.sinks["b"]?.nextClaim == 1)
    #expect(ledger.fold.unclaimedQuantity(of: "b") == Quantity(units: 31))
    #expect(ledger.fold.conservation(sink: "b") == .zero)
  }

  @Test("a name that returns after its cuts are forgotten skips them, and says so in what is skipped")
  func returningLate() throws {
    let with = rules(1, [("a", .present, false), ("b", .present, false)])
    var ledger = try TestLedger(rules: with)
    try cut(&ledger, with, units: 5, clock: 0)
    try ledger.appendClaim("a")
    try ledger.appendClaim("b")
    let without = rules(2, [("a", .present, false), ("b", .present, true)])
    let length = with.counting.bucketMilliseconds
    for bucket in 1...30 {
      try cut(&ledger, without, units: 1, clock: Int64(bucket) * length)
      try ledger.appendClaim("a")
    }
    #expect(ledger.fold.cuts.first?.number == 21)
    let back = rules(3, [("a", .present, false), ("b", .present, false)])
    try cut(&ledger, back, units: 1, clock: 30 * length)
    #expect(ledger.fold.sinks["b"]?.nextCut == 21)
    #expect(ledger.fold.sinks["b"]?.totals.skipped == Quantity(units: 20))
    #expect(ledger.fold.conservation(sink: "b") == .zero)
  }

  @Test("a claim counts once, by its first cut, and only if nothing appears or vanishes in it")
  func claims() throws {
    var ledger = try TestLedger()
    try ledger.appendCut([Sample.row("c", units: 5)])
    let claim = try ledger.fold.prepareClaim(sink: "books") { $0 }
    func fault(_ change: (inout PreparedClaim) -> Void) throws -> LedgerFault.Reason? {
      var copy = ledger
      var changed = claim
      change(&changed)
      let set = changed.records(nonce: 7, firstSequence: copy.nextSequence(7))
      let fault = #expect(throws: LedgerFault.self) { try copy.append(set, by: 7) }
      return fault?.reason
    }
    func content(_ rows: [ClaimRow], _ carries: [CarryChange] = []) -> ClaimContent {
      ClaimContent(rows: rows, carries: carries, skipped: .zero)
    }
    var larger = claim.content.rows
    larger[0].value = Quantity(units: 6)
    #expect(try fault { $0.content = content(larger) } == .claimUnbalanced)
    #expect(try fault { $0.content.skipped = Quantity(units: 1) } == .claimUnbalanced)
    #expect(try fault { $0.content = content([]) } == .claimUnbalanced)
    #expect(try fault { $0.number = 1 } == .setMalformed)
    #expect(try fault { $0.lastCut = 1 } == .setMalformed)
    #expect(try fault { $0.configuration = Digest(high: 0, low: 0) } == .configurationUnknown)
    let carry = CarryChange(
      customer: [1], meter: [1], carriedIn: Quantity(units: 1), carriedOut: Quantity(units: 1))
    #expect(try fault { $0.content = content(claim.content.rows, [carry]) } == .carryMismatch)
    let set = claim.records(nonce: 7, firstSequence: ledger.nextSequence(7))
    #expect(try ledger.append(set, by: 7) == .claim(sink: "books", number: 0))
    let again = claim.records(nonce: 7, firstSequence: ledger.nextSequence(7))
    #expect(try ledger.append(again, by: 7) == .ignored(.notTheNextCut))
    #expect(throws: ClaimError.nothingToClaim) { try ledger.fold.prepareClaim(sink: "books") { $0 } }
    var foreign = claim
    foreign.sink = "nobody"
    #expect(
      try ledger.append(foreign.records(nonce: 7, firstSequence: ledger.nextSequence(7)), by: 7)
        == .ignored(.noSuchSink))
  }
}
