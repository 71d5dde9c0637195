internal import Metering

/// The circuit breaker: while the provider is away, one row asks for all.
extension SinkMachine {
  /// A request came through, or was answered for its rows' own sake.
  func noteSuccess(isProbe: Bool) {
    failing.removeAll()
    rateLimitings = 0
    guard circuit != .closed, isProbe else { return }
    circuit = .closed
    circuitFailures = 0
    probe = nil
    probeIsFresh = false
    probeChanges = 0
    emit(.circuitClosed(openMilliseconds: now - circuitOpenedAt))
  }

  /// A request failed in a way that says nothing of its rows. Requests with different first rows, of different customers
  /// and meters where those go one at a time, have to fail one after the other to open the circuit: one row or customer
  /// that a provider cannot digest is that one's trouble.
  func noteFailure(of batch: Batch, code: String, waitMilliseconds: Int64?) {
    if circuit != .closed {
      if batch.isProbe { openCircuit(reason: code, waitMilliseconds: waitMilliseconds) }
      return
    }
    if let first = batch.rows.first, !failing.contains(where: { $0.isSame(as: first) }) {
      failing.append(Failing(row: first, lane: first.lane))
    }
    guard failing.count >= DeliveryLimits.failuresUntilOpen else { return }
    openCircuit(reason: code, waitMilliseconds: waitMilliseconds)
  }

  func openCircuit(reason: String, waitMilliseconds: Int64?) {
    if circuit == .closed { circuitOpenedAt = now }
    circuitFailures += 1
    let until = now + max(backoff.wait(failure: circuitFailures), waitMilliseconds ?? 0)
    circuit = .open(until: until)
    failing.removeAll()
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
  /// more, and a row that the provider cannot digest does not keep the circuit open. For the case that this one cannot be
  /// digested either, another one that never failed asks after ten minutes, then after twenty, and so on: in an outage of
  /// a day eight.
  func planProbe() {
    if let row = probe {
      // Its customer and meter have another request in flight from before: its reply calls again.
      if row.stage == .probe, row.lane?.isBusy ?? false { return }
      if row.stage != .probe || !isSendable(row) {
        probe = nil
      } else if mayChangeProbe, let fresh = popFresh() {
        makeReady(row)
        if probeIsFresh { probeChanges += 1 }
        setProbe(fresh)
      }
    }
    if probe == nil {
      guard let row = popFresh() ?? popSendable()?.row else { return }
      setProbe(row)
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

  private func setProbe(_ row: DeliveryRow) {
    probe = row
    probeIsFresh = row.isFresh
    probeSince = now
  }

  /// (One whose repetition may book twice is not asked again anyway: see ``widenProbing()``.)
  private var mayChangeProbe: Bool {
    !probeIsFresh
      || now - probeSince >= DeliveryLimits.failingUntilDeferredMilliseconds << Int64(min(probeChanges, 10))
  }

  /// The oldest row that may be sent and never failed; the others stay as they were.
  private func popFresh() -> DeliveryRow? {
    var others: [DeliveryRow] = []
    defer { for row in others { unpop(row) } }
    while let (row, _) = popSendable() {
      if row.isFresh { return row }
      others.append(row)
    }
    return nil
  }
}

/// The first row of a request that failed.
struct Failing {
  var row: DeliveryRow
  var lane: Lane?

  func isSame(as other: DeliveryRow) -> Bool { row == other || lane.map { $0 === other.lane } ?? false }
}
