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
  /// `rules` is the configuration that it names, whole: what the sightings before the start are judged by is known from
  /// the first record on. One append, so that neither stands without the other.
  case genesis(Genesis, rules: [UInt8])
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
  /// The configuration under which the sightings are judged; the record holds its rules.
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

/// One version of the configuration, once; the founder's is in GENESIS.
public struct ConfigurationRecord: Hashable, Sendable {
  public var digest: Digest
  /// The canonical encoding (BillingRules.encoded), of which `digest` is the digest.
  public var bytes: [UInt8]

  public init(digest: Digest, bytes: [UInt8]) {
    self.digest = digest
    self.bytes = bytes
  }
}
