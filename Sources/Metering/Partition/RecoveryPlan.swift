/// What local state says of itself, before it is trusted.
public struct LocalSummary: Hashable, Sendable {
  /// The incarnation of the GENESIS it belongs to, 16 bytes.
  public var incarnation: [UInt8]
  /// The configuration under which its records beyond the head were judged.
  public var configuration: Digest
  /// The length of its dedup buckets, milliseconds.
  public var bucketMilliseconds: Int64
  /// The ledger offset of the last head record (SEAL or GENESIS) that it had read back.
  public var headRecordOffset: Int64
  /// The head that this record set: an offset of the usage partition.
  public var headOffset: Int64
  /// The first usage offset that it has not judged.
  public var nextOffset: Int64
  /// The first ledger offset that it had not folded.
  public var ledgerNextOffset: Int64
  /// The ledger's chained digest below `ledgerNextOffset`.
  public var ledgerDigest: Digest

  public init(
    incarnation: [UInt8], configuration: Digest, bucketMilliseconds: Int64, headRecordOffset: Int64, headOffset: Int64,
    nextOffset: Int64,
    ledgerNextOffset: Int64, ledgerDigest: Digest
  ) {
    self.incarnation = incarnation
    self.configuration = configuration
    self.bucketMilliseconds = bucketMilliseconds
    self.headRecordOffset = headRecordOffset
    self.headOffset = headOffset
    self.nextOffset = nextOffset
    self.ledgerNextOffset = ledgerNextOffset
    self.ledgerDigest = ledgerDigest
  }
}

/// One range of usage records to be read again for dedup only, judged as the cut that covers it judged them.
public struct ReplayRange: Hashable, Sendable {
  public var from: Int64
  public var to: Int64
  /// The cap on record timestamps in this range, Unix milliseconds.
  public var capMilliseconds: Int64
  /// The configuration of the covering cut; GENESIS's for the sightings before the start.
  public var configuration: Digest
  /// The ledger offset of the record that makes `to` a head: the cut's SEAL, or GENESIS for the sightings before it.
  public var headRecordOffset: Int64

  public init(from: Int64, to: Int64, capMilliseconds: Int64, configuration: Digest, headRecordOffset: Int64) {
    self.headRecordOffset = headRecordOffset
    self.from = from
    self.to = to
    self.capMilliseconds = capMilliseconds
    self.configuration = configuration
  }
}

/// How a partition gets from what is on the disk and in the ledger to a state that decides as if it had never stopped.
public struct RecoveryPlan: Hashable, Sendable {
  /// What becomes of local state.
  public enum Local: Hashable, Sendable {
    /// It is the head's: used as it stands, counting goes on at its next offset.
    case use
    /// It is cut back to its own head, then replayed to the present one.
    case cutBack
    /// It is thrown away (or there was none): the window is rebuilt from Kafka.
    case rebuild
  }

  public var local: Local
  /// To be replayed in this order; empty where local state reaches the head.
  public var replay: [ReplayRange]
  /// The log's clock before the first replayed record (0: none yet); nil where local state knows it.
  public var clockMilliseconds: Int64?
  /// Where counting goes on.
  public var countFrom: Int64
}
