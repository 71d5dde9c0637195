internal import Metering

/// What replies do to rows, rates and circuit.
extension SinkMachine {
  func handleReply(_ id: RequestID, _ reply: ProviderReply) {
    guard let flight = inFlight.removeValue(forKey: id) else { return }
    drawnWaits.removeAll(keepingCapacity: true)
    let batch = flight.batch
    let partition = batch.partition
    partition.requestsInFlight -= 1
    touch(partition)
    let milliseconds = now - flight.startedAt
    meanMilliseconds = meanMilliseconds.map { ($0 * 7 + milliseconds) / 8 } ?? milliseconds
    emit(
      .requestFinished(
        status: reply.statusClass, milliseconds: milliseconds, rows: batch.rows.count))
    let verdict = adapter.interpret(reply, rows: batch.contents)
    judgeProvider(verdict, batch)
    guard partition.isOpen else {
      for row in batch.rows {
        leaveLane(row.lane, frees: true)
        pool.drop(row)
      }
      if batch.isProbe, circuit == .probing { circuit = .open(until: now) }
      return
    }
    rowsWithSending -= batch.rows.count
    switch verdict {
    case .all(.delivered): settleAll(batch, .delivered)
    case .all(let verdict): for row in batch.rows { apply(verdict, to: row, batch) }
    case .each(let verdicts):
      precondition(verdicts.count == batch.rows.count, "an adapter judges each row of its batch")
      for (row, verdict) in zip(batch.rows, verdicts) { apply(verdict, to: row, batch) }
    }
    if batch.isProbe, circuit == .probing {
      circuit = .open(until: now + backoff.wait(failure: circuitFailures))
    }
    if batch.grant?.outstanding == 0, let grant = batch.grant {
      flushDone(of: partition, sending: grant.identity)
    }
  }

  // MARK: The provider

  /// What the reply says of the provider rather than of its rows.
  private func judgeProvider(_ verdict: BatchVerdict, _ batch: Batch) {
    let sample: Verdict
    switch verdict {
    case .all(let verdict): sample = verdict
    case .each(let verdicts):
      // One row that was judged for its own sake shows that the provider works.
      sample = verdicts.first(where: \.isJudgement) ?? verdicts.first ?? .ambiguous(code: "empty")
    }
    switch sample {
    case .delivered, .alreadyDelivered, .rejected, .split, .sendAgain:
      noteSuccess(isProbe: batch.isProbe)
    case .retryLater(let code, let wait, _, .sink):
      noteFailure(of: batch, code: code, waitMilliseconds: wait)
    case .ambiguous(let code): noteFailure(of: batch, code: code, waitMilliseconds: nil)
    case .retryLater(_, _, _, .row), .rateLimited(_, .row): break
    case .rateLimited(let wait, .sink): pause(wait)
    case .unauthorized(let code, _):
      emit(.unauthorized(code: code))
      if circuit == .closed || batch.isProbe { openCircuit(reason: code, waitMilliseconds: nil) }
    }
  }

  private func pause(_ waitMilliseconds: Int64?) {
    // Requests that were under way when the pause began were refused for the same reason.
    if waitMilliseconds == nil, now < pausedUntil { return }
    rateLimitings += 1
    let wait = waitMilliseconds ?? backoff.wait(failure: rateLimitings)
    guard now + wait > pausedUntil else { return }
    pausedUntil = now + wait
    emit(.rateLimited(untilElapsed: pausedUntil))
    // A SENDING covers what is sent within the next second: what has to wait longer goes back.
    if wait > DeliveryLimits.planMilliseconds { voidGranted(reason: "rate_limited") { _ in true } }
  }

  // MARK: Rows

  private func apply(_ verdict: Verdict, to row: DeliveryRow, _ batch: Batch) {
    // Decided while it was in flight (its partition's rows never are; kept as a guard for the counters).
    guard row.stage == .inFlight else { return }
    switch verdict {
    case .delivered: settle(row, .delivered, batch)
    case .alreadyDelivered:
      if row.doubt != nil || row.content().mayBeKnown {
        settle(row, .alreadyDelivered, batch)
      } else {
        foreignDuplicate(row, batch)
      }
    case .rejected(let code, let detail): reject(row, code: code, detail: detail, batch)
    case .split(let code, let detail):
      guard batch.rows.count > 1 else { return reject(row, code: code, detail: detail, batch) }
      if row == batch.rows.first {
        emit(.batchSplit(batch.partition.number, rows: batch.rows.count, code: code))
      }
      row.largestBatch = max(1, (batch.rows.count + 1) / 2)
      endAttempt(row, batch, code: code, provenWithoutEffect: contract.partialFailure == .atomic) {
        makeReady($0)
      }
    case .sendAgain(let proven):
      endAttempt(row, batch, code: "sent_again", provenWithoutEffect: proven) { makeReady($0) }
    case .retryLater(let code, let wait, let proven, _):
      endAttempt(row, batch, code: code, provenWithoutEffect: proven) {
        failed($0, batch, code: code, wait: wait)
      }
    case .rateLimited(let wait, let scope):
      endAttempt(row, batch, code: "rate_limited", provenWithoutEffect: true) {
        switch scope {
        case .sink: putOff($0, batch)
        case .row: failed($0, batch, code: "rate_limited", wait: wait)
        }
      }
    case .ambiguous(let code):
      endAttempt(row, batch, code: code, provenWithoutEffect: false) {
        failed($0, batch, code: code, wait: nil)
      }
    case .unauthorized(let code, let proven):
      endAttempt(row, batch, code: code, provenWithoutEffect: proven) { putOff($0, batch) }
    }
  }

  /// Notes the attempt, and says where the row goes next, unless it may not go anywhere.
  private func endAttempt(
    _ row: DeliveryRow, _ batch: Batch, code: String, provenWithoutEffect: Bool,
    next: (DeliveryRow) -> Void
  ) {
    if provenWithoutEffect { attemptWithoutEffect(row, batch) } else { attemptInDoubt(row, batch) }
    guard !row.isDecided else { return forget(row) }
    freeLane(row)
    if provenWithoutEffect { return next(row) }
    row.lastCode = code
    guard contract.idempotency.needsQuarantine else { return next(row) }
    if row == probe {
      dropProbe()
      widenProbing()
    }
    row.failures += 1
    hold(row)
  }

  /// No fault of the row's: it keeps its place.
  private func putOff(_ row: DeliveryRow, _ batch: Batch) {
    if row == probe { setStage(row, .probe) } else { makeReady(row) }
  }

  private func failed(_ row: DeliveryRow, _ batch: Batch, code: String, wait: Int64?) {
    fail(row, code: code, waitMilliseconds: wait)
    // The circuit decides when the probe goes next.
    if row == probe, circuit != .closed { setStage(row, .probe) }
  }

  private func reject(_ row: DeliveryRow, code: String, detail: String, _ batch: Batch) {
    emit(.rowRejected(row.partition.number, row.reference, code: code, detail: detail))
    settle(row, .rejected, batch, code: code)
  }
}

extension Verdict {
  /// Whether it was reached by looking at the row itself.
  var isJudgement: Bool {
    switch self {
    case .delivered, .alreadyDelivered, .rejected, .split, .sendAgain: true
    case .retryLater, .rateLimited, .ambiguous, .unauthorized: false
    }
  }
}

extension ProviderReply {
  /// The bounded label of `sink_requests_total`.
  var statusClass: String {
    switch self {
    case .response(let response):
      switch response.status {
      case 429: "429"
      case 401: "401"
      default: "\(response.status / 100)xx"
      }
    case .notSent(let code), .ambiguous(let code): code
    }
  }
}
