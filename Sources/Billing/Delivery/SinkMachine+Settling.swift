internal import Metering

/// Facts on their way to the ledger, grouped.
extension SinkMachine {
  // MARK: Attempts

  /// Proven without effect: the attempt is void.
  func attemptWithoutEffect(_ row: DeliveryRow, _ batch: Batch) {
    guard let grant = batch.grant else { return }
    grant.outstanding -= 1
    row.partition.unsent[grant.identity, default: []].append(row.reference)
    touch(row.partition)
  }

  /// Nobody knows: the SENDING stays open.
  func attemptInDoubt(_ row: DeliveryRow, _ batch: Batch) {
    guard let grant = batch.grant else { return }
    grant.outstanding -= 1
    let former = row.doubt
    row.doubt = Doubt(
      firstLedgerMilliseconds: former?.firstLedgerMilliseconds ?? grant.ledgerMilliseconds,
      lastLedgerMilliseconds: max(former?.lastLedgerMilliseconds ?? .min, grant.ledgerMilliseconds),
      lastSending: grant.identity,
      account: former == nil || former?.account == grant.account ? grant.account : nil)
    if former == nil { doubtChanged(row) }
  }

  // MARK: Outcomes

  func settle(_ row: DeliveryRow, _ outcome: RowOutcome, _ batch: Batch, code: String = "") {
    guard let grant = batch.grant else { return }
    grant.outstanding -= 1
    noteDone(row, outcome, code: code, sending: grant.identity)
    forget(row)
  }

  /// A row in doubt that may not be sent again.
  func settleUncertain(_ row: DeliveryRow, code: String) {
    guard let doubt = row.doubt else { return }
    emit(.rowUncertain(row.partition.number, row.reference, code: code))
    noteDone(row, .uncertain, code: code, sending: doubt.lastSending)
    forget(row)
  }

  func foreignDuplicate(_ row: DeliveryRow, _ batch: Batch) {
    batch.grant?.outstanding -= 1
    emit(.foreignDuplicate(row.partition.number, row.reference))
    park(
      row, reason: "foreign_duplicate",
      detail: "the provider knows this key, but no earlier attempt of ours can have reached it")
  }

  func park(_ row: DeliveryRow, reason: String, detail: String) {
    emit(.rowParked(row.partition.number, row.reference, reason: reason, detail: detail))
    let key = PartitionDelivery.ParkReason(reason: reason, detail: detail)
    row.partition.parks[key, default: []].append(row.reference)
    touch(row.partition)
    forget(row)
  }

  /// The row is decided: the ledger's fold is all that knows it from here on.
  func forget(_ row: DeliveryRow) {
    let owned = row.stage == .planned || row.stage == .inFlight
    row.stage = .gone
    rowCount -= 1
    let partition = row.partition
    partition.count(row.category, -1)
    touch(partition)
    leaveLane(row.lane, frees: owned)
    if row == probe { dropProbe() }
    let claim = row.reference.claim
    if pool.drop(row) { partition.left(claim) }
  }

  /// What ``settle(_:_:_:code:)`` does, for all rows of a batch at once: they are in flight, and of one partition.
  func settleAll(_ batch: Batch, _ outcome: RowOutcome) {
    guard let grant = batch.grant else { return }
    let partition = batch.partition
    var settled: [Done.Row] = []
    settled.reserveCapacity(batch.rows.count)
    for row in batch.rows where row.stage == .inFlight {
      let reference = row.reference
      settled.append(Done.Row(reference: reference, outcome: outcome))
      row.stage = .gone
      partition.count(row.category, -1)
      leaveLane(row.lane, frees: true)
      if row == probe { dropProbe() }
      if pool.drop(row) { partition.left(reference.claim) }
    }
    grant.outstanding -= settled.count
    rowCount -= settled.count
    noteDone(partition, settled, sending: grant.identity)
    touch(partition)
  }

  private func noteDone(
    _ row: DeliveryRow, _ outcome: RowOutcome, code: String, sending: RecordIdentity
  ) {
    let partition = row.partition
    noteDone(partition, [Done.Row(reference: row.reference, outcome: outcome, code: code)], sending: sending)
    touch(partition)
  }

  private func noteDone(_ partition: PartitionDelivery, _ rows: [Done.Row], sending: RecordIdentity) {
    var rest = rows[...]
    while !rest.isEmpty {
      let (buffer, isNew) = partition.doneBuffer(of: sending)
      if isNew { dueDone.append((now, partition, sending)) }
      let fitting = rest.prefix(DeliveryLimits.doneRows - buffer.rows.count)
      if buffer.rows.isEmpty, fitting.count == rows.count { buffer.rows = rows } else { buffer.rows += fitting }
      rest = rest.dropFirst(fitting.count)
      if buffer.rows.count >= DeliveryLimits.doneRows { flushDone(of: partition, sending: sending) }
    }
  }

  // MARK: Appends

  func flushDone(of partition: PartitionDelivery, sending: RecordIdentity) {
    guard let rows = partition.takeDone(sending), partition.isOpen else { return }
    actions.append(.append(partition.number, .done(Done(sink: name, sending: sending, rows: rows))))
    var counts = [0, 0, 0, 0]
    for row in rows { counts[Int(row.outcome.rawValue)] += 1 }
    for outcome in [RowOutcome.delivered, .alreadyDelivered, .rejected, .uncertain] {
      let count = counts[Int(outcome.rawValue)]
      if count > 0 { emit(.rowsSettled(partition.number, outcome, count: count)) }
    }
  }

  func flushDone(of partition: PartitionDelivery) {
    for sending in partition.done.keys.sorted(by: {
      ($0.nonce, $0.sequence) < ($1.nonce, $1.sequence)
    }) {
      flushDone(of: partition, sending: sending)
    }
  }

  /// Buffers that have waited long enough for company.
  func flushDueDone() {
    while let due = dueDone.first, due.since + DeliveryLimits.doneDelayMilliseconds <= now {
      dueDone.popFirst()
      flushDone(of: due.partition, sending: due.sending)
    }
    // Buffers that left early leave their entry behind: it must not wake anybody.
    while let due = dueDone.first, due.partition.done[due.sending] == nil || !due.partition.isOpen {
      dueDone.popFirst()
    }
  }

  /// UNSENTs and PARKs go out at once: what they say may decide a successor's next step.
  func flushFacts() {
    for partition in dirty where partition.isOpen {
      for sending in partition.unsent.keys.sorted(by: {
        ($0.nonce, $0.sequence) < ($1.nonce, $1.sequence)
      }) {
        let rows = partition.unsent[sending, default: []]
        actions.append(
          .append(partition.number, .unsent(Unsent(sink: name, sending: sending, rows: rows))))
      }
      partition.unsent.removeAll(keepingCapacity: true)
      for reason in partition.parks.keys.sorted(by: {
        ($0.reason, $0.detail) < ($1.reason, $1.detail)
      }) {
        let rows = partition.parks[reason, default: []]
        let park = Park(sink: name, rows: rows, reason: reason.reason, detail: reason.detail)
        actions.append(.append(partition.number, .park(park)))
      }
      partition.parks.removeAll(keepingCapacity: true)
    }
  }
}
