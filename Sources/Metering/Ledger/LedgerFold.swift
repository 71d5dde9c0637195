/// The only truth of one partition: what its ledger, read from the beginning (or from a snapshot), says.
///
/// A value: copies are snapshots in memory. Not thread-safe, needs no thread. `apply` either takes a record whole, or
/// throws a ``LedgerFault`` and changes nothing: then the partition stops, unless a person accepts that the record is
/// passed over (``pass(_:)``).
///
/// A fold that starts from any snapshot equals the fold from the beginning at every later record. So whatever a later
/// record's judgement depends on is part of the state: nothing is remembered outside of it, and nothing in it depends on
/// how it came to be.
public struct LedgerFold: Hashable, Sendable {
  public let partition: Int32
  /// The ledger offset after the last folded record.
  public internal(set) var nextOffset: Int64 = 0
  /// d_n = H(d_{n−1}, offset, bytes) over the folded records.
  public internal(set) var chainedDigest = Digest.ledgerStart
  /// Ledger time, Unix milliseconds: the running maximum of append times. Int64.min before the first record.
  public internal(set) var ledgerMilliseconds = Int64.min
  public internal(set) var genesis: Genesis?
  /// The ledger offset of GENESIS.
  public internal(set) var genesisOffset: Int64 = 0
  public internal(set) var owner: LedgerOwner?
  /// Writers of the last day (of ledger time), and the present owner.
  public internal(set) var nonces: [UInt64: NonceState] = [:]
  /// GENESIS's configuration and those of all CONFIGs.
  public internal(set) var configurations: [Digest: BillingRules] = [:]
  /// Nil before GENESIS.
  public internal(set) var head: Head?
  /// The cuts that the window or an active sink still needs, ascending and without a gap; the last is the head's.
  public internal(set) var cuts: [LedgerCut] = []
  /// The counters of all cuts.
  public internal(set) var counters = RangeCounters()
  /// The events that are in the rows of all cuts.
  public internal(set) var eventsInRows: Int64 = 0
  /// The sum of all cuts (wrapping).
  public internal(set) var quantity = Quantity.zero
  /// By name; a sink stays here when the configuration no longer names it.
  public internal(set) var sinks: [String: SinkState] = [:]
  public internal(set) var resolvedStops: [ResolvedStop] = []
  /// The last SNAPSHOT that stands, and the one before it.
  public internal(set) var snapshots: [SnapshotMark] = []
  /// Sets of the present owner that are not sealed.
  var openSets: [UInt64: OpenSet] = [:]

  /// An empty ledger of that partition.
  public init(partition: Int32) { self.partition = partition }

  /// Folds one record. Records must come in order; one below ``nextOffset`` is ignored.
  ///
  /// - Throws: ``LedgerFault``; the fold is unchanged then.
  public mutating func apply(_ entry: LedgerEntry) throws(LedgerFault) -> LedgerChange {
    guard entry.offset >= nextOffset else { return .ignored(.alreadyRead) }
    let identity: RecordIdentity
    let record: LedgerRecord
    do {
      (identity, record) = try LedgerCodec.decode(entry.bytes)
    } catch {
      throw LedgerFault(error, offset: entry.offset)
    }
    let place = Place(
      identity: identity, offset: entry.offset,
      ledgerMilliseconds: max(ledgerMilliseconds, entry.appendMilliseconds))
    let change = try judge(record, at: place)
    advance(over: entry, at: place)
    if change != .ignored(.repeated) { remember(place, isOwner: record.isOwner) }
    return change
  }

  /// Passes over a record that ``apply(_:)`` could not take, because a person accepted it (a RESOLVE of the stop, further
  /// on in the ledger): it counts for the digest and for ledger time, and for nothing else. A set that it seals is gone.
  public mutating func pass(_ entry: LedgerEntry) -> LedgerChange {
    guard entry.offset >= nextOffset else { return .ignored(.alreadyRead) }
    let decoded = try? LedgerCodec.decode(entry.bytes)
    let place = Place(
      identity: decoded?.identity ?? RecordIdentity(nonce: 0, sequence: 0), offset: entry.offset,
      ledgerMilliseconds: max(ledgerMilliseconds, entry.appendMilliseconds))
    advance(over: entry, at: place)
    if let decoded {
      if let summary = decoded.record.summary, decoded.identity.nonce == owner?.nonce { openSets[summary.set] = nil }
      if (nonces[place.identity.nonce]?.lastSequence).map({ $0 < place.identity.sequence }) ?? true {
        remember(place, isOwner: false)
      }
    }
    return .ignored(.accepted)
  }

  /// Where and whose a record is.
  struct Place {
    var identity: RecordIdentity
    var offset: Int64
    /// Ledger time at the record, itself included.
    var ledgerMilliseconds: Int64
  }

  private mutating func advance(over entry: LedgerEntry, at place: Place) {
    nextOffset = entry.offset + 1
    chainedDigest = chainedDigest.chained(offset: entry.offset, bytes: entry.bytes)
    ledgerMilliseconds = place.ledgerMilliseconds
  }

  private static let nonceMilliseconds: Int64 = 86_400_000

  /// Nonces older than a day go when a new one comes: so what is remembered depends on the records only.
  private mutating func remember(_ place: Place, isOwner: Bool) {
    let nonce = place.identity.nonce
    let known = nonces[nonce]
    nonces[nonce] = NonceState(
      lastSequence: place.identity.sequence, wasOwner: (known?.wasOwner ?? false) || (isOwner && owner?.nonce == nonce),
      ledgerMilliseconds: place.ledgerMilliseconds)
    guard known == nil else { return }
    let oldest = place.ledgerMilliseconds &- Self.nonceMilliseconds
    let current = owner?.nonce
    nonces = nonces.filter { $0.key == current || $0.value.ledgerMilliseconds >= oldest }
  }

  private mutating func judge(_ record: LedgerRecord, at place: Place) throws(LedgerFault) -> LedgerChange {
    if genesis == nil {
      switch record {
      case .genesis(let first, let rules): return try apply(first, rules: rules, at: place)
      // A person accepts that the ledger of before is lost: the one record that may come before GENESIS.
      case .resolve(let resolve) where resolve.acceptsLostLedger: return apply(resolve, at: place)
      default: throw LedgerFault(.genesisMissing, offset: place.offset, detail: "the first record is not GENESIS")
      }
    }
    if let known = nonces[place.identity.nonce], place.identity.sequence <= known.lastSequence {
      return .ignored(.repeated)
    }
    let isOwners = place.identity.nonce == owner?.nonce
    switch record {
    case .genesis: return .ignored(.genesisStands)
    case .owner(let owner): return apply(owner, at: place)
    case .config(let configuration): return try apply(configuration, at: place)
    case .unsent(let unsent):
      let rows = sinks[unsent.sink]?.apply(unsent: unsent.rows, of: unsent.sending) ?? []
      return rows.isEmpty ? .ignored(.noEffect) : .unsent(sink: unsent.sink, rows: rows)
    case .done(let done):
      let rows = sinks[done.sink]?.apply(done: done.rows, of: done.sending, at: place.offset) ?? []
      return rows.isEmpty ? .ignored(.noEffect) : .done(sink: done.sink, rows: rows)
    case .resolve(let resolve): return apply(resolve, at: place)
    case .chunk, .cut, .claim, .sending, .park, .snapshot:
      guard isOwners else { return .ignored(.notOwner) }
      return try applyOwners(record, at: place)
    }
  }

  /// A record that counts only if its writer is the owner, which it is.
  private mutating func applyOwners(_ record: LedgerRecord, at place: Place) throws(LedgerFault) -> LedgerChange {
    switch record {
    case .chunk(let chunk): return apply(chunk, at: place)
    case .cut(let seal): return try apply(seal, at: place)
    case .claim(let seal): return try apply(seal, at: place)
    case .snapshot(let seal): return try apply(seal, at: place)
    case .sending(let sending):
      let attempt = RowAttempt(
        sending: place.identity, offset: place.offset, ledgerMilliseconds: place.ledgerMilliseconds,
        leaseMilliseconds: sending.leaseMilliseconds, account: sending.account)
      let rows = sinks[sending.sink]?.apply(sending: sending.rows, attempt: attempt) ?? []
      if rows.isEmpty { return .ignored(.noEffect) }
      return .sending(
        sink: sending.sink, identity: place.identity, rows: rows, ledgerMilliseconds: place.ledgerMilliseconds)
    case .park(let park):
      let rows = sinks[park.sink]?.apply(park: park, at: place.offset) ?? []
      return rows.isEmpty ? .ignored(.noEffect) : .parked(sink: park.sink, rows: rows)
    default: return .ignored(.noEffect)
    }
  }
}

extension Resolve {
  var acceptsLostLedger: Bool {
    if case .stop(let reason, _, _) = decision { reason == StopReason.Code.ledgerLost.rawValue } else { false }
  }
}

extension LedgerRecord {
  var isOwner: Bool {
    if case .owner = self { true } else { false }
  }

  /// What a SEAL says of its set.
  var summary: SetSummary? {
    switch self {
    case .cut(let seal): seal.summary
    case .claim(let seal): seal.summary
    case .snapshot(let seal): seal.summary
    default: nil
    }
  }
}
