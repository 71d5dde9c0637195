extension PartitionMachine {
  // MARK: Reading back

  mutating func read(_ entry: LedgerEntry, now: Int64) {
    if case .ended = phase { return }
    if finder != nil {
      findSnapshot(in: entry)
      return
    }
    // A restarted read hands over records that are folded already, or that it has not come to yet.
    guard entry.offset >= fold.nextOffset else { return }
    let isBehind = awaitsReread && entry.offset > fold.nextOffset
    awaitsReread = false
    if isBehind || (fold.nextOffset == 0 && entry.offset > 0 && fold.genesis == nil) {
      // What lies before this record was deleted after a snapshot: find that. (A snapshot that came late, of a writer that
      // had lost the partition, can lie in the log and go on from before what is left of it.)
      fold = LedgerFold(partition: facts.partition)
      ledgerBegin = entry.offset
      finder = SnapshotFinder()
      isHinted = false
      findSnapshot(in: entry)
      return
    }
    apply(entry, now: now)
  }

  private mutating func findSnapshot(in entry: LedgerEntry) {
    guard let (payloads, through) = finder?.add(entry), through + 1 >= ledgerBegin else { return }
    finder = nil
    do {
      fold = try LedgerFold(snapshot: payloads, through: through, partition: facts.partition)
    } catch {
      return stop(.init(.ledgerUnreadable, offset: error.offset, detail: error.description))
    }
    awaitsReread = true
    emit(.readLedger(from: fold.nextOffset))
  }

  private mutating func apply(_ entry: LedgerEntry, now: Int64) {
    compareLocal()
    let change: LedgerChange
    do {
      change = try fold.apply(entry)
    } catch {
      stop(.init(.ledgerUnreadable, offset: entry.offset, detail: error.description))
      return
    }
    snapshots.folded(bytes: entry.bytes.count)
    react(to: change, at: entry, now: now)
  }

  /// Local state names a place in the ledger and the digest up to it: both must be the ledger's.
  private mutating func compareLocal() {
    guard !hasComparedLocal, let local = facts.local, fold.nextOffset >= local.ledgerNextOffset else { return }
    hasComparedLocal = true
    if fold.nextOffset == local.ledgerNextOffset { localDiffers = fold.chainedDigest != local.ledgerDigest }
  }

  private mutating func react(to change: LedgerChange, at entry: LedgerEntry, now: Int64) {
    if !givenUp.isEmpty, let identity = LedgerCodec.identity(of: entry.bytes) { giveUpStands(identity) }
    switch change {
    case .owner(let nonce):
      ownerStands(nonce, now: now)
    case .cut(let number, _):
      cutStands(number, now: now)
    case .claim(let sink, let number):
      claimStands(sink: sink, number: number, now: now)
    case .sending(_, let identity, let rows, _):
      sendingStands(identity, rows: rows, now: now)
    case .snapshot(let through):
      snapshotStands(through: through)
    case .resolvedRow(let sink, let row):
      rowChanged(sink: sink, reference: row.reference)
    case .resolvedStop(let code, let offset, _):
      if case .stopped(let reason) = phase, reason.code.rawValue == code, reason.offset == offset { end(.resolved) }
    case .ignored(let why):
      emit(.report(.ignored(ledgerOffset: entry.offset, why: why)))
      if !sendings.isEmpty, let decoded = try? LedgerCodec.decode(entry.bytes) { voidSending(decoded.identity) }
    case .done(let sink, let rows), .parked(let sink, let rows):
      if phase == .counting { reportSettled(sink: sink, rows) }
      tellSink(sink, rows, of: entry)
    case .unsent(let sink, let rows):
      tellSink(sink, rows, of: entry)
    case .genesis(let genesis):
      genesisStands(genesis, now: now)
    case .configuration, .chunk:
      break
    }
  }

  /// What our own sink has said it knows. What a former owner says late it does not: such a row is decided, or, where its
  /// only attempt turns out to be void, to be sent after all.
  private mutating func tellSink(_ sink: String, _ rows: [RowChange], of entry: LedgerEntry) {
    guard LedgerCodec.identity(of: entry.bytes)?.nonce != facts.nonce else { return }
    for row in rows { rowChanged(sink: sink, reference: row.reference) }
  }

  private mutating func reportSettled(sink: String, _ rows: [RowChange]) {
    var delivered: [UInt64: Int] = [:]
    var run: (claim: UInt64, rows: Int) = (rows.first?.reference.claim ?? 0, 0)
    for row in rows {
      switch row.state {
      case .settled(.delivered), .settled(.alreadyDelivered): break
      default: continue
      }
      if row.reference.claim != run.claim {
        delivered[run.claim, default: 0] += run.rows
        run = (row.reference.claim, 0)
      }
      run.rows += 1
    }
    delivered[run.claim, default: 0] += run.rows
    for (claim, rows) in delivered.sorted(by: { $0.key < $1.key }) where rows > 0 {
      emit(.report(.settled(sink: sink, claim: claim, rows: rows)))
    }
  }

  // MARK: Appending

  mutating func nextIdentity() -> RecordIdentity {
    defer { nextSequence += 1 }
    return RecordIdentity(nonce: facts.nonce, sequence: nextSequence)
  }

  mutating func append(_ records: [LedgerRecord]) {
    append(encoded: records.map { LedgerCodec.encode($0, identity: nextIdentity()) })
  }

  mutating func append(encoded records: [[UInt8]]) {
    nextToken += 1
    emit(.append(records: records, token: nextToken))
  }

  // MARK: Founding and owning

  mutating func ledgerEnded(now: Int64) {
    if finder != nil {
      finder = nil
      if isHinted {
        // The hint was a hint: read from the beginning instead.
        isHinted = false
        emit(.readLedger(from: 0))
      } else {
        stop(
          .init(
            .ledgerUnreadable, offset: fold.nextOffset, detail: "it begins neither with GENESIS nor with a SNAPSHOT"))
      }
      return
    }
    guard phase == .folding, !awaitsReread else { return }
    compareLocal()
    guard let genesis = fold.genesis else {
      found(now: now)
      return
    }
    guard isOurs(genesis), isConfigurationAllowed() else { return }
    own(now: now)
  }

  /// The first owner ever writes GENESIS; of two that do, the first in the log wins.
  private mutating func found(now: Int64) {
    let hasEvidence = facts.committed != nil || facts.local != nil
    if hasEvidence, resolution(of: .ledgerLost, at: 0) == nil {
      let who = facts.committed != nil ? "the group's committed offset names" : "the local folder names"
      stop(.init(.ledgerLost, offset: 0, detail: "the ledger is empty, but \(who) a GENESIS"))
      return
    }
    phase = .founding
    append([
      .genesis(
        Genesis(
          clusterID: facts.clusterID, topic: facts.topic, group: facts.group, partition: facts.partition,
          partitionCount: facts.partitionCount, startOffset: facts.startOffset, dedupFromOffset: facts.dedupFromOffset,
          fingerprintKey: facts.fingerprintKey, incarnation: facts.incarnation, configuration: rulesDigest),
        rules: rules.encoded)
    ])
  }

  /// A GENESIS has been read back, ours or another founder's. Only now OWNER follows: of two appends under way at once the
  /// later one may land alone, and a ledger that does not begin with GENESIS is of no use to anybody.
  private mutating func genesisStands(_ genesis: Genesis, now: Int64) {
    guard phase == .founding, isOurs(genesis), isConfigurationAllowed() else { return }
    own(now: now)
  }

  /// Whether a person has resolved that stop.
  func resolution(of code: StopReason.Code, at offset: Int64) -> ResolvedStop? {
    fold.resolution(reason: code.rawValue, offset: offset)
  }

  /// Whether a person has resolved this stop; else it is one.
  private mutating func isAccepted(_ reason: StopReason) -> Bool {
    if resolution(of: reason.code, at: reason.offset) != nil { return true }
    stop(reason)
    return false
  }

  private mutating func own(now: Int64) {
    ownAppendedAt = now
    phase = .owning
    var records: [LedgerRecord] = [.owner(Owner(instance: facts.instance))]
    if fold.configurations[rulesDigest] == nil {
      records.append(.config(ConfigurationRecord(digest: rulesDigest, bytes: rules.encoded)))
    }
    append(records)
  }

  private mutating func isOurs(_ genesis: Genesis) -> Bool {
    if genesis.clusterID != facts.clusterID || genesis.topic != facts.topic {
      let detail =
        "it belongs to topic \(genesis.topic) of cluster \(genesis.clusterID), not to \(facts.topic) of \(facts.clusterID)"
      guard isAccepted(StopReason(.otherTopic, offset: 0, detail: detail)) else { return false }
      isOnlySettling = true
    }
    if genesis.partitionCount != facts.partitionCount {
      let detail = "\(genesis.partitionCount) when the ledger began, \(facts.partitionCount) now"
      guard isAccepted(StopReason(.partitionCountChanged, offset: 0, detail: detail)) else { return false }
      isOnlySettling = true
    }
    let isResolved = resolution(of: .ledgerLost, at: 0) != nil
    if let committed = facts.committed, committed.incarnation != genesis.incarnation, !isResolved {
      stop(.init(.ledgerLost, offset: 0, detail: "the group's committed offset belongs to another GENESIS"))
      return false
    }
    if let local = facts.local, local.incarnation != genesis.incarnation, !isResolved {
      stop(.init(.ledgerLost, offset: 0, detail: "the local folder belongs to another GENESIS"))
      return false
    }
    return true
  }

  private mutating func isConfigurationAllowed() -> Bool {
    let head = fold.head?.offset ?? 0
    if case .versionNotRaised(let present) = fold.admits(rules),
      resolution(of: .configurationWithoutVersion, at: head) == nil
    {
      let detail = "what is counted or billed differs from version \(present) of the ledger; raise `version` above it"
      stop(.init(.configurationWithoutVersion, offset: head, detail: detail))
      return false
    }
    let missing = fold.sinksThatMayNotVanish(from: rules)
    if !missing.isEmpty, resolution(of: .sinkVanished, at: head) == nil {
      let detail = "\(missing.joined(separator: ", ")): configure it again, or with `retired: true`"
      stop(.init(.sinkVanished, offset: head, detail: detail))
      return false
    }
    return true
  }

  private mutating func ownerStands(_ nonce: UInt64, now: Int64) {
    guard nonce == facts.nonce else {
      switch phase {
      // Before our own OWNER others may come and go; ours is still to be read back.
      case .folding, .founding, .owning, .stopped, .ended: return
      default: end(.otherOwner)
      }
      return
    }
    // Between our look and our OWNER a higher version may have cut: two versions never mix in silence.
    guard phase == .owning, isConfigurationAllowed() else { return }
    ownedAt = ownAppendedAt
    emit(.report(.owned(records: fold.nextOffset)))
    if isOnlySettling { return settleOnly(now: now) }
    phase = .inspecting
    emit(.inspectLog(verify: fold.head?.lastRecord?.offset))
  }
}
