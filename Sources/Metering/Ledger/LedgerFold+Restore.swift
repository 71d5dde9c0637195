extension LedgerFold {
  /// Restores the fold that ``snapshot(limit:)`` wrote; folding goes on at `through` + 1.
  ///
  /// - Throws: ``LedgerFault`` at `through`: the payloads are of a newer version, of another partition or another
  ///   `through`, or cannot be decoded.
  public init(snapshot payloads: [[UInt8]], through: Int64, partition: Int32) throws(LedgerFault) {
    self.init(partition: partition)
    var reader = ByteReader(Array(payloads.joined()))
    do {
      try restore(from: &reader)
    } catch {
      if case .unknownVersion = error { throw LedgerFault(error, offset: through) }
      throw LedgerFault(.snapshotMalformed, offset: through, detail: "the snapshot: \(error)")
    }
    guard self.through == through else {
      throw LedgerFault(
        .snapshotMalformed, offset: through, detail: "the snapshot has folded through \(self.through)")
    }
  }

  private mutating func restore(from reader: inout ByteReader) throws(LedgerCodecError) {
    let version = try reader.byte()
    guard version == Self.snapshotVersion else { throw .unknownVersion(version, reads: Self.snapshotVersion) }
    guard try reader.signed32() == partition else { throw .malformed("the snapshot is of another partition") }
    nextOffset = try reader.signed()
    guard nextOffset > Int64.min else { throw .malformed("ledger offset out of range") }
    chainedDigest = try reader.digest()
    ledgerMilliseconds = try reader.signed()
    let genesis = try reader.genesis()
    self.genesis = genesis
    genesisOffset = try reader.signed()
    owner = try reader.flag() ? try reader.owner() : nil
    for _ in 0..<(try reader.count(ofAtLeast: 11)) {
      let nonce = try reader.fixed64()
      let last = try reader.varint()
      let wasOwner = try reader.flag()
      nonces[nonce] = NonceState(lastSequence: last, wasOwner: wasOwner, ledgerMilliseconds: try reader.signed())
    }
    for _ in 0..<(try reader.count(ofAtLeast: 17)) {
      let digest = try reader.digest()
      let bytes = try reader.string()
      guard Digest(of: bytes) == digest else { throw .malformed("a configuration does not have its digest") }
      configurations[digest] = try BillingRules(decoding: bytes)
    }
    // The rules that GENESIS's record holds are stored here only.
    guard configurations[genesis.configuration] != nil else { throw .malformed("the rules of GENESIS are missing") }
    head = try reader.head()
    for _ in 0..<(try reader.count(ofAtLeast: 60)) {
      let cut = try reader.cut()
      if let last = cuts.last, cut.number != last.number &+ 1 { throw .malformed("the cuts have a gap") }
      cuts.append(cut)
    }
    counters = try reader.counters()
    eventsInRows = try reader.signed()
    quantity = try reader.quantity()
    for _ in 0..<(try reader.count(ofAtLeast: 10)) {
      let sink = try reader.sink()
      sinks[sink.name] = sink
    }
    for _ in 0..<(try reader.count(ofAtLeast: 4)) {
      let reason = try reader.text()
      let offset = try reader.signed()
      let argument = try reader.signed()
      resolvedStops.append(
        ResolvedStop(reason: reason, offset: offset, argument: argument, record: try reader.signed()))
    }
    for _ in 0..<(try reader.count(ofAtLeast: 4)) {
      let through = try reader.signed()
      let first = try reader.signed()
      let seal = try reader.signed()
      snapshots.append(
        SnapshotMark(through: through, firstOffset: first, sealOffset: seal, ledgerMilliseconds: try reader.signed()))
    }
    guard reader.isAtEnd else { throw .trailingBytes }
  }
}

extension ByteReader {
  fileprivate mutating func owner() throws(LedgerCodecError) -> LedgerOwner {
    let nonce = try fixed64()
    let offset = try signed()
    let time = try signed()
    return LedgerOwner(nonce: nonce, offset: offset, ledgerMilliseconds: time, instance: try text())
  }

  fileprivate mutating func head() throws(LedgerCodecError) -> Head {
    let offset = try signed()
    let number = try varint()
    let clock = try signed()
    let time = try signed()
    let record = try signed()
    let configuration = try digest()
    return Head(
      offset: offset, cutNumber: number, clockMilliseconds: clock, ledgerMilliseconds: time, recordOffset: record,
      configuration: configuration, lastRecord: try flag() ? try lastRecord() : nil)
  }

  fileprivate mutating func cut() throws(LedgerCodecError) -> LedgerCut {
    let number = try varint()
    let from = try signed()
    let to = try signed()
    let clock = try signed()
    let cap = try signed()
    let configuration = try digest()
    let indexFrom = try flag() ? try signed() : nil
    let last = try flag() ? try lastRecord() : nil
    let isAcceptedLoss = try flag()
    let nonce = try fixed64()
    let summary = try summary()
    let first = try signed()
    let seal = try signed()
    let time = try signed()
    let rows = try unsigned32()
    let sum = try quantity()
    let before = try quantity()
    var chunks: [[UInt8]]?
    if try flag() {
      var found: [[UInt8]] = []
      for _ in 0..<(try count()) { found.append(try string()) }
      chunks = found
    }
    return LedgerCut(
      number: number, from: from, to: to, clockMilliseconds: clock, capMilliseconds: cap, configuration: configuration,
      indexFromOffset: indexFrom, lastRecord: last, isAcceptedLoss: isAcceptedLoss, nonce: nonce, summary: summary,
      firstOffset: first, sealOffset: seal, ledgerMilliseconds: time, rows: rows, quantity: sum,
      quantityBefore: before, chunks: chunks)
  }

  fileprivate mutating func sink() throws(LedgerCodecError) -> SinkState {
    let name = try text()
    let firstCut = try varint()
    var sink = SinkState(name: name, firstCut: firstCut, quantityBefore: try quantity())
    sink.nextCut = try varint()
    sink.quantityBeforeNext = try quantity()
    sink.nextClaim = try varint()
    sink.isActive = try flag()
    sink.carry = try carries()
    sink.returned = try carries()
    sink.totals.settled = try quantity()
    sink.totals.inFlight = try quantity()
    sink.totals.uncertain = try quantity()
    sink.totals.parked = try quantity()
    sink.totals.dropped = try quantity()
    sink.totals.skipped = try quantity()
    sink.totals.carried = try quantity()
    sink.totals.inFlightRows = try signed()
    sink.totals.uncertainRows = try signed()
    sink.totals.parkedRows = try signed()
    for index in sink.totals.settledRows.indices { sink.totals.settledRows[index] = try signed() }
    for _ in 0..<(try count(ofAtLeast: 20)) { sink.claims.append(try claim()) }
    return sink
  }

  private mutating func carries() throws(LedgerCodecError) -> [CarryKey: Quantity] {
    var carries: [CarryKey: Quantity] = [:]
    for _ in 0..<(try count(ofAtLeast: 3)) {
      let customer = try string()
      let meter = try string()
      carries[CarryKey(customer: customer, meter: meter)] = try quantity()
    }
    return carries
  }

  private mutating func claim() throws(LedgerCodecError) -> OpenClaim {
    let number = try varint()
    let first = try varint()
    let last = try varint()
    let configuration = try digest()
    let seal = try signed()
    let time = try signed()
    let count = try count(ofAtLeast: 6)
    var builder = ClaimArenaBuilder()
    builder.reserve(rows: count)
    builder.beginStream()
    var histories: [RowHistory] = []
    var index: UInt64 = 0
    for _ in 0..<count {
      let step = try varint()
      guard step > 0 || histories.isEmpty, step <= UInt64(UInt32.max), index + step <= UInt64(UInt32.max) else {
        throw .malformed("row indices do not ascend")
      }
      index += step
      _ = try builder.read(from: &self, index: UInt32(index), keepsZero: true)
      var history = RowHistory()
      try verdict(into: &history)
      histories.append(history)
    }
    var claim = OpenClaim(
      number: number, firstCut: first, lastCut: last, configuration: configuration, sealOffset: seal,
      ledgerMilliseconds: time, arena: builder.finish())
    // Neighbours mostly went the same way.
    var known: (history: RowHistory, mark: UInt32) = (.fresh, 0)
    for (position, history) in histories.enumerated() {
      if history != known.history { known = (history, claim.mark(of: history)) }
      claim.set(known.mark, at: position)
    }
    return claim
  }

  private mutating func verdict(into row: inout RowHistory) throws(LedgerCodecError) {
    let code = try byte()
    guard code < 16 else { throw .malformed("unknown state of a row") }
    row.hasEarlierAttempts = code & 4 != 0
    switch code & 3 {
    case 0: break
    case 1:
      let text = try text()
      row.verdict = .uncertain(code: text, record: try signed())
    case 2:
      let text = try text()
      row.verdict = .parked(reason: text, record: try signed())
    default: throw .malformed("unknown state of a row")
    }
    guard code & 8 != 0 else { return }
    let count = try count(ofAtLeast: 14)
    for _ in 0..<count {
      let sending = try identity()
      let offset = try signed()
      let time = try signed()
      let lease = try signed()
      let account = try text()
      row.attempts.append(
        RowAttempt(
          sending: sending, offset: offset, ledgerMilliseconds: time, leaseMilliseconds: lease, account: account,
          isRefused: try flag()))
    }
  }
}

/// Finds a SNAPSHOT in the ledger: feed it records from the first chunk of one (or from further back) on.
///
/// Any whole SNAPSHOT will do, also one whose writer was not the owner at its SEAL: it says what the records through its
/// `through` say, and the fold that goes on from there judges its writer.
public struct SnapshotFinder: Sendable {
  private var open: [RecordIdentity: [[UInt8]]] = [:]

  public init() {}

  /// Takes a record; the snapshot that it seals, with the chunks in order and their digest checked.
  public mutating func add(_ entry: LedgerEntry) -> (payloads: [[UInt8]], through: Int64)? {
    guard let (identity, record) = try? LedgerCodec.decode(entry.bytes) else { return nil }
    switch record {
    case .chunk(let chunk) where chunk.kind == .snapshot:
      let set = RecordIdentity(nonce: identity.nonce, sequence: chunk.set)
      // A repeated chunk has an index that is taken already.
      if chunk.index == UInt32(open[set, default: []].count) { open[set, default: []].append(chunk.payload) }
      return nil
    case .snapshot(let seal):
      let set = RecordIdentity(nonce: identity.nonce, sequence: seal.summary.set)
      guard let payloads = open.removeValue(forKey: set), payloads.count == Int(seal.summary.chunks),
        SetDigest.of(payloads) == seal.summary.digest
      else { return nil }
      return (payloads, seal.through)
    default: return nil
    }
  }
}
