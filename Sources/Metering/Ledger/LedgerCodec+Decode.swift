extension ByteReader {
  /// The fields of a record of `type`.
  mutating func body(of type: RecordType) throws(LedgerCodecError) -> LedgerRecord {
    switch type {
    case .genesis:
      let genesis = try genesis()
      return .genesis(genesis, rules: try string())
    case .owner: return .owner(Owner(instance: try text()))
    case .config:
      let digest = try digest()
      return .config(ConfigurationRecord(digest: digest, bytes: try string()))
    case .chunk: return .chunk(try chunk())
    case .cut: return .cut(try cutSeal())
    case .claim: return .claim(try claimSeal())
    case .sending:
      let sink = try text()
      let account = try text()
      let lease = try signed()
      return .sending(Sending(sink: sink, account: account, leaseMilliseconds: lease, rows: try references()))
    case .unsent:
      let sink = try text()
      let sending = try identity()
      return .unsent(Unsent(sink: sink, sending: sending, rows: try references()))
    case .done: return .done(try done())
    case .park:
      let sink = try text()
      let rows = try references()
      let reason = try text()
      return .park(Park(sink: sink, rows: rows, reason: reason, detail: try text()))
    case .resolve:
      let decision = try decision()
      return .resolve(Resolve(decision: decision, why: try text()))
    case .snapshot:
      let summary = try summary()
      return .snapshot(SnapshotSeal(summary: summary, through: try signed()))
    }
  }

  /// GENESIS's fields without the rules of its configuration.
  mutating func genesis() throws(LedgerCodecError) -> Genesis {
    let clusterID = try text()
    let topic = try text()
    let group = try text()
    let partition = try signed32()
    let partitionCount = try signed32()
    let startOffset = try signed()
    let dedupFromOffset = try signed()
    let fingerprintKey = try string()
    let incarnation = try string()
    guard fingerprintKey.count == 16 else { throw .malformed("the fingerprint key has not 16 bytes") }
    guard incarnation.count == 16 else { throw .malformed("the incarnation has not 16 bytes") }
    return Genesis(
      clusterID: clusterID, topic: topic, group: group, partition: partition, partitionCount: partitionCount,
      startOffset: startOffset, dedupFromOffset: dedupFromOffset, fingerprintKey: fingerprintKey,
      incarnation: incarnation, configuration: try digest())
  }

  private mutating func chunk() throws(LedgerCodecError) -> SetChunk {
    guard let kind = SetKind(rawValue: try byte()) else { throw .malformed("unknown kind of set") }
    let set = try varint()
    let index = try unsigned32()
    return SetChunk(kind: kind, set: set, index: index, payload: try string())
  }

  private mutating func cutSeal() throws(LedgerCodecError) -> CutSeal {
    let summary = try summary()
    let number = try varint()
    let from = try signed()
    let to = try signed()
    let clock = try signed()
    let configuration = try digest()
    let indexFrom = try flag() ? try signed() : nil
    let counters = try counters()
    let last = try flag() ? try lastRecord() : nil
    let isAcceptedLoss = try flag()
    return CutSeal(
      summary: summary, number: number, from: from, to: to, clockMilliseconds: clock, configuration: configuration,
      indexFromOffset: indexFrom, counters: counters, lastRecord: last, isAcceptedLoss: isAcceptedLoss,
      rows: try unsigned32())
  }

  private mutating func claimSeal() throws(LedgerCodecError) -> ClaimSeal {
    let summary = try summary()
    let sink = try text()
    let number = try varint()
    let firstCut = try varint()
    let lastCut = try varint()
    let configuration = try digest()
    let rows = try unsigned32()
    return ClaimSeal(
      summary: summary, sink: sink, number: number, firstCut: firstCut, lastCut: lastCut, configuration: configuration,
      rows: rows, skipped: try quantity())
  }

  private mutating func done() throws(LedgerCodecError) -> Done {
    let sink = try text()
    let sending = try identity()
    let names = try references()
    var rows: [Done.Row] = []
    rows.reserveCapacity(names.count)
    for name in names {
      guard let outcome = RowOutcome(rawValue: try byte()) else { throw .malformed("unknown outcome of a row") }
      rows.append(Done.Row(reference: name, outcome: outcome, code: try text()))
    }
    return Done(sink: sink, sending: sending, rows: rows)
  }

  private mutating func decision() throws(LedgerCodecError) -> Resolve.Decision {
    let code = try byte()
    switch code {
    case 1, 2, 3:
      let sink = try text()
      let rows = try references()
      guard rows.count == 1 else { throw .malformed("a decision names one row") }
      let state = try signed()
      if code == 2 { return .settle(sink: sink, row: rows[0], state: state) }
      if code == 3 { return .drop(sink: sink, row: rows[0], state: state) }
      return .retry(sink: sink, row: rows[0], state: state, customer: try flag() ? try string() : nil)
    case 4:
      let reason = try text()
      let offset = try signed()
      return .stop(reason: reason, offset: offset, argument: try signed())
    default: throw .malformed("unknown decision")
    }
  }

  mutating func summary() throws(LedgerCodecError) -> SetSummary {
    let set = try varint()
    let chunks = try unsigned32()
    return SetSummary(set: set, chunks: chunks, digest: try digest())
  }

  mutating func lastRecord() throws(LedgerCodecError) -> LastRecord {
    let offset = try signed()
    return LastRecord(offset: offset, digest: try digest())
  }

  mutating func counters() throws(LedgerCodecError) -> RangeCounters {
    var counters = RangeCounters()
    counters.consumed = try signed()
    counters.counted = try signed()
    counters.duplicate = try signed()
    let reasons = try count()
    // A later version may add reasons; it may not take any away.
    guard reasons <= counters.quarantined.count else { throw .malformed("more quarantine reasons than are known") }
    for reason in 0..<reasons { counters.quarantined[reason] = try signed() }
    counters.holesVerified = try signed()
    counters.holesUnverified = try signed()
    counters.keyMismatches = try signed()
    return counters
  }

  mutating func references() throws(LedgerCodecError) -> [RowReference] {
    let count = try count(ofAtLeast: 2)
    var rows: [RowReference] = []
    rows.reserveCapacity(count)
    var claim: UInt64 = 0
    var row: Int64 = 0
    for _ in 0..<count {
      claim = claim &+ UInt64(bitPattern: try signed())
      let (next, overflow) = row.addingReportingOverflow(try signed())
      guard !overflow, let index = UInt32(exactly: next) else { throw .malformed("row index beyond 32 bits") }
      row = next
      rows.append(RowReference(claim: claim, row: index))
    }
    return rows
  }
}
