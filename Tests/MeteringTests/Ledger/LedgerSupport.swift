import Metering

/// Rules and records that tests begin with.
enum Sample {
  static let whole = RowRules(stepUnits: Quantity.scale, greatestUnits: nil, allowsNegative: false)
  static let exact = RowRules(stepUnits: 1, greatestUnits: nil, allowsNegative: true)

  static func rules(version: Int64 = 1, sinks: [SinkRules]? = nil) -> BillingRules {
    BillingRules(
      version: version, counting: CountingRules(),
      sinks: sinks ?? [SinkRules(name: "books", provider: "webhook", rowRules: exact)])
  }

  static func genesis(_ rules: BillingRules, partition: Int32 = 3) -> Genesis {
    Genesis(
      clusterID: "cluster", topic: "usage", group: "meterd", partition: partition, partitionCount: 8, startOffset: 100,
      dedupFromOffset: 90, fingerprintKey: Array(0..<16), incarnation: Array(16..<32), configuration: rules.digest)
  }

  static func row(
    _ customer: String, _ feature: String = "calls", units: Int128, slot: Int64 = 0, dimensions: [UInt8] = [],
    time: Int64? = nil, events: Int64 = 1
  ) -> CutRow {
    CutRow(
      customer: Array(customer.utf8), feature: Array(feature.utf8), dimensions: dimensions,
      slotStartMilliseconds: slot, greatestTimeMilliseconds: time ?? slot + 5, quantity: Quantity(units: units),
      events: events)
  }
}

/// A ledger in memory, written as owners write it: it numbers the records of each nonce, and folds what it appends.
struct TestLedger {
  var fold: LedgerFold
  private(set) var entries: [LedgerEntry] = []
  private var sequences: [UInt64: UInt64] = [:]
  var time: Int64 = 1_000_000
  var rules: BillingRules
  private var usage: Int64 = 100

  /// With GENESIS (nonce 1) and an owner of nonce 7.
  init(rules: BillingRules = Sample.rules(), owner: UInt64 = 7) throws {
    self.rules = rules
    fold = LedgerFold(partition: 3)
    try append(.genesis(Sample.genesis(rules), rules: rules.encoded), by: 1)
    try append(.owner(Owner(instance: "host")), by: owner)
  }

  func nextSequence(_ nonce: UInt64) -> UInt64 { sequences[nonce] ?? 0 }

  @discardableResult
  mutating func append(_ record: LedgerRecord, by nonce: UInt64) throws -> LedgerChange {
    let identity = RecordIdentity(nonce: nonce, sequence: nextSequence(nonce))
    sequences[nonce] = identity.sequence + 1
    return try append(LedgerCodec.encode(record, identity: identity))
  }

  @discardableResult
  mutating func append(_ bytes: [UInt8]) throws -> LedgerChange {
    let entry = entry(bytes)
    let change = try fold.apply(entry)
    entries.append(entry)
    return change
  }

  func entry(_ bytes: [UInt8]) -> LedgerEntry {
    LedgerEntry(offset: fold.nextOffset, appendMilliseconds: time, bytes: bytes)
  }

  @discardableResult
  mutating func append(_ set: RecordSet, by nonce: UInt64) throws -> LedgerChange {
    sequences[nonce] = set.nextSequence
    var last = LedgerChange.ignored(.noEffect)
    for record in set.records { last = try append(record) }
    return last
  }

  mutating func reserve(_ set: RecordSet, by nonce: UInt64) { sequences[nonce] = set.nextSequence }

  /// The next cut of these rows, as records that are not appended yet.
  func cut(_ rows: [CutRow], by nonce: UInt64, clock: Int64? = nil, rules: BillingRules? = nil) -> RecordSet {
    let head = fold.head
    let from = head?.offset ?? 100
    let events = rows.reduce(0) { $0 + $1.events }
    var counters = RangeCounters()
    counters.consumed = events + 2
    counters.counted = events
    counters.duplicate = 1
    counters.quarantined[2] = 1
    let frozen = FrozenRange(
      from: from, to: from + events + 2, rows: rows.sorted(by: CutRow.precedes), counters: counters,
      clockAtEnd: clock ?? max(head?.clockMilliseconds ?? 0, time))
    return CutBuilder.records(
      frozen, number: head?.cutNumber ?? 0, configuration: (rules ?? self.rules).digest,
      lastRecord: LastRecord(offset: frozen.to - 1, digest: Digest(of: [1])), nonce: nonce,
      firstSequence: nextSequence(nonce))
  }

  @discardableResult
  mutating func appendCut(_ rows: [CutRow], by nonce: UInt64 = 7, clock: Int64? = nil) throws -> LedgerChange {
    try append(cut(rows, by: nonce, clock: clock), by: nonce)
  }

  @discardableResult
  mutating func appendClaim(
    _ sink: String = "books", by nonce: UInt64 = 7, map: ([UInt8]) -> [UInt8]? = { $0 }
  ) throws -> LedgerChange {
    let prepared = try fold.prepareClaim(sink: sink, map: map)
    return try append(prepared.records(nonce: nonce, firstSequence: nextSequence(nonce)), by: nonce)
  }

  /// A SENDING; its identity, and the rows for which it stands.
  mutating func send(
    _ rows: [RowReference], by nonce: UInt64 = 7, sink: String = "books"
  ) throws -> (sending: RecordIdentity, rows: [RowReference]) {
    let identity = RecordIdentity(nonce: nonce, sequence: nextSequence(nonce))
    let change = try append(
      .sending(Sending(sink: sink, account: "acct", leaseMilliseconds: 60_000, rows: rows)), by: nonce)
    if case .sending(_, _, let covered, _) = change { return (identity, covered) }
    return (identity, [])
  }

  @discardableResult
  mutating func done(
    _ rows: [RowReference], of sending: RecordIdentity, _ outcome: RowOutcome, by nonce: UInt64 = 7, code: String = "",
    sink: String = "books"
  ) throws -> LedgerChange {
    try append(
      .done(
        Done(
          sink: sink, sending: sending,
          rows: rows.map { Done.Row(reference: $0, outcome: outcome, code: code) })), by: nonce)
  }

  func state(_ row: RowReference, sink: String = "books") -> RowState? { fold.sinks[sink]?.row(row)?.state }
}
