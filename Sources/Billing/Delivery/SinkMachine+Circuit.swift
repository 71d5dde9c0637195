internal import Metering

/// The circuit breaker: while the provider is away, one row asks for all.
extension SinkMachine {
  /// A request came through, or was answered for its rows' own sake.
  func noteSuccess(isProbe: Bool) {
    failingRows.removeAll()
    rateLimitings = 0
    guard circuit != .closed, isProbe else { return }
    circuit = .closed
    circuitFailures = 0
    probe = nil
    probeIsFresh = false
    emit(.circuitClosed(openMilliseconds: now - circuitOpenedAt))
  }

  /// A request failed in a way that says nothing of its rows. Requests with different first rows have to fail one after
  /// the other to open the circuit: one row that a provider cannot digest is that row's trouble.
  func noteFailure(of batch: Batch, code: String, waitMilliseconds: Int64?) {
    if circuit != .closed {
      if batch.isProbe { openCircuit(reason: code, waitMilliseconds: waitMilliseconds) }
      return
    }
    if let first = batch.rows.first, !failingRows.contains(first) { failingRows.append(first) }
    guard failingRows.count >= DeliveryLimits.failuresUntilOpen else { return }
    openCircuit(reason: code, waitMilliseconds: waitMilliseconds)
  }

  func openCircuit(reason: String, waitMilliseconds: Int64?) {
    if circuit == .closed { circuitOpenedAt = now }
    circuitFailures += 1
    let until = now + max(backoff.wait(failure: circuitFailures), waitMilliseconds ?? 0)
    circuit = .open(until: until)
    failingRows.removeAll()
    voidGranted(reason: "circuit_open") { _ in true }
    emit(.circuitOpened(reason: reason, untilElapsed: until))
  }

  /// The probe of a sink that may not be asked twice came to nothing, and will be uncertain: it cannot ask again, and any
  /// other row that asks is risked as well. So an outage of up to an hour costs the rows of one second and one probe, and
  /// a longer one a row for each further hour. (Risking none would leave the sink shut for ever: only a request that counts
  /// can show that the provider is back.)
  func widenProbing() { circuit = .open(until: now + DeliveryLimits.riskMilliseconds) }

  func dropProbe() {
    if let row = probe, row.stage == .probe { setStage(row, .shelved) }
    probe = nil
    probeIsFresh = false
  }

  /// One row, the same each time. It is a row that never failed where there is one: the outage then touches one row
  /// more, and a row that the provider cannot digest does not keep the circuit open.
  func planProbe() {
    if let row = probe {
      // Its customer and meter have another request in flight from before: its reply calls again.
      if row.stage == .probe, row.lane?.isBusy ?? false { return }
      if row.stage != .probe || !isSendable(row) {
        probe = nil
      } else if !probeIsFresh, let next = ready.first, next.isFresh, let (fresh, _) = popSendable() {
        if fresh.isFresh {
          fresh.lane?.isBusy = false
          makeReady(row)
          probe = fresh
          probeIsFresh = true
        } else {
          unpop(fresh)
        }
      }
    }
    if probe == nil {
      guard let (row, _) = popSendable() else { return }
      probe = row
      probeIsFresh = row.isFresh
    }
    guard let row = probe else { return }
    row.lane?.isBusy = true
    row.stage = .planned
    circuit = .probing
    emit(.circuitProbing(row.partition.number, row.reference))
    requestSending(
      row.partition,
      [Batch(partition: row.partition, first: row, content: row.content(), isProbe: true)])
  }
}
