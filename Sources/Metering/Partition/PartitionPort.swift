/// Everything that a partition machine must be told before it begins: looked up by the daemon, made up by the
/// simulator.
public struct PartitionFacts: Sendable {
  public var clusterID: String
  public var topic: String
  public var group: String
  public var partition: Int32
  public var partitionCount: Int32
  /// Who we are, for people: host and storage path.
  public var instance: String
  /// 64 random bits, never used before.
  public var nonce: UInt64
  /// 16 random bytes, should this be the partition's first owner ever.
  public var fingerprintKey: [UInt8]
  /// 16 random bytes, should this be the partition's first owner ever.
  public var incarnation: [UInt8]
  /// Where `kafka.start` points to, should this be the first owner: the first counted offset.
  public var startOffset: Int64
  /// The first record within the window before it, for sightings; equal to `startOffset` where there is none.
  public var dedupFromOffset: Int64
  /// What the consumer group's committed offset says: which GENESIS, and a hint to the last SNAPSHOT.
  public var committed: CommittedHint?
  /// What local state says of itself; nil where the folder is empty or cannot be trusted.
  public var local: LocalSummary?

  public init(
    clusterID: String, topic: String, group: String, partition: Int32, partitionCount: Int32, instance: String,
    nonce: UInt64, fingerprintKey: [UInt8], incarnation: [UInt8], startOffset: Int64, dedupFromOffset: Int64,
    committed: CommittedHint?, local: LocalSummary?
  ) {
    self.clusterID = clusterID
    self.topic = topic
    self.group = group
    self.partition = partition
    self.partitionCount = partitionCount
    self.instance = instance
    self.nonce = nonce
    self.fingerprintKey = fingerprintKey
    self.incarnation = incarnation
    self.startOffset = startOffset
    self.dedupFromOffset = dedupFromOffset
    self.committed = committed
    self.local = local
  }
}

/// The metadata of the group's committed offset.
public struct CommittedHint: Hashable, Sendable {
  public var offset: Int64
  /// The incarnation of the GENESIS under which it was committed, 16 bytes.
  public var incarnation: [UInt8]
  /// The ledger offset of the first chunk of the last SNAPSHOT; nil before the first one.
  public var snapshotOffset: Int64?

  public init(offset: Int64, incarnation: [UInt8], snapshotOffset: Int64?) {
    self.offset = offset
    self.incarnation = incarnation
    self.snapshotOffset = snapshotOffset
  }
}

/// What only changes speed and size, never what is counted or billed. Times are elapsed milliseconds.
public struct PartitionSettings: Hashable, Sendable {
  /// `flush.interval`.
  public var intervalMilliseconds: Int64 = 60_000
  /// `flush.max_rows`.
  public var maxRows = 200_000
  /// A cut is made at the latest this long after the oldest open event was read.
  public var oldestOpenMilliseconds: Int64 = 300_000
  /// How often a cut may be made only to move the cap on record timestamps.
  public var capCutMilliseconds: Int64 = 600_000
  /// This partition's share of `dedup.max_memory`, bytes.
  public var memoryLimit = 1 << 30
  /// The least number of places in a table of fingerprints, a power of two of at least 4: three quarters of it are always
  /// allowed, whatever the limit is. Less than the usual is for tests.
  public var leastTable = PartitionSettings.usualLeastTable
  /// What ``leastTable`` is unless a test wants less.
  public static let usualLeastTable = DedupTable.leastCapacity
  /// `dedup.allow_partial_rebuild`.
  public var allowPartialRebuild = false
  /// A journal commit is due after this time …
  public var commitMilliseconds: Int64 = 1_000
  /// … or after this many records.
  public var commitRecords: Int64 = 250_000
  /// A SNAPSHOT is due after this many ledger records …
  public var snapshotRecords: Int64 = 2_000
  /// … or this many ledger bytes since the last one, whichever comes first.
  public var snapshotBytes: Int64 = 16 << 20
  /// `ledger.keep`, milliseconds of ledger time.
  public var ledgerKeepMilliseconds: Int64 = 40 * 86_400_000

  public init() {}
}

/// A row of a claim that is not settled, as its sink needs it.
public struct LedgerRow: Hashable, Sendable {
  public var reference: RowReference
  /// The idempotency key, the same for every re-send.
  public var key: String
  public var row: ClaimRow
  public var state: RowState
  /// Whether an attempt before the last PARK or RESOLVE may have had effect.
  public var hasEarlierAttempts: Bool

  public init(reference: RowReference, key: String, row: ClaimRow, state: RowState, hasEarlierAttempts: Bool) {
    self.reference = reference
    self.key = key
    self.row = row
    self.state = state
    self.hasEarlierAttempts = hasEarlierAttempts
  }
}

/// What a sink wants appended to the partition's ledger.
public enum DeliveryRecord: Hashable, Sendable {
  /// Answered by ``SinkNotice/sendingStands`` or ``SinkNotice/sendingVoid`` with the same token.
  case sending(Sending, token: UInt64)
  case unsent(Unsent)
  case done(Done)
  case park(Park)
}

/// What a partition tells one of its sinks.
public enum SinkNotice: Sendable {
  /// Recovery is over: these rows are not settled.
  case opened(LedgerRows, ledgerMilliseconds: Int64, appendedAt: Int64)
  /// A claim stands: its rows may be sent.
  case claimStands(LedgerRows)
  /// The SENDING has been read back under our own OWNER. Its lease counts from before its append.
  case sendingStands(token: UInt64, identity: RecordIdentity, ledgerMilliseconds: Int64, appendedAt: Int64)
  /// It will never stand: no byte may be sent for it.
  case sendingVoid(token: UInt64)
  /// A person decided: the row's state is now another.
  case rowChanged(LedgerRow)
  case rowGone(RowReference)
  /// A record appended at `elapsed` or later has this ledger time: now ≤ ledger time + time since.
  case ledgerTime(milliseconds: Int64, appendedAt: Int64)
  /// The partition is no longer ours: nothing may be sent for it any more.
  case closed
}

/// What the partition's owner has to do now. Actions are carried out in order.
public enum PartitionAction: Sendable {
  /// Read the ledger partition from here on, for as long as the machine lives. Hand over ``PartitionInput/ledgerEnd``
  /// once the end that the log had when the reading began is reached.
  case readLedger(from: Int64)
  /// Read this part of the ledger again, beside the reading that goes on, and hand it over as
  /// ``PartitionInput/recalled``.
  case recallLedger(from: Int64, through: Int64)
  /// Append these records in this order; all or a prefix of them may land.
  case append(records: [[UInt8]], token: UInt64)
  /// Look up where the usage partition begins and ends, and the digest of the record at `verify` if it is retained.
  case inspectLog(verify: Int64?)
  /// Bring local state to this plan: keep all, cut back to its head, or empty it.
  case openStorage(RecoveryPlan.Local)
  /// Read [from, to) of the usage partition again and hand it to ``PartitionMachine/replay(_:)`` while
  /// ``PartitionMachine/isReplaying``; then ``PartitionInput/replayed(through:)``.
  case replay(from: Int64, to: Int64)
  /// Begin to read the usage partition here and hand its batches to ``PartitionMachine/count``.
  case startReading(from: Int64)
  case stopReading
  /// There is something to commit, to seal or to expire in local state.
  case storage(StorageCommand)
  case commitGroupOffset(offset: Int64, incarnation: [UInt8], snapshotOffset: Int64?)
  /// The ledger below this offset is no longer needed by anyone.
  case deleteLedger(below: Int64)
  case sink(name: String, SinkNotice)
  /// A fact for the log and the metrics.
  case report(PartitionEvent)
  /// This partition does nothing any more until a person has resolved it.
  case stopped(StopReason)
  /// The ownership has ended: close the machine; while the partition is still assigned, begin again with a new nonce,
  /// and where `newProducer`, with a new producer.
  case ended(EndReason)
  /// The drain is over: everything that could be flushed is.
  case drained
}

public enum EndReason: Hashable, Sendable {
  /// Another OWNER stands.
  case otherOwner
  /// An append of unknown outcome: a new producer is needed, too.
  case unknownAppend
  /// A person resolved the stop: fold again and go on.
  case resolved
  /// The daemon asked for it.
  case closed
}

/// What happened, as values: the daemon makes log lines and metrics of it.
public enum PartitionEvent: Hashable, Sendable {
  case owned(records: Int64)
  case recovering(RecoveryPlan)
  case counting(from: Int64)
  /// The usage topic is not the ledger's, as a person has accepted: what was counted up to the head is settled.
  case settlingOnly(head: Int64)
  case cut(number: UInt64, from: Int64, to: Int64, rows: Int)
  /// It spans every cut up to `throughCut` that the sink had not claimed.
  case claim(sink: String, number: UInt64, throughCut: UInt64, rows: Int)
  /// So many rows of a claim took effect at the provider, as a DONE says that was just read back.
  case settled(sink: String, claim: UInt64, rows: Int)
  case snapshot(through: Int64)
  case timestampsCapped(offset: Int64, timestampMilliseconds: Int64, capMilliseconds: Int64)
  case ignored(ledgerOffset: Int64, why: LedgerChange.Ignored)
}

/// What the daemon (or the simulator) tells the machine.
public enum PartitionInput: Sendable {
  case ledger([LedgerEntry])
  case ledgerEnd
  case recalled([LedgerEntry], isEnd: Bool)
  case appended(token: UInt64)
  /// `isUnknown`: it may have landed, or was not sent in time. Otherwise the broker refuses it.
  case appendFailed(token: UInt64, isUnknown: Bool, detail: String)
  case logInspected(start: Int64, end: Int64, digest: Digest?)
  case storageOpened
  case storageFailed(detail: String)
  /// The oldest commit that was not answered yet is durable.
  case committed
  case replayed(through: Int64)
  /// All quarantine records below this offset are acknowledged by the broker.
  case quarantineAcknowledged(through: Int64)
  /// [from, to) holds no record; whether a second reader agrees.
  case hole(from: Int64, to: Int64, isVerified: Bool)
  /// A second reader found a record at `offset`, where the first one had none in [from, to). Where a person has accepted
  /// that, [from, offset] is passed over, and the rest of the hole is to be looked at again; otherwise it is a stop.
  case recordInHole(offset: Int64, from: Int64, to: Int64)
  /// Everything that the usage partition had at its last look was counted.
  case reachedEnd
  case sinkReady(name: String, Bool)
  case sinkAppend(name: String, DeliveryRecord)
  /// Something below failed for good.
  case failed(StopReason)
  /// Cut, claim and finish what the limits allow; then ``PartitionAction/drained``.
  case drain
  case tick
}
