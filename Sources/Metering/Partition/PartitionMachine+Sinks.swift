extension PartitionMachine {
  // MARK: Claims

  /// Cuts when a sink is ready for a claim, a backlog has been worked off, or the oldest open event has waited long
  /// enough; claims what is cut.
  mutating func evaluateFlush(now: Int64) {
    for index in sinks.indices where wantsClaim(index, now: now) {
      if hasOpenRows() {
        requestCut(now: now, wait: false)
      } else {
        claimIfDue(index, now: now)
      }
    }
    if backlog.isWorkedOff, hasOpenRows() { requestCut(now: now, wait: false) }
    if let oldest = oldestOpenReadAt, now - oldest >= settings.oldestOpenMilliseconds {
      requestCut(now: now, wait: false)
    }
  }

  private mutating func hasOpenRows() -> Bool {
    guard let rows = counter?.openRows else { return false }
    return rows > 0
  }

  private func wantsClaim(_ index: Int, now: Int64) -> Bool {
    let sink = sinks[index]
    guard sink.isOpen, sink.isReady, !sink.isClaiming, !sink.rules.isRetired else { return false }
    guard !isDraining, let last = sink.lastClaimAt else { return true }
    return now - last >= settings.intervalMilliseconds
  }

  /// All cuts since the sink's last claim, merged, mapped, frozen.
  mutating func claimIfDue(_ index: Int, now: Int64) {
    guard phase == .counting, wantsClaim(index, now: now) else { return }
    let name = sinks[index].rules.name
    guard fold.unclaimedCuts(of: name).contains(where: { $0.rows > 0 }) else { return }
    let prepared: PreparedClaim
    do {
      prepared = try fold.prepareClaim(sink: name, recalled: recalled, map: { [mapCustomer] in mapCustomer(name, $0) })
    } catch {
      return claimFailed(error, sink: name)
    }
    let records = prepared.records(nonce: facts.nonce, firstSequence: nextSequence)
    nextSequence = records.nextSequence
    sinks[index].isClaiming = true
    sinks[index].lastClaimAt = now
    append(encoded: records.records)
  }

  private mutating func claimFailed(_ error: ClaimError, sink name: String) {
    switch error {
    case .nothingToClaim, .noSuchSink: break
    case .rowsMissing:
      // A sink that starts at an old cut, or returns: the rows are in the ledger still.
      guard recall == nil else { return }
      let reader = CutRecall(fold.unclaimedCuts(of: name))
      guard let from = reader.fromOffset, let through = reader.throughOffset else { return }
      recall = SinkRecall(sink: name, reader: reader)
      emit(.recallLedger(from: from, through: through))
    case .damagedRows(let cut, let problem):
      stop(.init(.ledgerUnreadable, offset: fold.nextOffset, detail: "rows of cut \(cut): \(problem)"))
    case .overflow, .tooManyRows:
      stop(.init(.overflow, offset: fold.head?.offset ?? 0, detail: "claim of sink \(name): \(error)"))
    }
  }

  mutating func recalled(_ entries: [LedgerEntry], isEnd: Bool, now: Int64) {
    for entry in entries { recall?.reader.add(entry) }
    guard isEnd, let (name, reader) = recall.map({ ($0.sink, $0.reader) }) else { return }
    recall = nil
    if let cut = reader.damaged {
      let detail = "the rows of cut \(cut) are not what its SEAL says"
      return stop(.init(.ledgerUnreadable, offset: reader.fromOffset ?? 0, detail: detail))
    }
    if let deleted = reader.lastDeleted {
      let first = fold.sinks[name]?.nextCut ?? 0
      let detail =
        "sink \(name) goes on at cut \(first), and the rows of cuts up to \(deleted.number) are no longer in the "
        + "ledger (ledger.keep); resolve it, or mark the sink `retired: true` under a higher version"
      return stop(.init(.rowsDeleted, offset: deleted.sealOffset, detail: detail))
    }
    recalled = reader.chunks
    for index in sinks.indices { claimIfDue(index, now: now) }
    recalled = [:]
  }

  mutating func claimStands(sink name: String, number: UInt64, now: Int64) {
    guard let index = sinks.firstIndex(where: { $0.rules.name == name }), sinks[index].isClaiming else { return }
    sinks[index].isClaiming = false
    let rows = openRows(sink: name, claim: number)
    if !rows.isEmpty { sinks[index].isReady = false }
    let next = fold.sinks[name]?.nextCut ?? 1
    emit(.report(.claim(sink: name, number: number, throughCut: next &- 1, rows: rows.count)))
    emit(.sink(name: name, .claimStands(rows)))
    finishDrain()
  }

  mutating func sinkReady(_ name: String, _ isReady: Bool, now: Int64) {
    guard let index = sinks.firstIndex(where: { $0.rules.name == name }) else { return }
    sinks[index].isReady = isReady
    if isReady, phase == .counting { evaluateFlush(now: now) }
  }

  // MARK: Delivery's records

  mutating func appendForSink(_ name: String, _ record: DeliveryRecord, now: Int64) {
    guard phase == .counting, sinks.contains(where: { $0.rules.name == name && $0.isOpen }) else {
      if case .sending(_, let token) = record { emit(.sink(name: name, .sendingVoid(token: token))) }
      return
    }
    switch record {
    case .sending(let sending, let token):
      let identity = nextIdentity()
      sendings[identity] = PendingSending(sink: name, token: token, rows: sending.rows, appendedAt: now)
      append(encoded: [LedgerCodec.encode(.sending(sending), identity: identity)])
    case .unsent(let unsent): append([.unsent(unsent)])
    case .done(let done):
      let identity = nextIdentity()
      let uncertain = done.rows.filter { $0.outcome == .uncertain }.map(\.reference)
      if !uncertain.isEmpty { givenUp[identity] = GivenUp(sink: name, rows: uncertain) }
      append(encoded: [LedgerCodec.encode(.done(done), identity: identity)])
    case .park(let park): append([.park(park)])
    }
  }

  mutating func sendingStands(_ identity: RecordIdentity, rows: [RowReference], now: Int64) {
    guard let pending = sendings.removeValue(forKey: identity) else { return }
    guard rows.count == pending.rows.count else {
      // A person decided about some of them in between: none is sent, and the sink asks again for the rest.
      append([.unsent(Unsent(sink: pending.sink, sending: identity, rows: rows))])
      let standing = Set(rows)
      for row in pending.rows where !standing.contains(row) { rowChanged(sink: pending.sink, reference: row) }
      return emit(.sink(name: pending.sink, .sendingVoid(token: pending.token)))
    }
    emit(
      .sink(
        name: pending.sink,
        .sendingStands(
          token: pending.token, identity: identity, ledgerMilliseconds: fold.ledgerMilliseconds,
          appendedAt: pending.appendedAt)))
  }

  mutating func voidSending(_ identity: RecordIdentity) {
    guard let pending = sendings.removeValue(forKey: identity) else { return }
    // Told before the SENDING is void: rows that are decided already would be asked for again and again.
    for row in pending.rows { rowChanged(sink: pending.sink, reference: row) }
    emit(.sink(name: pending.sink, .sendingVoid(token: pending.token)))
  }

  /// A DONE that gives rows up as uncertain has been read back. Where a former owner's UNSENT came in before it, the
  /// attempt that it named was void, and such a row is to be sent after all.
  mutating func giveUpStands(_ identity: RecordIdentity) {
    guard let done = givenUp.removeValue(forKey: identity) else { return }
    for row in done.rows where fold.sinks[done.sink]?.row(row)?.state.isAtRest == false {
      rowChanged(sink: done.sink, reference: row)
    }
  }

  /// Every record of our own that was read back ties ledger time to the elapsed clock anew.
  mutating func emitLedgerTime(appendedAt: Int64) {
    for sink in sinks where sink.isOpen {
      emit(
        .sink(
          name: sink.rules.name, .ledgerTime(milliseconds: fold.ledgerMilliseconds, appendedAt: appendedAt)))
    }
  }

  mutating func rowChanged(sink name: String, reference: RowReference) {
    guard sinks.contains(where: { $0.rules.name == name && $0.isOpen }) else { return }
    let row = fold.sinks[name]?.claim(reference.claim)?.row(at: reference.row)
    if let row, !row.state.isAtRest {
      emit(.sink(name: name, .rowChanged(ledgerRow(row, sink: name, claim: reference.claim))))
    } else {
      emit(.sink(name: name, .rowGone(reference)))
    }
  }

  // MARK: Rows

  /// The rows that the sink has to bring to an outcome: neither settled, nor parked, nor uncertain.
  func openRows(sink name: String, claim: UInt64? = nil) -> LedgerRows {
    fold.rowsToDeliver(sink: name, claim: claim)
  }

  private func ledgerRow(_ row: OpenRow, sink: String, claim: UInt64) -> LedgerRow {
    let reference = RowReference(claim: claim, row: row.index)
    let key = IdempotencyKey.text(
      incarnation: fold.genesis?.incarnation ?? [], sink: sink, partition: facts.partition, reference: reference)
    return LedgerRow(
      reference: reference, key: key, row: row.row, state: row.state, hasEarlierAttempts: row.hasEarlierAttempts)
  }

  // MARK: Draining

  /// The last cut, then a claim for each sink that is ready; the rest is the successor's.
  mutating func drain(now: Int64) {
    isDraining = true
    emit(.stopReading)
    guard phase == .counting else {
      hasDrained = true
      return emit(.drained)
    }
    if let head = fold.head, let next = counter?.nextOffset, next > head.offset { requestCut(now: now, wait: true) }
    for index in sinks.indices { claimIfDue(index, now: now) }
    finishDrain()
  }

  mutating func finishDrain() {
    guard isDraining, !hasDrained, pendingCut == nil, !sinks.contains(where: { $0.isClaiming }) else { return }
    hasDrained = true
    emit(.drained)
  }

  // MARK: Snapshots

  mutating func snapshotIfDue(now: Int64) {
    guard phase == .counting, snapshots.isDue(settings), fold.canSnapshot, !snapshots.isWriting else { return }
    guard let records = SnapshotBuilder.records(of: fold, nonce: facts.nonce, firstSequence: nextSequence) else {
      return
    }
    nextSequence = records.nextSequence
    snapshots.isWriting = true
    append(encoded: records.records)
  }

  mutating func snapshotStands(through: Int64) {
    snapshots.stands()
    guard phase == .counting else { return }
    emit(.report(.snapshot(through: through)))
    commitGroupOffset()
    // Records below the `through` of the last snapshot but one, once that is older than `ledger.keep`.
    guard fold.snapshots.count > 1, let former = fold.snapshots.first,
      former.ledgerMilliseconds <= fold.ledgerMilliseconds - settings.ledgerKeepMilliseconds
    else { return }
    emit(.deleteLedger(below: former.through + 1))
  }
}

extension RowState {
  /// Whether nothing is to be done about it until a person decides, or ever.
  var isAtRest: Bool {
    switch self {
    case .ready, .inDoubt: false
    case .uncertain, .parked, .settled: true
    }
  }
}

/// When a SNAPSHOT is due.
struct SnapshotSchedule {
  var isWriting = false
  private var records: Int64 = 0
  private var bytes: Int64 = 0

  mutating func folded(bytes count: Int) {
    records += 1
    bytes += Int64(count)
  }

  func isDue(_ settings: PartitionSettings) -> Bool {
    records >= settings.snapshotRecords || bytes >= settings.snapshotBytes
  }

  mutating func stands() { self = SnapshotSchedule() }
}
