extension PartitionMachine {
  /// Judges and counts the records of one batch, in order, and returns how many it took. The rest is to be offered
  /// again, unchanged, once ``isCounting`` is true.
  ///
  /// - Parameter quarantine: called for each event that cannot be counted, before this returns.
  public mutating func count(
    _ records: UnsafeBufferPointer<RecordView>, now: Int64,
    quarantine: (RecordView, QuarantineReason, QuarantineDetail) -> Void
  ) -> Int {
    guard isCounting else { return 0 }
    var taken = 0
    var lastQuarantined = lastQuarantinedOffset
    while taken < records.count, isCounting {
      let rest = UnsafeBufferPointer(rebasing: records[taken...])
      let outcome = counter?.count(rest, mode: .count) { record, reason, detail in
        lastQuarantined = record.offset
        quarantine(record, reason, detail)
      }
      guard let outcome else { break }
      lastQuarantinedOffset = lastQuarantined
      if outcome.consumed > 0 {
        taken += outcome.consumed
        let last = records[taken - 1]
        lastRecord = LastRecord(offset: last.offset, digest: Digest(ofKey: last.key, value: last.value))
        if oldestOpenReadAt == nil { oldestOpenReadAt = now }
      }
      switch outcome.stop {
      case .batchEnd: break
      case .beyondCap(let timestamp): beyondCap(timestamp, now: now)
      case .rowsFull: requestCut(now: now, wait: true)
      case .memoryFull:
        // Nothing beyond the head is ever sealed: a cut comes first.
        needsSealAfterCut = true
        requestCut(now: now, wait: true)
      case .overflow(let offset):
        stop(.init(.overflow, offset: offset, detail: "the total of a customer and feature is beyond 128 bits"))
      case .indexUnreadable(let offset): stopUnreadableIndex(at: offset)
      }
    }
    if phase == .counting {
      commitIfDue(now: now)
    }
    return taken
  }

  /// A record's timestamp is beyond the known cap: wait for the cut in flight, or make one to learn a newer cap, but at
  /// most one in ten minutes; then the timestamp *is* from the future, and is capped.
  private mutating func beyondCap(_ timestamp: Int64, now: Int64) {
    if pendingCut != nil {
      isWaitingForCut = true
      return
    }
    if let last = lastCapCutAt, now - last < settings.capCutMilliseconds {
      counter?.capTimestamps = true
      emit(
        .report(
          .timestampsCapped(
            offset: counter?.nextOffset ?? 0, timestampMilliseconds: timestamp,
            capMilliseconds: fold.head?.capMilliseconds ?? 0)))
      return
    }
    lastCapCutAt = now
    requestCut(now: now, wait: true)
  }

  /// Once the ten minutes are over, a record beyond the cap may ask for a cut again.
  mutating func refreshCapping(now: Int64) {
    if let last = lastCapCutAt, now - last >= settings.capCutMilliseconds { counter?.capTimestamps = false }
  }

  // MARK: Cuts

  /// Freezes [head, next offset) and appends it; one cut at a time.
  ///
  /// - Parameter wait: whether counting rests until the SEAL has been read back.
  mutating func requestCut(now: Int64, wait: Bool) {
    if wait { isWaitingForCut = true }
    guard pendingCut == nil, phase == .counting, let head = fold.head, let next = counter?.nextOffset else { return }
    let frozen = counter?.beginRange(at: next)
    guard let frozen else { return }
    // Beyond the cut's end the cap is the new head's: what was capped under the old one must not be judged by it.
    self.counter?.capTimestamps = false
    oldestOpenReadAt = nil
    backlog.cut()
    pendingCut = PendingCut(
      frozen: frozen, lastRecord: lastRecord ?? (frozen.from == frozen.to ? head.lastRecord : nil),
      lastQuarantinedOffset: frozen.counters.quarantinedTotal > 0 ? lastQuarantinedOffset : -1)
    appendPendingCut(now: now)
  }

  /// A cut waits for the acknowledgements of its range's quarantine records.
  mutating func appendPendingCut(now: Int64) {
    guard var cut = pendingCut, !cut.isAppended, quarantineAcknowledged > cut.lastQuarantinedOffset,
      let head = fold.head
    else { return }
    cut.isAppended = true
    cut.appendedAt = now
    pendingCut = cut
    let records = CutBuilder.records(
      cut.frozen, number: head.cutNumber, configuration: rulesDigest, lastRecord: cut.lastRecord,
      indexFromOffset: indexFromOffset, isAcceptedLoss: cut.isAcceptedLoss, nonce: facts.nonce,
      firstSequence: nextSequence)
    nextSequence = records.nextSequence
    append(encoded: records.records)
  }

  mutating func cutStands(_ number: UInt64, now: Int64) {
    guard let pending = pendingCut, pending.isAppended, let head = fold.head, head.offset == pending.frozen.to
    else { return }
    pendingCut = nil
    indexFromOffset = nil
    isWaitingForCut = needsSealAfterCut
    emit(.report(.cut(number: number, from: pending.frozen.from, to: head.offset, rows: pending.frozen.rowCount)))
    counter?.setCap(head.capMilliseconds)
    commits.headMoved()
    emitLedgerTime(appendedAt: pending.appendedAt)
    commitGroupOffset()
    if case .acceptingLoss = phase { return beginCounting(now: now) }
    if needsSealAfterCut { commitIfDue(now: now) }
    for index in sinks.indices { claimIfDue(index, now: now) }
    finishDrain()
  }

  func groupOffset() -> (offset: Int64, incarnation: [UInt8])? {
    guard let head = fold.head, let genesis = fold.genesis else { return nil }
    return (head.offset, genesis.incarnation)
  }

  mutating func commitGroupOffset() {
    guard let (offset, incarnation) = groupOffset() else { return }
    emit(.commitGroupOffset(offset: offset, incarnation: incarnation, snapshotOffset: fold.snapshots.last?.firstOffset))
  }

  // MARK: The journal

  mutating func commitIfDue(now: Int64) {
    guard let next = counter?.nextOffset, let head = fold.head,
      commits.isDue(next: next, now: now, settings: settings)
    else { return }
    commit(head: head.offset, recordOffset: head.recordOffset, configuration: rulesDigest)
    commits.taken(next: next, now: now)
  }

  /// Takes what changed and hands it to the storage, once the quarantine records in it are acknowledged: state that
  /// has passed an event must not outlive its quarantine record.
  mutating func commit(head: Int64, recordOffset: Int64, configuration: Digest) {
    guard let genesis = fold.genesis, let chunks = counter?.takeCommit(), let next = counter?.nextOffset else { return }
    let state = LocalSummary(
      incarnation: genesis.incarnation, configuration: configuration,
      bucketMilliseconds: rules.counting.bucketMilliseconds, headRecordOffset: recordOffset, headOffset: head,
      nextOffset: next, ledgerNextOffset: fold.nextOffset, ledgerDigest: fold.chainedDigest)
    commits.outstanding += 1
    commits.held.append(.init(chunks: chunks, state: state, lastQuarantinedOffset: lastQuarantinedOffset))
    releaseCommits()
  }

  mutating func releaseCommits() {
    while let first = commits.held.first, quarantineAcknowledged > first.lastQuarantinedOffset {
      commits.held.removeFirst()
      commits.heads.append(first.state.headOffset)
      emit(.storage(.commit(first.chunks, first.state)))
    }
  }

  mutating func committed() {
    guard !commits.heads.isEmpty else { return }
    commits.outstanding -= 1
    let head = commits.heads.removeFirst()
    if makesRoom, commits.outstanding == 0 {
      makesRoom = false
      seal(head: head, early: true)
    }
    guard phase == .counting, let standing = fold.head, standing.offset == head else { return }
    seal(head: head, early: needsSealAfterCut)
    if needsSealAfterCut, sealing == 0 {
      // There was nothing to seal: the limit is less than one bucket's least table.
      needsSealAfterCut = false
      isWaitingForCut = pendingCut != nil
    }
    if let below = counter?.earliestBucketNeeded(headClockMilliseconds: standing.clockMilliseconds), below > expired {
      expired = below
      emit(.storage(.expire(below: below)))
    }
  }

  // MARK: Sealing

  /// Hands out the segments that lie below `head` as a whole.
  mutating func seal(head: Int64, early: Bool) {
    for segment in counter?.segmentsToSeal(head: head, early: early) ?? [] {
      sealing += 1
      emit(.storage(.seal(segment)))
    }
  }

  /// A segment is durable: it answers for its table from now on.
  public mutating func sealed(_ segment: any SealedSegment, now: Int64) {
    counter?.install(segment)
    sealing -= 1
    guard sealing == 0, needsSealAfterCut else { return }
    needsSealAfterCut = false
    isWaitingForCut = false
  }

  /// Sets this partition's share of `dedup.max_memory`, in bytes: it changes with the partitions that a process has.
  /// Where the tables are larger already, the next growth seals them.
  public mutating func setMemoryLimit(_ bytes: Int) {
    settings.memoryLimit = bytes
    counter?.setMemoryLimit(bytes)
  }

  mutating func stopUnreadableIndex(at offset: Int64) {
    stop(.init(.storageFailed, offset: offset, detail: "a sealed dedup segment cannot be read"))
  }
}

/// Whether the partition works off a backlog: the log's end was not reached between two cuts.
///
/// The end of a backlog is worth a cut at once: what took long to count need not be counted again by a next owner. At
/// most one such cut is made for each cut that came by its time, and none by a partition that keeps up.
struct Backlog {
  /// Since the last cut.
  private var hasReachedEnd = false
  private var isBehind = false
  /// There was a backlog, and no cut since its end.
  private(set) var isWorkedOff = false

  mutating func cut() {
    isBehind = !hasReachedEnd
    hasReachedEnd = false
    isWorkedOff = false
  }

  mutating func reachedEnd() {
    if isBehind { isWorkedOff = true }
    isBehind = false
    hasReachedEnd = true
  }
}

/// When the journal is committed: at most one commit at a time, each second or quarter of a million records (short ones
/// use less memory that is new: 2 % less CPU than with a million).
struct CommitSchedule {
  struct Held {
    var chunks: [JournalChunk]
    var state: LocalSummary
    var lastQuarantinedOffset: Int64
  }

  var outstanding = 0
  /// Taken, and waiting for the acknowledgement of quarantine records.
  var held: [Held] = []
  /// The head of each commit that is on its way to the disk.
  var heads: [Int64] = []
  private var lastAt: Int64 = 0
  private var lastOffset: Int64 = -1

  mutating func begin(now: Int64, next: Int64) {
    lastAt = now
    lastOffset = next
  }

  /// Local state names the head that it has read back: a new one is worth a commit even without new records.
  mutating func headMoved() { lastOffset = -1 }

  func isDue(next: Int64, now: Int64, settings: PartitionSettings) -> Bool {
    guard outstanding == 0, next > lastOffset else { return false }
    return lastOffset < 0 || now - lastAt >= settings.commitMilliseconds || next - lastOffset >= settings.commitRecords
  }

  mutating func taken(next: Int64, now: Int64) {
    lastAt = now
    lastOffset = next
  }
}
