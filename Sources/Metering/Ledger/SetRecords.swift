/// What the chunks of a set hold.
public enum SetKind: UInt8, Hashable, Sendable {
  case cut = 1
  case claim = 2
  case snapshot = 3
}

public struct SetChunk: Hashable, Sendable {
  /// What it is a piece of; the SEAL says the same.
  public var kind: SetKind
  /// The sequence of the set's first chunk: with the nonce, the set's identity.
  public var set: UInt64
  /// Counts from 0.
  public var index: UInt32
  public var payload: [UInt8]

  public init(kind: SetKind, set: UInt64, index: UInt32, payload: [UInt8]) {
    self.kind = kind
    self.set = set
    self.index = index
    self.payload = payload
  }
}

/// What every SEAL says of its set.
public struct SetSummary: Hashable, Sendable {
  public var set: UInt64
  public var chunks: UInt32
  /// The digest of the chunks' payloads, in order.
  public var digest: Digest

  public init(set: UInt64, chunks: UInt32, digest: Digest) {
    self.set = set
    self.chunks = chunks
    self.digest = digest
  }
}

public struct CutSeal: Hashable, Sendable {
  public var summary: SetSummary
  /// The ordinal of this cut in its partition, from 0.
  public var number: UInt64
  /// [from, to): the range of the usage partition. Equal where the cut is empty.
  public var from: Int64
  public var to: Int64
  /// The log's clock at the end, Unix milliseconds; Int64.min before the first timestamp.
  public var clockMilliseconds: Int64
  public var configuration: Digest
  /// Where a changed window was rebuilt: the offset from which the index then reaches.
  public var indexFromOffset: Int64?
  public var counters: RangeCounters
  /// The last record below `to`, and the digest of its key and value; nil where the range holds none.
  public var lastRecord: LastRecord?
  /// A person's RESOLVE: records in this range are gone and accepted as lost.
  public var isAcceptedLoss: Bool
  public var rows: UInt32

  public init(
    summary: SetSummary, number: UInt64, from: Int64, to: Int64, clockMilliseconds: Int64, configuration: Digest,
    indexFromOffset: Int64? = nil, counters: RangeCounters, lastRecord: LastRecord?, isAcceptedLoss: Bool = false,
    rows: UInt32
  ) {
    self.summary = summary
    self.number = number
    self.from = from
    self.to = to
    self.clockMilliseconds = clockMilliseconds
    self.configuration = configuration
    self.indexFromOffset = indexFromOffset
    self.counters = counters
    self.lastRecord = lastRecord
    self.isAcceptedLoss = isAcceptedLoss
    self.rows = rows
  }
}

public struct LastRecord: Hashable, Sendable {
  public var offset: Int64
  public var digest: Digest

  public init(offset: Int64, digest: Digest) {
    self.offset = offset
    self.digest = digest
  }
}

public struct ClaimSeal: Hashable, Sendable {
  public var summary: SetSummary
  public var sink: String
  /// The ordinal of this claim at its sink and partition, from 0.
  public var number: UInt64
  public var firstCut: UInt64
  public var lastCut: UInt64
  public var configuration: Digest
  public var rows: UInt32
  /// The part that the sink's routing leaves out.
  public var skipped: Quantity

  public init(
    summary: SetSummary, sink: String, number: UInt64, firstCut: UInt64, lastCut: UInt64, configuration: Digest,
    rows: UInt32, skipped: Quantity
  ) {
    self.summary = summary
    self.sink = sink
    self.number = number
    self.firstCut = firstCut
    self.lastCut = lastCut
    self.configuration = configuration
    self.rows = rows
    self.skipped = skipped
  }
}

public struct SnapshotSeal: Hashable, Sendable {
  public var summary: SetSummary
  /// The fold of all records up to and including this ledger offset.
  public var through: Int64

  public init(summary: SetSummary, through: Int64) {
    self.summary = summary
    self.through = through
  }
}
