import Testing

@testable import Metering

@Suite("Ledger fold")
struct LedgerFoldTests {
  @Test("GENESIS comes first, and the first one wins")
  func genesis() throws {
    let rules = Sample.rules()
    var fold = LedgerFold(partition: 3)
    let owner = LedgerCodec.encode(.owner(Owner(instance: "x")), identity: RecordIdentity(nonce: 1, sequence: 0))
    var fault = #expect(throws: LedgerFault.self) {
      try fold.apply(LedgerEntry(offset: 0, appendMilliseconds: 1, bytes: owner))
    }
    #expect(fault?.reason == .genesisMissing)
    let foreign = LedgerCodec.encode(
      .genesis(Sample.genesis(rules, partition: 4), rules: rules.encoded),
      identity: RecordIdentity(nonce: 1, sequence: 0))
    fault = #expect(throws: LedgerFault.self) {
      try fold.apply(LedgerEntry(offset: 0, appendMilliseconds: 1, bytes: foreign))
    }
    #expect(fault?.reason == .genesisForeign)
    #expect(fold == LedgerFold(partition: 3))

    var ledger = try TestLedger()
    #expect(ledger.fold.head?.offset == 100)
    #expect(ledger.fold.head?.capMilliseconds == Int64(4_600_000))
    var second = Sample.genesis(rules)
    second.startOffset = 5
    #expect(try ledger.append(.genesis(second, rules: rules.encoded), by: 9) == .ignored(.genesisStands))
    #expect(ledger.fold.head?.offset == 100)
  }

  @Test("GENESIS holds the rules that it names: nobody appends them again, and others are no GENESIS")
  func rulesOfGenesis() throws {
    let rules = Sample.rules()
    let genesis = Sample.genesis(rules)
    func apply(_ bytes: [UInt8], to fold: inout LedgerFold) throws -> LedgerChange {
      let record = LedgerRecord.genesis(genesis, rules: bytes)
      let identity = RecordIdentity(nonce: 1, sequence: 0)
      return try fold.apply(
        LedgerEntry(offset: 0, appendMilliseconds: 1, bytes: LedgerCodec.encode(record, identity: identity)))
    }
    var fold = LedgerFold(partition: 3)
    for other in [Sample.rules(version: 2).encoded, []] {
      let fault = #expect(throws: LedgerFault.self) { try apply(other, to: &fold) }
      #expect(fault?.reason == .configurationMismatch)
      #expect(fold == LedgerFold(partition: 3))
    }
    _ = try apply(rules.encoded, to: &fold)
    #expect(fold.configurations == [rules.digest: rules])
    #expect(fold.headRules == rules)
    #expect(fold.admits(rules) == .current)
    var changed = rules
    changed.counting.windowMilliseconds += 1
    #expect(fold.admits(changed) == .versionNotRaised(present: 1))
    changed.version = 2
    #expect(fold.admits(changed) == .change(isKnown: false))
  }

  @Test("a person's acceptance of a lost ledger is the one record that may come before GENESIS")
  func lostLedger() throws {
    var fold = LedgerFold(partition: 3)
    func entry(_ offset: Int64, _ record: LedgerRecord, nonce: UInt64) -> LedgerEntry {
      LedgerEntry(
        offset: offset, appendMilliseconds: 1,
        bytes: LedgerCodec.encode(record, identity: RecordIdentity(nonce: nonce, sequence: 0)))
    }
    let other = Resolve(decision: .stop(reason: "ledger_changed", offset: 0, argument: 0), why: "?")
    #expect(throws: LedgerFault.self) { try fold.apply(entry(0, .resolve(other), nonce: 4)) }
    let accepted = Resolve(decision: .stop(reason: "ledger_lost", offset: 0, argument: 0), why: "deleted")
    #expect(
      try fold.apply(entry(0, .resolve(accepted), nonce: 5))
        == .resolvedStop(reason: "ledger_lost", offset: 0, argument: 0))
    #expect(fold.resolution(reason: "ledger_lost", offset: 0)?.record == 0)
    #expect(throws: LedgerFault.self) { try fold.apply(entry(1, .owner(Owner(instance: "x")), nonce: 1)) }
    let rules = Sample.rules()
    let genesis = Sample.genesis(rules, partition: 3)
    #expect(
      try fold.apply(entry(1, .genesis(genesis, rules: rules.encoded), nonce: 1)) == .genesis(genesis))
    #expect(fold.genesisOffset == 1)
  }

  @Test("a nonce works once, the latest OWNER is the owner, and repeats change nothing")
  func owners() throws {
    var ledger = try TestLedger()
    #expect(try ledger.append(.owner(Owner(instance: "b")), by: 8) == .owner(nonce: 8))
    #expect(try ledger.append(.owner(Owner(instance: "a")), by: 7) == .ignored(.nonceUsed))
    #expect(ledger.fold.owner?.nonce == 8)
    let before = ledger.fold
    let repeated = LedgerCodec.encode(.owner(Owner(instance: "b")), identity: RecordIdentity(nonce: 8, sequence: 0))
    #expect(try ledger.append(repeated) == .ignored(.repeated))
    #expect(ledger.fold.nonces == before.nonces)
    #expect(ledger.fold.chainedDigest != before.chainedDigest)
    #expect(try ledger.fold.apply(LedgerEntry(offset: 0, appendMilliseconds: 0, bytes: [])) == .ignored(.alreadyRead))
    #expect(try ledger.appendCut([], by: 7) == .ignored(.notOwner))
    #expect(try ledger.appendCut([], by: 8) == .cut(number: 0, started: ["books"]))
  }

  @Test("a nonce is remembered for a day of ledger time")
  func nonces() throws {
    var ledger = try TestLedger()
    ledger.time += 86_400_000
    try ledger.append(.owner(Owner(instance: "b")), by: 8)
    #expect(Set(ledger.fold.nonces.keys) == [1, 7, 8])
    ledger.time += 1
    try ledger.append(.owner(Owner(instance: "c")), by: 9)
    #expect(Set(ledger.fold.nonces.keys) == [8, 9])
    ledger.time -= 5_000
    try ledger.append(.owner(Owner(instance: "d")), by: 10)
    #expect(ledger.fold.ledgerMilliseconds == 1_000_000 + 86_400_001)
  }

  @Test("a cut stands at its SEAL: head, clock, cap, digest of the chunks; sets may interleave")
  func cuts() throws {
    var ledger = try TestLedger()
    ledger.time = 2_000_000
    let set = ledger.cut([Sample.row("c", units: 5)], by: 7, clock: 1_500_000)
    #expect(try ledger.append(set, by: 7) == .cut(number: 0, started: ["books"]))
    #expect(
      ledger.fold.head
        == Head(
          offset: 103, cutNumber: 1, clockMilliseconds: 1_500_000, ledgerMilliseconds: 2_000_000, recordOffset: 3,
          configuration: ledger.rules.digest, lastRecord: LastRecord(offset: 102, digest: Digest(of: [1]))))
    #expect(ledger.fold.cuts[0].capMilliseconds == 1_000_000 + 3_600_000)
    #expect(ledger.fold.cuts[0].firstOffset == 2)
    #expect(try ledger.appendCut([], by: 7) == .cut(number: 1, started: []))

    // A snapshot's chunk, a DONE and another writer's records lie between a cut's chunks and its SEAL.
    let cut = ledger.cut([Sample.row("c", units: 7)], by: 7)
    ledger.reserve(cut, by: 7)
    try ledger.append(cut.records[0])
    #expect(!ledger.fold.canSnapshot)
    try ledger.append(.chunk(SetChunk(kind: .cut, set: 0, index: 0, payload: [1])), by: 99)
    #expect(try ledger.append(cut.records[1]) == .cut(number: 2, started: []))
    #expect(ledger.fold.canSnapshot)
    // The same again: the sequences are known.
    #expect(try ledger.append(cut.records[0]) == .ignored(.repeated))
    // A cut that does not begin at the head.
    var stale = TestLedger(other: ledger)
    stale.fold.head?.offset = 1
    let wrong = stale.cut([], by: 7)
    #expect(try ledger.append(wrong, by: 7) == .ignored(.notTheHead))
    #expect(ledger.fold.canSnapshot)
  }

  @Test("a set whose owner was replaced before the SEAL does not stand, and its chunks are forgotten")
  func abandoned() throws {
    var ledger = try TestLedger()
    let cut = ledger.cut([Sample.row("c", units: 7)], by: 7)
    ledger.reserve(cut, by: 7)
    try ledger.append(cut.records[0])
    try ledger.append(.owner(Owner(instance: "b")), by: 8)
    #expect(try ledger.append(cut.records[1]) == .ignored(.notOwner))
    #expect(ledger.fold.canSnapshot)
    #expect(ledger.fold.head?.offset == 100)
  }

  @Test("fail closed: missing chunks, other chunks, rows that are not the SEAL's, an unknown configuration")
  func faults() throws {
    var ledger = try TestLedger()
    func reason(_ records: [[UInt8]]) -> LedgerFault.Reason? {
      var copy = ledger
      do {
        for record in records.dropLast() { try copy.append(record) }
      } catch {
        Issue.record("\(error)")
      }
      let before = copy.fold
      let fault = #expect(throws: LedgerFault.self) { try copy.append(records[records.count - 1]) }
      #expect(copy.fold == before)
      #expect(fault?.offset == before.nextOffset)
      return fault?.reason
    }
    let rows = [Sample.row("c", units: 7)]
    let set = ledger.cut(rows, by: 7)
    #expect(reason([set.records[1]]) == .setIncomplete)
    let other = ledger.cut([Sample.row("c", units: 8)], by: 7)
    #expect(reason([other.records[0], set.records[1]]) == .setDigestMismatch)
    let unknown = ledger.cut(rows, by: 7, rules: Sample.rules(version: 9))
    #expect(reason(unknown.records) == .configurationUnknown)
    let backwards = ledger.cut(rows, by: 7, clock: 5)
    try ledger.appendCut([], clock: 9)
    ledger.time += 1
    #expect(try ledger.append(backwards, by: 7) == .ignored(.notTheHead))
    let late = ledger.cut(rows, by: 7, clock: 8)
    #expect(reason(late.records) == .setMalformed)

    let config = ConfigurationRecord(digest: Digest(of: [1]), bytes: [1])
    let identity = RecordIdentity(nonce: 50, sequence: 0)
    #expect(reason([LedgerCodec.encode(.config(config), identity: identity)]) == .configurationMismatch)
    let lying = ConfigurationRecord(digest: Digest(of: [2]), bytes: ledger.rules.encoded)
    #expect(reason([LedgerCodec.encode(.config(lying), identity: identity)]) == .configurationMismatch)
    var damaged = LedgerCodec.encode(.owner(Owner(instance: "x")), identity: identity)
    damaged[9] ^= 1
    #expect(reason([damaged]) == .damagedRecord)
    damaged[4] = 9
    #expect(reason([damaged]) == .unknownRecord)
  }

  @Test("a record that was accepted as lost is passed over, with the set that it seals")
  func pass() throws {
    var ledger = try TestLedger()
    let set = ledger.cut([Sample.row("c", units: 7)], by: 7)
    let other = ledger.cut([Sample.row("c", units: 8)], by: 7)
    ledger.reserve(set, by: 7)
    try ledger.append(other.records[0])
    let entry = ledger.entry(set.records[1])
    #expect(throws: LedgerFault.self) { try ledger.append(set.records[1]) }
    #expect(ledger.fold.pass(entry) == .ignored(.accepted))
    #expect(ledger.fold.nextOffset == entry.offset + 1)
    #expect(ledger.fold.canSnapshot)
    #expect(try ledger.appendCut([Sample.row("c", units: 7)]) == .cut(number: 0, started: ["books"]))
  }

  @Test("CONFIG holds each version once; rules are admitted by version and digest")
  func configurations() throws {
    var ledger = try TestLedger()
    let same = ConfigurationRecord(digest: ledger.rules.digest, bytes: ledger.rules.encoded)
    #expect(try ledger.append(.config(same), by: 20) == .ignored(.configurationStands))
    #expect(ledger.fold.admits(ledger.rules) == .current)
    var changed = ledger.rules
    changed.counting.windowMilliseconds += 1
    #expect(ledger.fold.admits(changed) == .versionNotRaised(present: 1))
    changed.version = 2
    #expect(ledger.fold.admits(changed) == .change(isKnown: false))
    try ledger.append(.config(ConfigurationRecord(digest: changed.digest, bytes: changed.encoded)), by: 20)
    #expect(ledger.fold.admits(changed) == .change(isKnown: true))
    try ledger.append(ledger.cut([], by: 7, rules: changed), by: 7)
    #expect(ledger.fold.admits(changed) == .current)
    #expect(ledger.fold.admits(ledger.rules) == .versionNotRaised(present: 2))
  }

  @Test("a stop that a person accepted is remembered with its record")
  func stops() throws {
    var ledger = try TestLedger()
    try ledger.append(
      .resolve(Resolve(decision: .stop(reason: "offset_reset", offset: 55, argument: 60), why: "known")), by: 70)
    #expect(ledger.fold.resolution(reason: "offset_reset", offset: 55)?.argument == 60)
    #expect(ledger.fold.resolution(reason: "offset_reset", offset: 56) == nil)
  }

  @Test("cuts are kept while the window needs them: from the latest whose bucket lies more than 8 before the head's")
  func window() throws {
    var ledger = try TestLedger()
    let length = ledger.rules.counting.bucketMilliseconds
    for bucket in 0..<40 {
      try ledger.appendCut([Sample.row("c", units: 1)], clock: Int64(bucket) * length)
      try ledger.appendClaim()
    }
    // The head's clock is in bucket 39: 31 is the oldest in the window, 30 the latest before it.
    #expect(ledger.fold.cuts.first?.number == 30)
    #expect(ledger.fold.windowedCuts.first?.number == 30)
    #expect(ledger.fold.cuts.allSatisfy { $0.chunks == nil })
    let marker = try #require(ledger.fold.cuts.first)
    #expect(
      ledger.fold.rebuildStart
        == LedgerFold.RebuildStart(offset: marker.to, clockMilliseconds: 30 * length, nextCut: 31))
    #expect(DedupBucket.number(clockMilliseconds: -1, bucketMilliseconds: 10) == -1)
    #expect(DedupBucket.number(clockMilliseconds: -10, bucketMilliseconds: 10) == -1)
    #expect(DedupBucket.number(clockMilliseconds: .min, bucketMilliseconds: 10) < 0)
    // A slow sink keeps what it has not claimed.
    for bucket in 40..<60 { try ledger.appendCut([Sample.row("c", units: 1)], clock: Int64(bucket) * length) }
    #expect(ledger.fold.cuts.first?.number == 40)
    #expect(ledger.fold.cuts.allSatisfy { $0.chunks != nil })
    #expect(ledger.fold.windowedCuts.first?.number == 50)
  }
}

extension TestLedger {
  /// A copy, under a name that says what it is for.
  init(other: TestLedger) { self = other }
}
