extension ByteWriter {
  /// The fields of a record, between its identity and its checksum.
  mutating func body(of record: LedgerRecord) {
    switch record {
    case .genesis(let genesis, let rules):
      self.genesis(genesis)
      string(rules)
    case .owner(let owner): text(owner.instance)
    case .config(let configuration):
      digest(configuration.digest)
      string(configuration.bytes)
    case .chunk(let chunk):
      byte(chunk.kind.rawValue)
      varint(chunk.set)
      varint(UInt64(chunk.index))
      string(chunk.payload)
    case .cut(let seal): cutSeal(seal)
    case .claim(let seal):
      summary(seal.summary)
      text(seal.sink)
      varint(seal.number)
      varint(seal.firstCut)
      varint(seal.lastCut)
      digest(seal.configuration)
      varint(UInt64(seal.rows))
      quantity(seal.skipped)
    case .sending(let sending):
      text(sending.sink)
      text(sending.account)
      signed(sending.leaseMilliseconds)
      references(sending.rows)
    case .unsent(let unsent):
      text(unsent.sink)
      identity(unsent.sending)
      references(unsent.rows)
    case .done(let done):
      text(done.sink)
      identity(done.sending)
      references(done.rows.lazy.map(\.reference))
      for row in done.rows {
        byte(row.outcome.rawValue)
        text(row.code)
      }
    case .park(let park):
      text(park.sink)
      references(park.rows)
      text(park.reason)
      text(park.detail)
    case .resolve(let resolve):
      decision(resolve.decision)
      text(resolve.why)
    case .snapshot(let seal):
      summary(seal.summary)
      signed(seal.through)
    }
  }

  /// GENESIS's fields without the rules of its configuration.
  mutating func genesis(_ genesis: Genesis) {
    text(genesis.clusterID)
    text(genesis.topic)
    text(genesis.group)
    signed(Int64(genesis.partition))
    signed(Int64(genesis.partitionCount))
    signed(genesis.startOffset)
    signed(genesis.dedupFromOffset)
    string(genesis.fingerprintKey)
    string(genesis.incarnation)
    digest(genesis.configuration)
  }

  private mutating func cutSeal(_ seal: CutSeal) {
    summary(seal.summary)
    varint(seal.number)
    signed(seal.from)
    signed(seal.to)
    signed(seal.clockMilliseconds)
    digest(seal.configuration)
    optional(seal.indexFromOffset) { $0.signed($1) }
    counters(seal.counters)
    optional(seal.lastRecord) { $0.lastRecord($1) }
    flag(seal.isAcceptedLoss)
    varint(UInt64(seal.rows))
  }

  private mutating func decision(_ decision: Resolve.Decision) {
    switch decision {
    case .retry(let sink, let row, let state, let customer):
      byte(1)
      text(sink)
      references([row])
      signed(state)
      optional(customer) { $0.string($1) }
    case .settle(let sink, let row, let state):
      byte(2)
      text(sink)
      references([row])
      signed(state)
    case .drop(let sink, let row, let state):
      byte(3)
      text(sink)
      references([row])
      signed(state)
    case .stop(let reason, let offset, let argument):
      byte(4)
      text(reason)
      signed(offset)
      signed(argument)
    }
  }

  mutating func summary(_ summary: SetSummary) {
    varint(summary.set)
    varint(UInt64(summary.chunks))
    digest(summary.digest)
  }

  mutating func lastRecord(_ last: LastRecord) {
    signed(last.offset)
    digest(last.digest)
  }

  mutating func counters(_ counters: RangeCounters) {
    signed(counters.consumed)
    signed(counters.counted)
    signed(counters.duplicate)
    varint(counters.quarantined.count)
    for value in counters.quarantined { signed(value) }
    signed(counters.holesVerified)
    signed(counters.holesUnverified)
    signed(counters.keyMismatches)
  }

  /// Row names as differences: rows of one claim that follow each other take two bytes each.
  mutating func references(_ rows: some Collection<RowReference>) {
    bytes.reserveCapacity(bytes.count + 10 + rows.count * 4)
    varint(rows.count)
    var claim: UInt64 = 0
    var row: UInt32 = 0
    for reference in rows {
      signed(Int64(bitPattern: reference.claim &- claim))
      signed(Int64(reference.row) - Int64(row))
      claim = reference.claim
      row = reference.row
    }
  }

  mutating func optional<Value>(_ value: Value?, _ write: (inout ByteWriter, Value) -> Void) {
    flag(value != nil)
    if let value { write(&self, value) }
  }
}
