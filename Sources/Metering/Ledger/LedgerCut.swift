/// The head: where counting goes on.
public struct Head: Hashable, Sendable {
  /// The b of the last cut; GENESIS's start offset before the first.
  public var offset: Int64
  /// The number of the next cut.
  public var cutNumber: UInt64
  /// The log's clock there, Unix milliseconds; Int64.min before the first timestamp.
  public var clockMilliseconds: Int64
  /// Ledger time at the record that set the head, Unix milliseconds.
  public var ledgerMilliseconds: Int64
  /// The ledger offset of that record, a SEAL or GENESIS.
  public var recordOffset: Int64
  /// The configuration of the last cut, or GENESIS's.
  public var configuration: Digest
  /// The last record below `offset`; nil where no cut has held one.
  public var lastRecord: LastRecord?

  /// One hour, in milliseconds.
  package static let capAheadMilliseconds: Int64 = 3_600_000
  /// The cap of the range that begins here: no timestamp moves the clock beyond it.
  public var capMilliseconds: Int64 { ledgerMilliseconds &+ Self.capAheadMilliseconds }
}

/// A cut that stands, as long as the dedup window or a sink needs it.
public struct LedgerCut: Hashable, Sendable {
  public var number: UInt64
  /// [from, to): its range of the usage partition.
  public var from: Int64
  public var to: Int64
  /// The log's clock at its end, Unix milliseconds.
  public var clockMilliseconds: Int64
  /// The cap under which its range was judged, Unix milliseconds.
  public var capMilliseconds: Int64
  public var configuration: Digest
  public var indexFromOffset: Int64?
  public var lastRecord: LastRecord?
  public var isAcceptedLoss: Bool
  /// Its set: owner's nonce, sequence of the first chunk, number of chunks, digest.
  public var nonce: UInt64
  public var summary: SetSummary
  /// The ledger offsets of its first chunk and of its SEAL.
  public var firstOffset: Int64
  public var sealOffset: Int64
  /// Ledger time at its SEAL, Unix milliseconds.
  public var ledgerMilliseconds: Int64
  public var rows: UInt32
  public var quantity: Quantity
  /// The sum of all cuts before it (wrapping).
  public var quantityBefore: Quantity
  /// The payloads of its chunks; nil once no active sink needs them (they can be read again: ``CutRecall``).
  public internal(set) var chunks: [[UInt8]]?
}

/// The arithmetic of dedup buckets.
public enum DedupBucket {
  /// k = ⌊clock/τ⌋, also before 1970.
  public static func number(clockMilliseconds: Int64, bucketMilliseconds: Int64) -> Int64 {
    let (quotient, remainder) = clockMilliseconds.quotientAndRemainder(dividingBy: bucketMilliseconds)
    return remainder < 0 ? quotient - 1 : quotient
  }
}

/// The latest owner.
public struct LedgerOwner: Hashable, Sendable {
  public var nonce: UInt64
  /// The ledger offset of its OWNER record.
  public var offset: Int64
  /// Ledger time there, Unix milliseconds.
  public var ledgerMilliseconds: Int64
  public var instance: String
}

/// A writer of the last day.
public struct NonceState: Hashable, Sendable {
  public var lastSequence: UInt64
  /// Whether it has been an owner's: it can't be one again.
  public var wasOwner: Bool
  /// Ledger time of its last record, Unix milliseconds.
  public var ledgerMilliseconds: Int64
}

/// A stop that a person accepted.
public struct ResolvedStop: Hashable, Sendable {
  public var reason: String
  public var offset: Int64
  public var argument: Int64
  /// The ledger offset of the RESOLVE.
  public var record: Int64
}

/// A SNAPSHOT that stands.
public struct SnapshotMark: Hashable, Sendable {
  /// The ledger offset up to which it has folded.
  public var through: Int64
  /// The ledger offsets of its first chunk and of its SEAL.
  public var firstOffset: Int64
  public var sealOffset: Int64
  /// Ledger time at its SEAL, Unix milliseconds.
  public var ledgerMilliseconds: Int64
}
