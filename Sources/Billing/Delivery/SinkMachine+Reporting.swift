/// What is told after each input: to the partitions, to the clock, to the status page.
extension SinkMachine {
  func touch(_ partition: PartitionDelivery) {
    guard !partition.isDirty else { return }
    partition.isDirty = true
    dirty.append(partition)
  }

  func report() {
    for partition in dirty {
      partition.isDirty = false
      guard partition.isOpen else { continue }
      if partition.takesClaim != partition.toldReady || partition.owesReadiness {
        partition.owesReadiness = false
        partition.toldReady = partition.takesClaim
        actions.append(.readyForClaim(partition.number, partition.toldReady))
      }
      if partition.isDraining, !partition.hasToldDrained, partition.requestsInFlight == 0,
        partition.sendingsPending == 0
      {
        flushDone(of: partition)
        partition.hasToldDrained = true
        actions.append(.drained(partition.number))
      }
    }
    dirty.removeAll(keepingCapacity: true)
  }

  /// Forgets heap entries of rows that are gone, once they are the greater part.
  func compact() {
    if oldest.count > 2 * rowCount + 1_024 { oldest.removeAll { $0.stage == .gone } }
    if timers.count > 4 * rowCount + 1_024 { timers.removeAll { $0.stage == .gone } }
    if ready.count > 2 * rowCount + 1_024 { ready.removeAll { $0.stage == .gone } }
  }

  /// Entries of all heaps: what grows if forgetting fails.
  package var heldEntries: Int {
    ready.count + timers.count + oldest.count + dueDone.count + granted.count
  }

  func wake() {
    var next: Int64?
    func consider(_ instant: Int64?) {
      guard let instant else { return }
      next = min(next ?? .max, instant)
    }
    consider(timers.firstKey)
    consider(dueDone.first.map { $0.since + DeliveryLimits.doneDelayMilliseconds })
    consider(pendingOrder.first.map { $0.requestedAt + DeliveryLimits.slowAppendMilliseconds })
    consider(sendWake)
    let due = next.map { max($0, now + 1) }
    guard due != lastWake else { return }
    lastWake = due
    actions.append(.wakeAt(due))
  }

  /// When something may be sent that may not be sent now; nil where only another input can change that.
  private var sendWake: Int64? {
    guard account != nil else { return nil }
    var next: Int64?
    func consider(_ instant: Int64?) {
      guard let instant, instant > now else { return }
      next = min(next ?? .max, instant)
    }
    if case .open(let until) = circuit, probe != nil || !ready.isEmpty { consider(until) }
    if !ready.isEmpty || !granted.isEmpty || probe != nil { consider(pausedUntil) }
    consider(planWake)
    consider(startWake)
    return next
  }

  /// The sink as the status page shows it.
  public func status() -> SinkStatus {
    while let row = oldest.first, row.stage == .gone { oldest.popFirst() }
    let open = partitions.values
    let deferred = open.reduce(0) { $0 + $1.deferred }
    let waiting = open.reduce(0) { $0 + $1.waiting }
    let held = open.reduce(0) { $0 + $1.held }
    let unsent = rowCount - rowsWithSending
    let isSending = !granted.isEmpty || !pending.isEmpty
    return SinkStatus(
      circuit: circuit == .closed ? .closed : circuit == .probing ? .probing : .open,
      account: account,
      readyRows: max(0, unsent - waiting - held), rowsInFlight: rowsWithSending,
      deferredRows: deferred,
      waitingRows: waiting, heldRows: held, requestsInFlight: inFlight.count,
      nextSendMilliseconds: unsent > 0 || isSending
        ? sendWake.map { $0 - now } ?? (isSending ? 0 : nil) : nil,
      oldestUnsettledTimestampMilliseconds: oldest.first?.timestampMilliseconds,
      rateLimitWaitMilliseconds: rateLimitWaitMilliseconds)
  }
}
