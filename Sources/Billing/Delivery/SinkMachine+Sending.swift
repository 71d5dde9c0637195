internal import Metering

/// From a SENDING that stands to requests in flight.
extension SinkMachine {
  func sendingStands(
    _ number: Int32, _ token: SendingToken, identity: RecordIdentity, ledgerMilliseconds: Int64
  ) {
    // Unknown: its partition was closed since.
    guard let sending = pending.removeValue(forKey: token) else { return }
    let partition = sending.partition
    if sending.isSlow { countUnstarted(sending.batches) }
    partition.sendingsPending -= 1
    touch(partition)
    partition.clock.note(
      LedgerAnchor(
        ledgerMilliseconds: ledgerMilliseconds, elapsedBeforeAppend: sending.requestedAt), now: now)
    let grant = Grant(
      identity: identity, ledgerMilliseconds: ledgerMilliseconds, requestedAt: sending.requestedAt,
      account: sending.account, outstanding: sending.batches.reduce(0) { $0 + $1.rows.count })
    for batch in sending.batches {
      batch.grant = grant
      if partition.isDraining {
        void(batch, reason: "draining")
      } else if sending.account != account {
        void(batch, reason: "account_changed")
      } else if circuit != .closed, !batch.isProbe {
        void(batch, reason: "circuit_open")
      } else {
        granted.append(batch)
      }
    }
  }

  /// It does not count: its rows are as they were.
  func sendingVoid(_ token: SendingToken) {
    guard let sending = pending.removeValue(forKey: token) else { return }
    if sending.isSlow { countUnstarted(sending.batches) }
    sending.partition.sendingsPending -= 1
    touch(sending.partition)
    for batch in sending.batches {
      unstarted(batch)
      for row in batch.rows { putBack(row, isProbe: batch.isProbe) }
    }
  }

  /// Gives granted batches back, unsent.
  func voidGranted(reason: String, where isVoid: (Batch) -> Bool) {
    guard !granted.isEmpty else { return }
    for batch in granted.takeAll() {
      if isVoid(batch) { void(batch, reason: reason) } else { granted.append(batch) }
    }
  }

  /// No byte of it was sent: an UNSENT says so.
  private func void(_ batch: Batch, reason: String) {
    unstarted(batch)
    for row in batch.rows {
      attemptWithoutEffect(row, batch)
      putBack(row, isProbe: batch.isProbe)
    }
    emit(.rowsVoided(batch.partition.number, count: batch.rows.count, reason: reason))
  }

  private func unstarted(_ batch: Batch) {
    unstartedBatches -= 1
    unstartedRows -= batch.rows.count
    rowsWithSending -= batch.rows.count
    if batch.isProbe, circuit == .probing { circuit = .open(until: now) }
  }

  /// Back to where it was before it was planned.
  private func putBack(_ row: DeliveryRow, isProbe: Bool) {
    guard !row.isDecided else { return forget(row) }
    freeLane(row)
    if isProbe, row == probe, !row.partition.isDraining {
      setStage(row, .probe)
    } else {
      if row == probe { dropProbe() }
      makeReady(row)
    }
  }

  // MARK: Requests

  /// The last moment at which a request of this SENDING may be handed over, so that no byte starts after the lease.
  private func lastStart(_ grant: Grant) -> Int64 {
    grant.requestedAt + DeliveryLimits.leaseMilliseconds - contract.connectTimeoutMilliseconds
  }

  /// Returns whether rows were given back.
  func startSends() -> Bool {
    startWake = nil
    var gaveBack = false
    while let batch = granted.first {
      guard batch.partition.isOpen, let grant = batch.grant else {
        granted.popFirst()
        continue
      }
      guard now <= lastStart(grant) else {
        granted.popFirst()
        void(batch, reason: "lease_over")
        gaveBack = true
        continue
      }
      guard now >= pausedUntil, inFlight.count < concurrency else { break }
      guard hasTokens(for: batch) else {
        startWake = tokenWait(batch)
        break
      }
      granted.popFirst()
      start(batch, grant)
    }
    return gaveBack
  }

  private func start(_ batch: Batch, _ grant: Grant) {
    dropRowsPastWindow(batch)
    guard !batch.rows.isEmpty else { return unstarted(batch) }
    for index in buckets.indices {
      buckets[index].take(buckets[index].limit.unit == .requests ? 1 : batch.rows.count)
    }
    lastRequest += 1
    let id = RequestID(number: lastRequest)
    for row in batch.rows { row.stage = .inFlight }
    let rows = batch.contents
    unstartedBatches -= 1
    unstartedRows -= rows.count
    inFlight[id] = Flight(batch: batch, startedAt: now)
    batch.partition.requestsInFlight += 1
    actions.append(
      .send(
        id, adapter.request(for: rows, account: grant.account),
        timeoutMilliseconds: contract.requestTimeoutMilliseconds,
        connectTimeoutMilliseconds: contract.connectTimeoutMilliseconds, notAfter: lastStart(grant))
    )
  }

  /// Rows in doubt whose key may be forgotten by the time that this attempt arrives.
  private func dropRowsPastWindow(_ batch: Batch) {
    guard batch.rows.contains(where: isPastWindow) else { return }
    let past = batch.rows.filter(isPastWindow)
    batch.remove(where: isPastWindow)
    unstartedRows -= past.count
    for row in past {
      rowsWithSending -= 1
      attemptWithoutEffect(row, batch)
      settleUncertain(row, code: "idempotency_window_passed")
    }
  }

  private func hasTokens(for batch: Batch) -> Bool {
    for index in buckets.indices {
      let count = buckets[index].limit.unit == .requests ? 1 : batch.rows.count
      guard buckets[index].canTake(count, now: now) else { return false }
    }
    return true
  }

  private func tokenWait(_ batch: Batch) -> Int64? {
    var wait: Int64 = 1
    for index in buckets.indices {
      let count = buckets[index].limit.unit == .requests ? 1 : batch.rows.count
      guard let own = buckets[index].wait(for: count, now: now) else { return nil }
      wait = max(wait, own)
    }
    return now + wait
  }
}
