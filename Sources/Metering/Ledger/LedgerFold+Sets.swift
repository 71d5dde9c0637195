/// A set whose SEAL has not been read. Several may be open at once, between each other's records.
struct OpenSet: Hashable, Sendable {
  var kind: SetKind
  /// Kept for cuts and claims; of a snapshot only the digest is.
  var payloads: [[UInt8]] = []
  var count: UInt32 = 0
  var hasher = DigestHasher()
  var firstOffset: Int64
  /// A chunk is missing, or came out of order: it can't be sealed.
  var isBroken: Bool

  mutating func add(_ payload: [UInt8]) {
    count += 1
    SetDigest.add(payload, to: &hasher)
    if kind != .snapshot { payloads.append(payload) }
  }
}

/// The digest of a set: its payloads in order, each with its length before it.
public enum SetDigest {
  static func add(_ payload: [UInt8], to hasher: inout DigestHasher) {
    hasher.update(UInt64(payload.count))
    hasher.update(payload)
  }

  public static func of(_ payloads: [[UInt8]]) -> Digest {
    var hasher = DigestHasher()
    for payload in payloads { add(payload, to: &hasher) }
    return hasher.finalized()
  }
}

extension LedgerFold {
  mutating func apply(_ chunk: SetChunk, at place: Place) -> LedgerChange {
    if openSets[chunk.set] == nil {
      openSets[chunk.set] = OpenSet(
        kind: chunk.kind, firstOffset: place.offset,
        isBroken: chunk.index != 0 || chunk.set != place.identity.sequence)
    }
    guard var set = openSets.removeValue(forKey: chunk.set) else { return .ignored(.noEffect) }
    if set.kind != chunk.kind || set.count != chunk.index { set.isBroken = true }
    if set.isBroken {
      set.payloads = []
    } else {
      set.add(chunk.payload)
    }
    openSets[chunk.set] = set
    return .chunk(chunk.kind, identity: RecordIdentity(nonce: place.identity.nonce, sequence: chunk.set))
  }

  /// The chunks of a set that would stand, checked against what its SEAL says.
  private func chunks(
    of summary: SetSummary, kind: SetKind, at place: Place
  ) throws(LedgerFault) -> OpenSet {
    let set =
      openSets[summary.set] ?? OpenSet(kind: kind, firstOffset: place.offset, isBroken: false)
    guard !set.isBroken, set.kind == kind, set.count == summary.chunks else {
      throw LedgerFault(
        .setIncomplete, offset: place.offset,
        detail: "the SEAL names \(summary.chunks) chunks of set \(summary.set), \(set.count) were found in order")
    }
    guard set.hasher.finalized() == summary.digest else {
      throw LedgerFault(
        .setDigestMismatch, offset: place.offset, detail: "the chunks of set \(summary.set) are not the SEAL's")
    }
    return set
  }

  mutating func apply(_ seal: SnapshotSeal, at place: Place) throws(LedgerFault) -> LedgerChange {
    let set = try chunks(of: seal.summary, kind: .snapshot, at: place)
    openSets[seal.summary.set] = nil
    snapshots.append(
      SnapshotMark(
        through: seal.through, firstOffset: set.firstOffset, sealOffset: place.offset,
        ledgerMilliseconds: place.ledgerMilliseconds))
    if snapshots.count > 2 { snapshots.removeFirst() }
    return .snapshot(through: seal.through)
  }

  mutating func apply(_ seal: CutSeal, at place: Place) throws(LedgerFault) -> LedgerChange {
    guard let head, seal.from == head.offset, seal.number == head.cutNumber else {
      openSets[seal.summary.set] = nil
      return .ignored(.notTheHead)
    }
    let set = try chunks(of: seal.summary, kind: .cut, at: place)
    guard let rules = configurations[seal.configuration] else {
      throw LedgerFault(
        .configurationUnknown, offset: place.offset,
        detail: "the cut names configuration \(seal.configuration.hexadecimal)")
    }
    guard seal.to >= seal.from, seal.clockMilliseconds >= head.clockMilliseconds else {
      throw LedgerFault(.setMalformed, offset: place.offset, detail: "the cut's range or clock runs backwards")
    }
    var sum = Quantity.zero
    var events: Int64 = 0
    var rows = 0
    do {
      for payload in set.payloads {
        rows += try CutChunk.forEachRow(in: payload) { row, _ in
          sum.units &+= row.quantity.units
          events &+= row.events
        }
      }
    } catch {
      throw LedgerFault(.setMalformed, offset: place.offset, detail: "the cut's rows: \(error)")
    }
    guard rows == Int(seal.rows) else {
      throw LedgerFault(
        .setMalformed, offset: place.offset, detail: "the cut has \(rows) rows, its SEAL says \(seal.rows)")
    }
    // Nothing below throws.
    openSets[seal.summary.set] = nil
    cuts.append(
      LedgerCut(
        number: seal.number, from: seal.from, to: seal.to, clockMilliseconds: seal.clockMilliseconds,
        capMilliseconds: head.capMilliseconds, configuration: seal.configuration,
        indexFromOffset: seal.indexFromOffset, lastRecord: seal.lastRecord, isAcceptedLoss: seal.isAcceptedLoss,
        nonce: place.identity.nonce, summary: seal.summary, firstOffset: set.firstOffset, sealOffset: place.offset,
        ledgerMilliseconds: place.ledgerMilliseconds, rows: seal.rows, quantity: sum, quantityBefore: quantity,
        chunks: set.payloads))
    quantity.units &+= sum.units
    eventsInRows &+= events
    counters.addWrapping(seal.counters)
    self.head = Head(
      offset: seal.to, cutNumber: seal.number &+ 1, clockMilliseconds: seal.clockMilliseconds,
      ledgerMilliseconds: place.ledgerMilliseconds, recordOffset: place.offset, configuration: seal.configuration,
      lastRecord: seal.lastRecord ?? head.lastRecord)
    let started = startSinks(under: rules)
    pruneCuts()
    return .cut(number: seal.number, started: started)
  }

  mutating func apply(_ seal: ClaimSeal, at place: Place) throws(LedgerFault) -> LedgerChange {
    guard let sink = sinks[seal.sink], configurations[seal.configuration]?.sink(named: seal.sink)?.isRetired != true
    else {
      openSets[seal.summary.set] = nil
      return .ignored(.noSuchSink)
    }
    guard seal.firstCut == sink.nextCut else {
      openSets[seal.summary.set] = nil
      return .ignored(.notTheNextCut)
    }
    let set = try chunks(of: seal.summary, kind: .claim, at: place)
    let decoded = try claim(seal, sink: sink, payloads: set.payloads, at: place)
    // Nothing below throws.
    openSets[seal.summary.set] = nil
    sinks[seal.sink]?.apply(decoded)
    pruneCuts()
    return .claim(sink: seal.sink, number: seal.number)
  }
}

extension RangeCounters {
  /// As ``add(_:)``, for numbers that come from a ledger: nothing in it may trap.
  mutating func addWrapping(_ other: RangeCounters) {
    consumed &+= other.consumed
    counted &+= other.counted
    duplicate &+= other.duplicate
    for reason in quarantined.indices { quarantined[reason] &+= other.quarantined[reason] }
    holesVerified &+= other.holesVerified
    holesUnverified &+= other.holesUnverified
    keyMismatches &+= other.keyMismatches
  }
}
