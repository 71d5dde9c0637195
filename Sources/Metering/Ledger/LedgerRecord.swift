/// Who appended a record, and the how-manieth of theirs it is. Repeats of an identity are ignored by the fold.
public struct RecordIdentity: Hashable, Sendable {
  /// The owner's nonce (a command line's own random number for a RESOLVE).
  public var nonce: UInt64
  /// Counts from 0 (the OWNER record itself) for each nonce.
  public var sequence: UInt64

  public init(nonce: UInt64, sequence: UInt64) {
    self.nonce = nonce
    self.sequence = sequence
  }
}

/// 128 bits that tell two byte strings apart by accident, not against an adversary: digests of configurations, sets
/// and of the ledger up to a record.
public struct Digest: Hashable, Sendable {
  public var high: UInt64
  public var low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}

/// One record of the ledger as it lies in Kafka.
public struct LedgerEntry: Sendable {
  /// Its offset in the ledger partition.
  public var offset: Int64
  /// The broker's append time, Unix milliseconds.
  public var appendMilliseconds: Int64
  /// The record's value (LedgerCodec).
  public var bytes: [UInt8]

  public init(offset: Int64, appendMilliseconds: Int64, bytes: [UInt8]) {
    self.offset = offset
    self.appendMilliseconds = appendMilliseconds
    self.bytes = bytes
  }
}

/// What a ledger record says (DESIGN.md, "The ledger").
public enum LedgerRecord: Hashable, Sendable {
  case genesis(Genesis)
  case owner(Owner)
  case config(ConfigurationRecord)
  /// One piece of the set whose first chunk has the sequence `set`.
  case chunk(SetChunk)
  case cut(CutSeal)
  case claim(ClaimSeal)
  case sending(Sending)
  case unsent(Unsent)
  case done(Done)
  case park(Park)
  case resolve(Resolve)
  case snapshot(SnapshotSeal)
}

/// The first record of a ledger partition: the first one wins.
public struct Genesis: Hashable, Sendable {
  public var clusterID: String
  public var topic: String
  public var group: String
  public var partition: Int32
  public var partitionCount: Int32
  /// The first offset that is counted.
  public var startOffset: Int64
  /// Records in [dedupFromOffset, startOffset) are sightings only.
  public var dedupFromOffset: Int64
  /// The fingerprint key, 16 bytes.
  public var fingerprintKey: [UInt8]
  /// 128 random bits, 16 bytes: part of every idempotency key.
  public var incarnation: [UInt8]
  /// The configuration under which the sightings are judged.
  public var configuration: Digest

  public init(
    clusterID: String, topic: String, group: String, partition: Int32, partitionCount: Int32, startOffset: Int64,
    dedupFromOffset: Int64, fingerprintKey: [UInt8], incarnation: [UInt8], configuration: Digest
  ) {
    self.clusterID = clusterID
    self.topic = topic
    self.group = group
    self.partition = partition
    self.partitionCount = partitionCount
    self.startOffset = startOffset
    self.dedupFromOffset = dedupFromOffset
    self.fingerprintKey = fingerprintKey
    self.incarnation = incarnation
    self.configuration = configuration
  }
}

public struct Owner: Hashable, Sendable {
  /// Who it is, for people: host and storage path.
  public var instance: String

  public init(instance: String) {
    self.instance = instance
  }
}

/// One version of the configuration, once.
public struct ConfigurationRecord: Hashable, Sendable {
  public var digest: Digest
  /// The canonical encoding (BillingRules.encoded), of which `digest` is the digest.
  public var bytes: [UInt8]

  public init(digest: Digest, bytes: [UInt8]) {
    self.digest = digest
    self.bytes = bytes
  }
}

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

/// One row of a claim, frozen. Its index in the claim is part of its idempotency key.
public struct ClaimRow: Hashable, Sendable {
  /// The customer as the provider knows it; the event's own where it could not be mapped.
  public var customer: [UInt8]
  /// The provider's name of the feature.
  public var meter: [UInt8]
  /// Names and values (``NamedDimensions``), empty for none.
  public var dimensions: [UInt8]
  public var value: Quantity
  /// The greatest event time in it, Unix milliseconds.
  public var timestampMilliseconds: Int64
  public var events: Int64
  /// Parked from birth: the customer map has no entry.
  public var isUnmapped: Bool

  public init(
    customer: [UInt8], meter: [UInt8], dimensions: [UInt8], value: Quantity, timestampMilliseconds: Int64,
    events: Int64, isUnmapped: Bool
  ) {
    self.customer = customer
    self.meter = meter
    self.dimensions = dimensions
    self.value = value
    self.timestampMilliseconds = timestampMilliseconds
    self.events = events
    self.isUnmapped = isUnmapped
  }
}

/// A change of what is carried for (sink, customer, meter).
public struct CarryChange: Hashable, Sendable {
  public var customer: [UInt8]
  public var meter: [UInt8]
  public var carriedIn: Quantity
  public var carriedOut: Quantity

  public init(customer: [UInt8], meter: [UInt8], carriedIn: Quantity, carriedOut: Quantity) {
    self.customer = customer
    self.meter = meter
    self.carriedIn = carriedIn
    self.carriedOut = carriedOut
  }
}

/// A row's name within a partition and sink.
public struct RowReference: Hashable, Comparable, Sendable {
  public var claim: UInt64
  public var row: UInt32

  public init(claim: UInt64, row: UInt32) {
    self.claim = claim
    self.row = row
  }
  public static func < (left: Self, right: Self) -> Bool { (left.claim, left.row) < (right.claim, right.row) }
}

/// The permission to send each of `rows` once, for `leaseMilliseconds` counted from before its own append.
public struct Sending: Hashable, Sendable {
  public var sink: String
  public var account: String
  public var leaseMilliseconds: Int64
  public var rows: [RowReference]

  public init(sink: String, account: String, leaseMilliseconds: Int64, rows: [RowReference]) {
    self.sink = sink
    self.account = account
    self.leaseMilliseconds = leaseMilliseconds
    self.rows = rows
  }
}

/// The attempts of `rows` under `sending` had no effect, provably: they are void.
public struct Unsent: Hashable, Sendable {
  public var sink: String
  public var sending: RecordIdentity
  public var rows: [RowReference]

  public init(sink: String, sending: RecordIdentity, rows: [RowReference]) {
    self.sink = sink
    self.sending = sending
    self.rows = rows
  }
}

public enum RowOutcome: UInt8, Sendable {
  case delivered
  /// The provider knew the key already, from an ambiguous attempt of ours: delivered.
  case alreadyDelivered
  /// Refused for good: the row is parked.
  case rejected
  /// Nobody knows, and it may not be sent again blindly.
  case uncertain
}

public struct Done: Hashable, Sendable {
  public struct Row: Hashable, Sendable {
    public var reference: RowReference
    public var outcome: RowOutcome
    /// The provider's code, for people; empty where there is none.
    public var code: String
    public init(reference: RowReference, outcome: RowOutcome, code: String = "") {
      self.reference = reference
      self.outcome = outcome
      self.code = code
    }
  }
  public var sink: String
  public var sending: RecordIdentity
  public var rows: [Row]

  public init(sink: String, sending: RecordIdentity, rows: [Row]) {
    self.sink = sink
    self.sending = sending
    self.rows = rows
  }
}

public struct Park: Hashable, Sendable {
  public var sink: String
  public var rows: [RowReference]
  /// A stable code such as `foreign_duplicate` or `unmapped_customer`.
  public var reason: String
  public var detail: String

  public init(sink: String, rows: [RowReference], reason: String, detail: String = "") {
    self.sink = sink
    self.rows = rows
    self.reason = reason
    self.detail = detail
  }
}

/// A person's decision. It has effect only where the state that it names is still the state.
public struct Resolve: Hashable, Sendable {
  public enum Decision: Hashable, Sendable {
    /// Send a parked or uncertain row again; `customer` where it was unmapped.
    case retry(sink: String, row: RowReference, state: Int64, customer: [UInt8]?)
    /// An uncertain row did take effect.
    case settle(sink: String, row: RowReference, state: Int64)
    /// A row will never be billed.
    case drop(sink: String, row: RowReference, state: Int64)
    /// The stop `reason` at `offset` is accepted with its consequence; `argument` is the reason's own (an offset).
    case stop(reason: String, offset: Int64, argument: Int64)
  }
  public var decision: Decision
  public var why: String

  public init(decision: Decision, why: String) {
    self.decision = decision
    self.why = why
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
