/// Which row is sent next: the order of the ready ones, what a row's doubt and age allow, and the lanes.
extension SinkMachine {
  /// The oldest row that may be sent now, with its bytes. It leaves the queue, and its lane is busy.
  func popSendable() -> (row: DeliveryRow, content: SinkRow)? {
    while let row = ready.popFirst() {
      guard row.stage == .ready else {
        releaseNext(row.lane)
        continue
      }
      guard !row.isPartitionDraining else {
        setStage(row, .shelved)
        releaseNext(row.lane)
        continue
      }
      if let lane = row.lane, lane.isBusy {
        lane.queued.push(row, row.order)
        continue
      }
      guard isSendable(row) else {
        releaseNext(row.lane)
        continue
      }
      let lane = row.lane
      guard let content = contentToSend(row) else { continue }
      lane?.isBusy = true
      return (row, content)
    }
    return nil
  }

  /// Puts back what ``popSendable()`` gave and no batch took.
  func unpop(_ row: DeliveryRow) {
    row.lane?.isBusy = false
    ready.push(row, row.order)
  }

  /// Judges a row by its doubt and its timestamp; one that may not be sent has been dealt with.
  func isSendable(_ row: DeliveryRow) -> Bool {
    if row.isUntroubled, contract.timestamps.newestAheadMilliseconds == nil,
      contract.timestamps.oldestMilliseconds == nil
    {
      return true
    }
    let clock = row.partition.clock
    let timestamp = row.timestampMilliseconds
    let isTooOld =
      contract.timestamps.oldestMilliseconds.map {
        clock.latest(now) + contract.requestTimeoutMilliseconds - timestamp > $0
      } ?? false
    if let doubt = row.doubt {
      if doubt.account != account {
        settleUncertain(row, code: "account_changed")
        return false
      }
      if isPastWindow(row) {
        settleUncertain(row, code: "idempotency_window_passed")
        return false
      }
      if contract.idempotency.needsQuarantine, clock.earliest(now) < holdEnd(doubt) {
        hold(row)
        return false
      }
      if isTooOld {
        settleUncertain(row, code: "timestamp_too_old")
        return false
      }
    } else if isTooOld {
      park(
        row, reason: "timestamp_too_old", detail: "older than the provider takes; it was not sent")
      return false
    }
    if let ahead = contract.timestamps.newestAheadMilliseconds,
      timestamp - ahead > clock.earliest(now)
    {
      row.notBefore = clock.elapsed(whenEarliestReaches: timestamp - ahead)
      setStage(row, .waiting)
      timers.push(row, row.notBefore)
      return false
    }
    return true
  }

  // MARK: Lanes

  /// The row's attempt is over: the next row of its customer and meter may go.
  func freeLane(_ row: DeliveryRow) {
    guard let lane = row.lane else { return }
    lane.isBusy = false
    releaseNext(lane)
  }

  func releaseNext(_ lane: Lane?) {
    guard let lane, !lane.isBusy else { return }
    while let next = lane.queued.popFirst() {
      guard next.stage == .ready else { continue }
      ready.push(next, next.order)
      return
    }
  }

  /// A row of it is gone.
  func leaveLane(_ lane: Lane?, frees: Bool) {
    guard let lane else { return }
    lane.rows -= 1
    if frees { lane.isBusy = false }
    releaseNext(lane)
    if lane.rows == 0, !lane.isBusy { lanes[lane.key] = nil }
  }
}
