extension LedgerFold {
  /// The version of the snapshot's encoding: its first byte.
  static let snapshotVersion: UInt8 = 3

  /// The ledger offset up to which this fold has read.
  public var through: Int64 { nextOffset - 1 }

  /// The whole state as the payloads of a SNAPSHOT's chunks (LEDGER-FORMAT.md, "SNAPSHOT"): equal folds have equal
  /// bytes. Nil before GENESIS, and while a set of the owner is open (its chunks lie before ``through``, its SEAL after
  /// it).
  public func snapshot(limit: Int = LedgerCodec.chunkLimit) -> [[UInt8]]? {
    guard canSnapshot, let genesis, let head else { return nil }
    var writer = ByteWriter(capacity: 1 << 16)
    writer.byte(Self.snapshotVersion)
    writer.signed(Int64(partition))
    writer.signed(nextOffset)
    writer.digest(chainedDigest)
    writer.signed(ledgerMilliseconds)
    writer.genesis(genesis)
    writer.signed(genesisOffset)
    writer.optional(owner) { $0.owner($1) }
    writer.varint(nonces.count)
    for (nonce, state) in nonces.sorted(by: { $0.key < $1.key }) {
      writer.fixed64(nonce)
      writer.varint(state.lastSequence)
      writer.flag(state.wasOwner)
      writer.signed(state.ledgerMilliseconds)
    }
    writer.varint(configurations.count)
    for (digest, rules) in configurations.sorted(by: { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }) {
      writer.digest(digest)
      writer.string(rules.encoded)
    }
    writer.head(head)
    writer.varint(cuts.count)
    for cut in cuts { writer.cut(cut) }
    writer.counters(counters)
    writer.signed(eventsInRows)
    writer.quantity(quantity)
    writer.varint(sinks.count)
    for sink in sinks.values.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
      writer.sink(sink)
    }
    writer.varint(resolvedStops.count)
    for stop in resolvedStops {
      writer.text(stop.reason)
      writer.signed(stop.offset)
      writer.signed(stop.argument)
      writer.signed(stop.record)
    }
    writer.varint(snapshots.count)
    for mark in snapshots {
      writer.signed(mark.through)
      writer.signed(mark.firstOffset)
      writer.signed(mark.sealOffset)
      writer.signed(mark.ledgerMilliseconds)
    }
    let bytes = writer.bytes
    return stride(from: 0, to: bytes.count, by: limit).map { Array(bytes[$0..<min($0 + limit, bytes.count)]) }
  }
}

extension ByteWriter {
  fileprivate mutating func owner(_ owner: LedgerOwner) {
    fixed64(owner.nonce)
    signed(owner.offset)
    signed(owner.ledgerMilliseconds)
    text(owner.instance)
  }

  fileprivate mutating func head(_ head: Head) {
    signed(head.offset)
    varint(head.cutNumber)
    signed(head.clockMilliseconds)
    signed(head.ledgerMilliseconds)
    signed(head.recordOffset)
    digest(head.configuration)
    optional(head.lastRecord) { $0.lastRecord($1) }
  }

  fileprivate mutating func cut(_ cut: LedgerCut) {
    varint(cut.number)
    signed(cut.from)
    signed(cut.to)
    signed(cut.clockMilliseconds)
    signed(cut.capMilliseconds)
    digest(cut.configuration)
    optional(cut.indexFromOffset) { $0.signed($1) }
    optional(cut.lastRecord) { $0.lastRecord($1) }
    flag(cut.isAcceptedLoss)
    fixed64(cut.nonce)
    summary(cut.summary)
    signed(cut.firstOffset)
    signed(cut.sealOffset)
    signed(cut.ledgerMilliseconds)
    varint(UInt64(cut.rows))
    quantity(cut.quantity)
    quantity(cut.quantityBefore)
    optional(cut.chunks) { writer, chunks in
      writer.varint(chunks.count)
      for chunk in chunks { writer.string(chunk) }
    }
  }

  fileprivate mutating func sink(_ sink: SinkState) {
    text(sink.name)
    varint(sink.firstCut)
    quantity(sink.quantityBeforeFirst)
    varint(sink.nextCut)
    quantity(sink.quantityBeforeNext)
    varint(sink.nextClaim)
    flag(sink.isActive)
    carries(sink.carry)
    carries(sink.returned)
    let totals = sink.totals
    for sum in [
      totals.settled, totals.inFlight, totals.uncertain, totals.parked, totals.dropped, totals.skipped, totals.carried,
    ] {
      quantity(sum)
    }
    for rows in [totals.inFlightRows, totals.uncertainRows, totals.parkedRows] + totals.settledRows { signed(rows) }
    varint(sink.claims.count)
    for claim in sink.claims { self.claim(claim) }
  }

  private mutating func carries(_ carries: [CarryKey: Quantity]) {
    varint(carries.count)
    for (key, carried) in carries.sorted(by: { CarryKey.precedes($0.key, $1.key) }) {
      string(key.customer)
      string(key.meter)
      quantity(carried)
    }
  }

  private mutating func claim(_ claim: OpenClaim) {
    varint(claim.number)
    varint(claim.firstCut)
    varint(claim.lastCut)
    digest(claim.configuration)
    signed(claim.sealOffset)
    signed(claim.ledgerMilliseconds)
    varint(claim.openCount)
    var stream = RowStreamWriter()
    var last: UInt32 = 0
    for row in claim.rows {
      varint(UInt64(row.index - last))
      last = row.index
      row.row.write(to: &self, stream: &stream)
      verdict(row.history)
    }
  }

  /// One byte where the row is ready and was never attempted.
  private mutating func verdict(_ row: RowHistory) {
    let code: UInt8 =
      switch row.verdict {
      case .none, .settled: 0
      case .uncertain: 1
      case .parked: 2
      }
    byte(code | (row.hasEarlierAttempts ? 4 : 0) | (row.attempts.isEmpty ? 0 : 8))
    switch row.verdict {
    case .none, .settled: break
    case .uncertain(let text, let record), .parked(let text, let record):
      self.text(text)
      signed(record)
    }
    if row.attempts.isEmpty { return }
    varint(row.attempts.count)
    for attempt in row.attempts {
      identity(attempt.sending)
      signed(attempt.offset)
      signed(attempt.ledgerMilliseconds)
      signed(attempt.leaseMilliseconds)
      text(attempt.account)
      flag(attempt.isRefused)
    }
  }
}
