extension PartitionMachine {
  // MARK: The usage log against the head

  mutating func inspected(start: Int64, end: Int64, digest: Digest?, now: Int64) {
    guard phase == .inspecting, let head = fold.head, let genesis = fold.genesis, let headRules = fold.headRules else {
      return
    }
    logEnd = end
    if end < head.offset {
      guard resolution(of: .logEndsBeforeHead, at: head.offset) == nil else { return settleOnly(now: now) }
      let detail =
        "the topic ends at \(end), the head is \(head.offset): give the re-created topic a kafka.group of its own"
      return stop(.init(.logEndsBeforeHead, offset: head.offset, detail: detail))
    }
    // A hole in its place is as good a proof as another record: what was counted does not vanish above the log's start.
    if let last = head.lastRecord, digest != last.digest, digest != nil || start <= last.offset {
      guard resolution(of: .topicRecreated, at: head.offset) == nil else { return settleOnly(now: now) }
      let detail =
        "the record at \(last.offset) is not the one that was counted: give the re-created topic a kafka.group of its own"
      return stop(.init(.topicRecreated, offset: head.offset, detail: detail))
    }
    if start > head.offset {
      guard resolution(of: .logStartsBeyondHead, at: head.offset) != nil else {
        let detail =
          "records [\(head.offset), \(start)) were deleted before they were counted (retention of the usage topic)"
        return stop(.init(.logStartsBeyondHead, offset: head.offset, detail: detail))
      }
    }
    // The folder of a ledger that a person gave up says nothing of this one, and is not used.
    if let local = facts.local, local.incarnation == genesis.incarnation {
      let isShorter = local.ledgerNextOffset > fold.nextOffset
      if isShorter || localDiffers,
        resolution(of: .ledgerChanged, at: local.ledgerNextOffset) == nil
      {
        let detail =
          isShorter
          ? "the local folder has seen the ledger up to \(local.ledgerNextOffset), it ends at \(fold.nextOffset)"
          : "what lies below \(local.ledgerNextOffset) is not what the local folder has seen"
        return stop(.init(.ledgerChanged, offset: local.ledgerNextOffset, detail: detail))
      }
    }
    let planner = RecoveryPlanner(
      genesis: genesis, genesisOffset: fold.genesisOffset, head: head, cuts: fold.cuts, rules: rules,
      rulesDigest: rulesDigest,
      headBucketMilliseconds: headRules.counting.bucketMilliseconds, logStart: start, logEnd: end)
    let usable = localDiffers ? nil : facts.local
    let plan = planner.plan(local: usable?.incarnation == genesis.incarnation ? usable : nil)
    if let missing = plan.missing, !settings.allowPartialRebuild,
      resolution(of: .windowNotRetained, at: head.offset) == nil
    {
      let detail =
        "the dedup window begins at offset \(missing), the topic at \(start); see dedup.allow_partial_rebuild"
      return stop(.init(.windowNotRetained, offset: head.offset, detail: detail))
    }
    emit(.report(.recovering(plan.plan)))
    phase = .opening(plan.plan)
    emit(.openStorage(plan.plan.local))
  }

  // MARK: Local state

  /// Takes the sealed segments that the plan keeps. Called by the storage's owner when the folder is as the plan wants
  /// it, before ``restore(_:)`` and ``PartitionInput/storageOpened``.
  public mutating func prepare(sealed: [any SealedSegment]) { self.sealed = sealed }

  /// Takes one chunk of the journal, in order.
  public mutating func restore(_ chunk: JournalChunkView) throws(JournalCorruption) {
    guard let head = facts.local?.headOffset else { return }
    // What lay before the first chunk is sealed, or left the window.
    if counter == nil { makeCounter(from: chunk.from, clockMilliseconds: chunk.clockAtStart) }
    // A range that was frozen for a cut whose SEAL this state had not read back: its cut has to be made again.
    if let frozen = try counter?.restore(chunk, head: head) {
      pendingCut = PendingCut(frozen: frozen, lastRecord: nil, lastQuarantinedOffset: -1)
    }
  }

  private mutating func makeCounter(from offset: Int64, clockMilliseconds: Int64) {
    guard let genesis = fold.genesis, let head = fold.head, let key = FingerprintKey(bytes: genesis.fingerprintKey)
    else { return }
    let start = CounterStart(
      nextOffset: offset, clockMilliseconds: clockMilliseconds, capMilliseconds: head.capMilliseconds)
    counter = PartitionCounter(
      rules: rules.counting, partition: facts.partition, fingerprintKey: key, start: start, sealed: sealed,
      memoryLimit: settings.memoryLimit, rowLimit: settings.maxRows, leastTable: settings.leastTable)
    sealed = []
  }

  mutating func storageOpened(now: Int64) {
    guard case .opening(let plan) = phase, let head = fold.head else { return }
    if counter == nil {
      // No chunk was restored: at the local head, or where the rebuild begins.
      let localHead = plan.local == .rebuild ? nil : facts.local?.headOffset
      makeCounter(
        from: localHead ?? plan.replay.first?.from ?? head.offset,
        clockMilliseconds: plan.clockMilliseconds ?? max(0, head.clockMilliseconds))
    }
    if let next = counter?.nextOffset { counter?.expect(records: logEnd - next) }
    phase = .replaying(plan, next: 0)
    replayNext(now: now)
  }

  // MARK: Replay, for dedup only

  /// Whether replayed records are wanted now: not while segments are being sealed to make room.
  public var isReplaying: Bool {
    if case .replaying = phase { return !makesRoom && sealing == 0 }
    return false
  }

  /// Judges records of the range that is being replayed again, for dedup only, and returns how many it took. The rest
  /// is to be offered again once ``isReplaying`` is true.
  public mutating func replay(_ records: UnsafeBufferPointer<RecordView>) -> Int {
    guard isReplaying else { return 0 }
    guard let outcome = counter?.count(records, mode: .sightingsOnly, quarantine: { _, _, _ in }) else { return 0 }
    switch outcome.stop {
    case .memoryFull: makeRoom()
    case .indexUnreadable(let offset): stopUnreadableIndex(at: offset)
    case .batchEnd, .beyondCap, .rowsFull, .overflow: break
    }
    return outcome.consumed
  }

  /// Everything that is replayed lies below the head, so it may be sealed at any time; but a segment answers only for
  /// what is durable, so a commit comes first, here within a range. No record of the ledger makes that place a head, and
  /// the commit says so: whoever finds it rebuilds.
  private mutating func makeRoom() {
    guard let next = counter?.nextOffset else { return }
    makesRoom = true
    commit(head: next, recordOffset: Self.noHead, configuration: rulesDigest)
  }

  /// The ledger offset that no record has.
  private static let noHead: Int64 = -1

  mutating func replayed(through: Int64, now: Int64) {
    guard case .replaying(let plan, let next) = phase, next > 0, plan.replay[next - 1].to == through else { return }
    // The end of each range is a head: state that is committed here can be cut back to it.
    let range = plan.replay[next - 1]
    // Where the record that had moved the clock is no longer retained: the cut says how far that was.
    if let counted = counter?.clockMilliseconds,
      let stated = fold.cuts.last(where: { $0.to <= range.to })?.clockMilliseconds
    {
      counter?.clockMilliseconds = max(counted, stated)
    }
    counter?.restartRange(at: range.to)
    commit(head: range.to, recordOffset: range.headRecordOffset, configuration: range.configuration)
    replayNext(now: now)
  }

  private mutating func replayNext(now: Int64) {
    guard case .replaying(let plan, let next) = phase else { return }
    guard next < plan.replay.count else { return recovered(plan, now: now) }
    let range = plan.replay[next]
    phase = .replaying(plan, next: next + 1)
    guard let covering = fold.configurations[range.configuration] else {
      let detail = "the configuration of [\(range.from), \(range.to)) is missing"
      return stop(.init(.ledgerUnreadable, offset: fold.nextOffset, detail: detail))
    }
    counter?.use(rules: covering.counting)
    counter?.setCap(range.capMilliseconds)
    counter?.capTimestamps = true
    emit(.replay(from: range.from, to: range.to))
  }

  private mutating func recovered(_ plan: RecoveryPlan, now: Int64) {
    guard let head = fold.head else { return }
    counter?.use(rules: rules.counting)
    counter?.setCap(head.capMilliseconds)
    counter?.capTimestamps = false
    if plan.local != .use {
      pendingCut = nil
      counter?.restartRange(at: head.offset)
    }
    lastRecord = nil
    if let former = fold.headRules, former.counting.bucketMilliseconds != rules.counting.bucketMilliseconds {
      indexFromOffset = plan.replay.first?.from ?? head.offset
    }
    if plan.countFrom > max(head.offset, counter?.nextOffset ?? 0) {
      acceptLoss(from: head.offset, to: plan.countFrom)
    } else {
      beginCounting(now: now)
    }
  }

  /// A person has accepted that [from, to) is gone: a cut says so, so that every offset is in exactly one.
  private mutating func acceptLoss(from: Int64, to: Int64) {
    phase = .acceptingLoss(from: from, to: to)
    counter?.restartRange(at: to)
    var cut = PendingCut(
      frozen: FrozenRange(
        from: from, to: to, rows: [], counters: RangeCounters(), clockAtEnd: counter?.clockMilliseconds ?? 0),
      lastRecord: nil, lastQuarantinedOffset: -1)
    cut.isAcceptedLoss = true
    pendingCut = cut
    appendPendingCut(now: 0)
  }

  mutating func beginCounting(now: Int64) {
    guard let from = counter?.nextOffset else { return }
    phase = .counting
    commits.begin(now: now, next: from)
    // When the restored range's oldest event was read is not known any more: at the latest now.
    if let open = counter?.rangeFrom, open < from { oldestOpenReadAt = now }
    openSinks(now: now)
    appendPendingCut(now: now)
    emit(.report(.counting(from: from)))
    emit(.startReading(from: from))
  }

  /// Counting is over for this ledger. The local folder stays as it lies: should the topic come back, it is used again.
  mutating func settleOnly(now: Int64) {
    isOnlySettling = true
    phase = .counting
    openSinks(now: now)
    emit(.report(.settlingOnly(head: fold.head?.offset ?? 0)))
  }

  private mutating func openSinks(now: Int64) {
    for index in sinks.indices {
      let name = sinks[index].rules.name
      sinks[index].isOpen = true
      sinks[index].lastClaimAt = now
      let rows = openRows(sink: name)
      emit(.sink(name: name, .opened(rows, ledgerMilliseconds: fold.ledgerMilliseconds, appendedAt: ownedAt)))
    }
  }
}
