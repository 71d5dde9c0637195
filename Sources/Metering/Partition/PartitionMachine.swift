/// One partition's whole control logic, as the daemon and the simulator run it: ownership, recovery, counting, cuts,
/// claims, snapshots, stops.
///
/// Pure: no I/O, no clock, no threads, no randomness. The caller passes elapsed milliseconds into every call, carries
/// out ``drainActions()`` in order after each, and hands results back as ``PartitionInput``. It is used from one queue.
///
/// Life: folding → founding → owning → inspecting → opening → replaying → counting, and from anywhere to stopped or
/// ended. A machine that has ended is thrown away; its successor has a new nonce.
public struct PartitionMachine: ~Copyable {
  enum Phase: Hashable {
    case folding
    case founding
    case owning
    case inspecting
    case opening(RecoveryPlan)
    case replaying(RecoveryPlan, next: Int)
    case acceptingLoss(from: Int64, to: Int64)
    /// Also where ``isOnlySettling``.
    case counting
    case stopped(StopReason)
    case ended(EndReason)
  }

  /// Maps an event's customer to the provider's; nil parks the row as `unmapped_customer`.
  public typealias CustomerMap = @Sendable (_ sink: String, _ customer: [UInt8]) -> [UInt8]?

  let facts: PartitionFacts
  var settings: PartitionSettings
  let rules: BillingRules
  let rulesDigest: Digest
  let mapCustomer: CustomerMap

  var phase = Phase.folding
  var fold: LedgerFold
  var counter: PartitionCounter?
  /// Sealed segments, until the counter is made that looks them up.
  var sealed: [any SealedSegment] = []
  var actions: [PartitionAction] = []

  // The ledger: what was appended and is not read back yet.
  var nextSequence: UInt64 = 0
  var nextToken: UInt64 = 0
  /// Reading from somewhere in the ledger, for a SNAPSHOT to begin with.
  var finder: SnapshotFinder?
  /// Whether that place came from the group's committed offset, which is only a hint.
  var isHinted = false
  /// A snapshot was found, and the first record after its `through` has not been read: what else was read is not wanted.
  var awaitsReread = false
  /// Records below this offset are known to be gone from the ledger.
  var ledgerBegin: Int64 = 0
  var hasComparedLocal = false
  var localDiffers = false
  var ownAppendedAt: Int64 = 0
  /// Elapsed time before our OWNER was appended: what ties ledger time to the elapsed clock.
  var ownedAt: Int64 = 0
  var sendings: [RecordIdentity: PendingSending] = [:]
  /// DONEs that give rows up as uncertain, until they are read back.
  var givenUp: [RecordIdentity: GivenUp] = [:]
  var snapshots = SnapshotSchedule()

  /// The usage topic is not the ledger's, as a person has accepted: nothing is counted, and what was counted is claimed,
  /// sent and settled.
  var isOnlySettling = false

  // Counting.
  var lastRecord: LastRecord?
  var pendingCut: PendingCut?
  /// Where the index reaches back to, while no cut has introduced a changed window yet.
  var indexFromOffset: Int64?
  var isWaitingForCut = false
  var oldestOpenReadAt: Int64?
  var backlog = Backlog()
  var lastCapCutAt: Int64?
  var lastQuarantinedOffset: Int64 = -1
  var quarantineAcknowledged: Int64 = 0
  var needsSealAfterCut = false
  /// Whether a replay waits for a commit, to seal what it holds.
  var makesRoom = false
  /// Where the usage partition ended when it was looked at.
  var logEnd: Int64 = 0
  /// Segments that are on their way to the disk.
  var sealing = 0
  /// Buckets below this one are gone from local state.
  var expired = Int64.min
  var commits = CommitSchedule()

  // Sinks, in the configuration's order.
  var sinks: [SinkProgress]
  /// Rows of old cuts that are being read again for a claim, and that were.
  var recall: SinkRecall?
  var recalled: [UInt64: [[UInt8]]] = [:]
  var isDraining = false
  var hasDrained = false

  /// A machine that has done nothing yet; call ``begin(now:)``.
  public init(
    facts: PartitionFacts, rules: BillingRules, settings: PartitionSettings, mapCustomer: @escaping CustomerMap
  ) {
    self.facts = facts
    self.settings = settings
    self.rules = rules
    self.rulesDigest = rules.digest
    self.mapCustomer = mapCustomer
    fold = LedgerFold(partition: facts.partition)
    sinks = rules.sinks.map { SinkProgress(rules: $0) }
  }

  /// Begins to fold the ledger: from the hinted snapshot if there is one, else from where the ledger begins.
  public mutating func begin(now: Int64) {
    if let hint = facts.committed?.snapshotOffset {
      finder = SnapshotFinder()
      isHinted = true
      emit(.readLedger(from: hint))
    } else {
      emit(.readLedger(from: 0))
    }
  }

  /// The actions since the last call, to be carried out in order.
  public mutating func drainActions() -> [PartitionAction] {
    var drained: [PartitionAction] = []
    swap(&drained, &actions)
    return drained
  }

  /// Takes one result or request from outside.
  public mutating func handle(_ input: PartitionInput, now: Int64) {
    if case .ended = phase { return }
    switch input {
    case .ledger(let entries):
      for entry in entries {
        let wasSearching = finder != nil
        read(entry, now: now)
        // A snapshot was found: the reading begins again elsewhere.
        if wasSearching, awaitsReread { break }
      }
    case .ledgerEnd: ledgerEnded(now: now)
    case .recalled(let entries, let isEnd): recalled(entries, isEnd: isEnd, now: now)
    case .appended: break  // Only what was read back counts.
    case .appendFailed(_, let isUnknown, let detail): appendFailed(isUnknown: isUnknown, detail: detail)
    case .logInspected(let start, let end, let digest): inspected(start: start, end: end, digest: digest, now: now)
    case .storageOpened: storageOpened(now: now)
    case .storageFailed(let detail): stop(.init(.storageFailed, offset: fold.head?.offset ?? 0, detail: detail))
    case .committed: committed()
    case .replayed(let through): replayed(through: through, now: now)
    case .quarantineAcknowledged(let through):
      quarantineAcknowledged = max(quarantineAcknowledged, through)
      appendPendingCut(now: now)
      releaseCommits()
    case .hole(_, let to, let isVerified): passHole(to: to, isVerified: isVerified)
    case .recordInHole(let offset, let from, let to): recordFound(at: offset, from: from, to: to)
    case .reachedEnd:
      backlog.reachedEnd()
      if phase == .counting { evaluateFlush(now: now) }
    case .sinkReady(let name, let isReady): sinkReady(name, isReady, now: now)
    case .sinkAppend(let name, let record): appendForSink(name, record, now: now)
    case .failed(let reason): stop(reason)
    case .drain: drain(now: now)
    case .tick: tick(now: now)
    }
  }

  /// Whether batches are wanted now. The worker stops pulling while not: that is the back-pressure.
  public var isCounting: Bool { phase == .counting && !isOnlySettling && !isWaitingForCut && !hasDrained }

  /// Whether a range is frozen whose cut has not been read back.
  package var hasFrozenRange: Bool { pendingCut != nil }

  // MARK: Ending

  mutating func emit(_ action: PartitionAction) { actions.append(action) }

  /// Fail closed: this partition, and only this one.
  mutating func stop(_ reason: StopReason) {
    switch phase {
    case .stopped, .ended: return
    default: break
    }
    phase = .stopped(reason)
    emit(.stopReading)
    closeSinks()
    emit(.stopped(reason))
  }

  mutating func end(_ reason: EndReason) {
    if case .ended = phase { return }
    phase = .ended(reason)
    emit(.stopReading)
    closeSinks()
    emit(.ended(reason))
  }

  /// Gives the partition up, as on a revoke: nothing is appended or sent any more.
  public mutating func close() { end(.closed) }

  private mutating func closeSinks() {
    for pending in sendings.values { emit(.sink(name: pending.sink, .sendingVoid(token: pending.token))) }
    sendings = [:]
    for sink in sinks where sink.isOpen { emit(.sink(name: sink.rules.name, .closed)) }
    for index in sinks.indices { sinks[index].isOpen = false }
  }

  private mutating func appendFailed(isUnknown: Bool, detail: String) {
    if isUnknown {
      end(.unknownAppend)
    } else {
      stop(.init(.appendRefused, offset: fold.nextOffset, detail: detail))
    }
  }

  /// Offsets without a record: passed over in their range.
  private mutating func passHole(to: Int64, isVerified: Bool) {
    guard let next = counter?.nextOffset, to > next else { return }
    counter?.skipHoles(to: to, verified: isVerified ? to - next : 0, unverified: isVerified ? 0 : to - next)
  }

  /// No record is passed over in silence: a person accepts each first.
  private mutating func recordFound(at offset: Int64, from: Int64, to: Int64) {
    guard resolution(of: .recordInHole, at: offset) == nil else { return passHole(to: offset + 1, isVerified: false) }
    let detail = "a second reader found a record at \(offset), where the first one had none in [\(from), \(to))"
    stop(.init(.recordInHole, offset: offset, detail: detail))
  }

  // MARK: Time

  mutating func tick(now: Int64) {
    guard phase == .counting else { return }
    refreshCapping(now: now)
    evaluateFlush(now: now)
    commitIfDue(now: now)
    snapshotIfDue(now: now)
  }
}

extension PartitionMachine {
  /// The phase in a word, for people.
  public var phaseDescription: String {
    switch phase {
    case .folding: "folding"
    case .founding: "founding"
    case .owning: "owning"
    case .inspecting: "inspecting"
    case .opening: "opening"
    case .replaying(let plan, let next): "replaying \(next)/\(plan.replay.count)"
    case .acceptingLoss: "accepting loss"
    case .counting where isOnlySettling: "settling only"
    case .counting: isWaitingForCut ? "waiting for a cut" : "counting"
    case .stopped(let reason): "stopped: \(reason.code.rawValue)"
    case .ended(let reason): "ended: \(reason)"
    }
  }
}

/// A SENDING that was appended and not read back yet.
struct PendingSending {
  var sink: String
  var token: UInt64
  var rows: [RowReference]
  var appendedAt: Int64
}

/// Rows of a DONE that nobody knows the outcome of.
struct GivenUp {
  var sink: String
  var rows: [RowReference]
}

/// A cut whose range is frozen and whose SEAL has not been read back.
struct PendingCut {
  var frozen: FrozenRange
  var lastRecord: LastRecord?
  var lastQuarantinedOffset: Int64
  var isAcceptedLoss = false
  var isAppended = false
  var appendedAt: Int64 = 0
}

/// The rows of old cuts on their way, for the claim of a sink.
struct SinkRecall {
  var sink: String
  var reader: CutRecall
}

/// What the machine knows of one sink beyond the fold.
struct SinkProgress {
  var rules: SinkRules
  var isOpen = false
  /// The sink's last claim is sent but for deferred and waiting rows.
  var isReady = false
  var isClaiming = false
  var lastClaimAt: Int64?

  init(rules: SinkRules) { self.rules = rules }
}
