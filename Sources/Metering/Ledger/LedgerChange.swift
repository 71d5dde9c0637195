/// What a record did to the fold.
public enum LedgerChange: Hashable, Sendable {
  case genesis(Genesis)
  case owner(nonce: UInt64)
  case configuration(Digest)
  /// A piece of a set that may still be sealed by the owner.
  case chunk(SetKind, identity: RecordIdentity)
  /// A cut stands; `started` are the sinks that begin (or come back) with it.
  case cut(number: UInt64, started: [String])
  case claim(sink: String, number: UInt64)
  /// The permission stands for these rows, and only for these: rows that were settled, parked or uncertain by then are
  /// left out, and must not be sent.
  case sending(sink: String, identity: RecordIdentity, rows: [RowReference], ledgerMilliseconds: Int64)
  /// Rows whose attempt is void now.
  case unsent(sink: String, rows: [RowChange])
  case done(sink: String, rows: [RowChange])
  case parked(sink: String, rows: [RowChange])
  case resolvedRow(sink: String, row: RowChange)
  case resolvedStop(reason: String, offset: Int64, argument: Int64)
  case snapshot(through: Int64)
  case ignored(Ignored)

  /// Why a record changed nothing.
  public enum Ignored: String, Hashable, Sendable {
    /// The offset lies below what was folded.
    case alreadyRead
    /// The identity was seen already.
    case repeated
    /// Its nonce is not the latest owner's.
    case notOwner
    /// An OWNER with a nonce that was an owner's before.
    case nonceUsed
    /// A second GENESIS.
    case genesisStands
    /// A CONFIG that stands already, or that GENESIS holds.
    case configurationStands
    /// A CUT that does not begin at the head.
    case notTheHead
    /// A CLAIM whose first cut is not its sink's next.
    case notTheNextCut
    /// A sink that no cut's configuration has named, or a CLAIM of one that is retired.
    case noSuchSink
    /// None of the rows (or states) that it names is as it would have to be.
    case noEffect
    /// A person accepted that the record is passed over.
    case accepted
  }
}

/// A row and the state that it is in now.
public struct RowChange: Hashable, Sendable {
  public var reference: RowReference
  public var state: RowState

  public init(reference: RowReference, state: RowState) {
    self.reference = reference
    self.state = state
  }
}

/// One SENDING as a row remembers it: an attempt that is neither void nor outranked.
public struct RowAttempt: Hashable, Sendable {
  public var sending: RecordIdentity
  /// The ledger offset of the SENDING.
  public var offset: Int64
  /// Ledger time at the SENDING, Unix milliseconds.
  public var ledgerMilliseconds: Int64
  public var leaseMilliseconds: Int64
  /// The provider account that it was sent to.
  public var account: String
  /// Whether a DONE says that the provider refused it: it had no effect.
  public internal(set) var isRefused = false
}

/// The state of a row of a claim.
public enum RowState: Hashable, Sendable {
  /// Never sent, or every attempt is void.
  case ready
  /// Sent, and no verdict: `attempts` in ledger order, the first of which is the first ambiguous one.
  case inDoubt([RowAttempt])
  /// Nobody knows; `record` is the ledger offset of the record that says so: what a RESOLVE has to name.
  case uncertain(code: String, record: Int64)
  /// `record` is the ledger offset of the DONE, PARK or (unmapped from birth) CLAIM SEAL.
  case parked(reason: String, record: Int64)
  /// Final.
  case settled(Settlement)

  public enum Settlement: UInt8, CaseIterable, Hashable, Sendable {
    case delivered = 0
    case alreadyDelivered = 1
    /// A value of 0: never sent.
    case zero = 2
    /// A person says that it took effect.
    case resolved = 3
    /// A person says that it will never be billed.
    case dropped = 4
  }

  /// Where the row's value stands in the conservation equation.
  var bucket: SinkTotals.Bucket {
    switch self {
    case .ready, .inDoubt: .inFlight
    case .uncertain: .uncertain
    case .parked: .parked
    case .settled(.dropped): .dropped
    case .settled: .settled
    }
  }
}
