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
        lastRecord = LastRecord(offset: last.offset, digest: Digest(record: last))
        if oldestOpenReadAt == nil { oldestOpenReadAt = now }
      }
      switch outcome.why {
      case .batchEnd: break
      case .beyondCap(let timestamp): beyondCap(timestamp, now: now)
      case .rowsFull: requestCut(now: now, wait: true)
      case .memoryFull:
        // Nothing beyond the head is ever sealed: a cut comes first.
        needsSealAfterCut = true
        requestCut(now: now, wait: true)
      case .overflow(let offset):
        stop(.init(.overflow, offset: offset, detail: "the total of a customer and feature is beyond 128 bits"))
      }
    }
    if phase == .counting {
      if let rows = counter?.openRows, rows >= settings.maxRows { requestCut(now: now, wait: false) }
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
      counter?.setCapsTimestamps(true)
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
    if let last = lastCapCutAt, now - last >= settings.capCutMilliseconds { counter?.setCapsTimestamps(false) }
  }

  // MARK: Cuts

  /// Freezes [head, next offset) and appends it; one cut at a time.
  ///
  /// - Parameter wait: whether counting rests until the SEAL has been read back.
  mutating func requestCut(now: Int64, wait: Bool) {
    if wait { isWaitingForCut = true }
    guard pendingCut == nil, phase == .counting, let counter, let head = fold.head else { return }
    let frozen = self.counter?.beginRange(at: counter.nextOffset)
    guard var frozen else { return }
    frozen.from = head.offset
    // Beyond the cut's end the cap is the new head's: what was capped under the old one must not be judged by it.
    self.counter?.setCapsTimestamps(false)
    oldestOpenReadAt = nil
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
    let built = CutBuilder.records(
      frozen: cut.frozen, number: head.nextCut, configuration: rulesDigest, indexFromOffset: indexFromOffset,
      lastRecord: cut.lastRecord, isAcceptedLoss: cut.isAcceptedLoss, nonce: facts.nonce, firstSequence: nextSequence)
    nextSequence += UInt64(built.count)
    append(encoded: built)
  }

  mutating func cutStands(_ cut: CutInfo, now: Int64) {
    guard cut.identity.nonce == facts.nonce, let pending = pendingCut, pending.frozen.to == cut.to else { return }
    pendingCut = nil
    indexFromOffset = nil
    isWaitingForCut = false
    emit(.report(.cut(number: cut.number, from: cut.from, to: cut.to, rows: pending.frozen.rows.count)))
    emit(.storage(.rangeSealed(head: cut.to, recordOffset: cut.recordOffset)))
    if let head = fold.head { counter?.setCap(head.capMilliseconds) }
    commits.headMoved()
    emitLedgerTime(appendedAt: pending.appendedAt)
    commitGroupOffset()
    if case .acceptingLoss = phase { return beginCounting(now: now) }
    sealAndExpire()
    for index in sinks.indices { claimIfDue(index, now: now) }
    finishDrain()
  }

  private mutating func sealAndExpire() {
    guard let head = fold.head else { return }
    let jobs = needsSealAfterCut ? counter?.sealEverything() : counter?.bucketsToSeal(headClock: head.clockMilliseconds)
    needsSealAfterCut = false
    for job in jobs ?? [] { emit(.storage(.seal(job))) }
    if let below = counter?.expire() { emit(.storage(.expire(below: below))) }
  }

  func groupOffset() -> (offset: Int64, incarnation: [UInt8])? {
    guard let head = fold.head, let genesis = fold.genesis else { return nil }
    return (head.offset, genesis.incarnation)
  }

  mutating func commitGroupOffset() {
    guard let (offset, incarnation) = groupOffset() else { return }
    emit(.commitGroupOffset(offset: offset, incarnation: incarnation, snapshotOffset: snapshots.lastFirstChunk))
  }

  // MARK: The journal

  mutating func commitIfDue(now: Int64) {
    guard let counter, let genesis = fold.genesis, let head = fold.head,
      commits.isDue(next: counter.nextOffset, now: now, settings: settings)
    else { return }
    let state = JournalState(
      incarnation: genesis.incarnation, configuration: rulesDigest, headRecordOffset: head.recordOffset,
      headOffset: head.offset, ledgerNextOffset: fold.nextOffset, ledgerDigest: fold.chainedDigest)
    guard let chunks = self.counter?.takeCommit(state) else { return }
    commits.taken(next: counter.nextOffset, now: now)
    for chunk in chunks { emit(.storage(.commit(chunk))) }
    commits.outstanding += chunks.count
  }

  mutating func storageDone(_ kind: StorageCommand.Kind, now: Int64) {
    if kind == .commit { commits.outstanding -= 1 }
  }
}

/// When the journal is committed: at most one commit at a time, each second or million records.
struct CommitSchedule {
  var outstanding = 0
  private var lastAt: Int64 = 0
  private var lastOffset: Int64 = 0

  mutating func begin(now: Int64) { lastAt = now }

  /// Local state names the head that it has read back: a new one is worth a commit even without new records.
  mutating func headMoved() { lastOffset = -1 }

  func isDue(next: Int64, now: Int64, settings: PartitionSettings) -> Bool {
    guard outstanding == 0, next > lastOffset else { return false }
    return now - lastAt >= settings.commitMilliseconds || next - lastOffset >= settings.commitRecords
  }

  mutating func taken(next: Int64, now: Int64) {
    lastAt = now
    lastOffset = next
  }
}
