internal import Metering

/// Rows between two attempts: taken in, judged, put off.
extension SinkMachine {
  func add(_ rows: SinkRows, to partition: PartitionDelivery) {
    for part in rows.parts where part.count > 0 { add(part, to: partition) }
    touch(partition)
  }

  private func add(_ part: SinkRows.Part, to partition: PartitionDelivery) {
    var part = part
    let claim = part.reference(0).claim
    // A decision that crossed an attempt, or rows handed over twice: what is on its way already stays as it is.
    if partition.knows(claim) {
      part = part.keeping(
        (0..<part.count).filter { number in
          guard let row = partition.row(part.reference(number)) else { return true }
          // The ledger had an outcome, and a person took it back while an attempt was under way.
          row.isDecided = false
          return false
        })
      if part.count == 0 { return }
    }
    let source = RowSource(partition: partition, rows: part)
    partition.add(source, claim: claim)
    partition.count(.blocking, part.count)
    rowCount += part.count
    let run = makeRows(part, of: claim, in: source)
    let held = takeDoubts(of: source)
    guard part.count >= DeliveryLimits.sortedRows else {
      for entry in run { oldest.push(entry.row, entry.key) }
      for row in held { hold(row) }
      for entry in run where entry.row.stage == .ready { ready.push(entry.row, entry.key) }
      return
    }
    oldest.push(sorted: run)
    for row in held { hold(row) }
    ready.push(sorted: held.isEmpty ? run : run.filter { $0.row.stage == .ready })
  }

  /// The part's rows, in the order in which they will be sent where there are many: then they also lie so in memory, and
  /// whoever goes through the queue or a batch does not wait for each.
  private func makeRows(
    _ part: SinkRows.Part, of claim: UInt64, in source: RowSource
  ) -> [RowHeap<RowOrder>.Entry] {
    var places: [RowPlace] = []
    places.reserveCapacity(part.count)
    for number in 0..<part.count {
      let order = RowOrder(
        timestampMilliseconds: part.timestampMilliseconds(number), partition: source.partition.number,
        row: part.reference(number).row, claim: claim)
      places.append(RowPlace(order: order, number: UInt32(number)))
    }
    if part.count >= DeliveryLimits.sortedRows { RowPlace.sortRowsOfOneClaim(&places) }
    var run: [RowHeap<RowOrder>.Entry] = []
    run.reserveCapacity(part.count)
    source.fill { handles in
      for place in places {
        let number = Int(place.number)
        let lane = contract.isSerialPerCustomerAndMeter ? lane(of: part[number]) : nil
        let row = pool.make(
          in: source, number: place.number, order: place.order, lane: lane, largestBatch: contract.batch.records)
        lane?.rows += 1
        handles.initializeElement(at: number, to: row)
        run.append(.init(key: place.order, row: row))
      }
    }
    return run
  }

  /// Notes which rows are in doubt; returns those of them that may not be touched yet.
  private func takeDoubts(of source: RowSource) -> [DeliveryRow] {
    if source.rows.isFresh { return [] }
    var held: [DeliveryRow] = []
    for (number, row) in source.handles.enumerated() {
      guard let doubt = source.rows.doubt(number) else { continue }
      row.doubt = doubt
      doubtChanged(row)
      if contract.idempotency.needsQuarantine { held.append(row) }
    }
    return held
  }

  /// The row's bytes. The first time it is asked whether it can be sent at all; nil where it cannot, and that has been
  /// dealt with.
  func contentToSend(_ row: DeliveryRow) -> SinkRow? {
    let content = row.content()
    guard !row.isJudged else { return content }
    guard let refusal = adapter.refusal(of: content) else {
      row.isJudged = true
      return content
    }
    if row.doubt != nil {
      settleUncertain(row, code: refusal.reason)
    } else {
      park(row, reason: refusal.reason, detail: refusal.detail)
    }
    return nil
  }

  /// An attempt that is under way goes on to its end; its facts are the ledger's to weigh.
  func rowGone(_ number: Int32, _ reference: RowReference) {
    guard let row = partitions[number]?.row(reference) else { return }
    switch row.stage {
    case .planned, .inFlight: row.isDecided = true
    case .gone: break
    case .ready, .backingOff, .waiting, .held, .probe, .shelved: forget(row)
    }
  }

  private func lane(of row: SinkRow) -> Lane {
    let key = Lane.Key(customer: row.customer, meter: row.meter)
    if let lane = lanes[key] { return lane }
    let lane = Lane(key: key)
    lanes[key] = lane
    return lane
  }

  // MARK: Stages

  func setStage(_ row: DeliveryRow, _ stage: DeliveryRow.Stage) {
    row.stage = stage
    recategorize(row)
  }

  func recategorize(_ row: DeliveryRow) {
    let category: DeliveryRow.Category =
      switch row.stage {
      case .waiting: .waiting
      case .held: .held
      default: row.isDeferred ? .deferred : .blocking
      }
    guard category != row.category else { return }
    row.partition.count(row.category, -1)
    row.partition.count(category, 1)
    row.category = category
    touch(row.partition)
  }

  func makeReady(_ row: DeliveryRow) {
    setStage(row, .ready)
    ready.push(row, row.order)
  }

  func backOff(_ row: DeliveryRow, until instant: Int64) {
    row.notBefore = instant
    setStage(row, .backingOff)
    timers.push(row, instant)
  }

  /// In doubt at a provider that would book twice: left alone until the lease, the request and a minute of ledger time
  /// have passed since its last SENDING.
  func hold(_ row: DeliveryRow) {
    guard let doubt = row.doubt else { return makeReady(row) }
    row.notBefore = row.partition.clock.elapsed(whenEarliestReaches: holdEnd(doubt))
    setStage(row, .held)
    timers.push(row, row.notBefore)
  }

  func holdEnd(_ doubt: Doubt) -> Int64 {
    doubt.lastLedgerMilliseconds + DeliveryLimits.leaseMilliseconds
      + contract.requestTimeoutMilliseconds
      + DeliveryLimits.leaseMarginMilliseconds
  }

  /// A new attempt of unknown outcome: the row must be looked at before its key is forgotten.
  func doubtChanged(_ row: DeliveryRow) {
    guard let doubt = row.doubt, let usable = usableWindow else { return }
    timers.push(
      row, row.partition.clock.elapsed(whenLatestReaches: doubt.firstLedgerMilliseconds + usable))
  }

  /// The provider's window less the margin; nil where keys are never forgotten.
  private var usableWindow: Int64? {
    contract.idempotency.windowMilliseconds.map {
      $0
        - max(
          $0 / 20, contract.requestTimeoutMilliseconds + DeliveryLimits.windowMarginMilliseconds)
    }
  }

  func isPastWindow(_ row: DeliveryRow) -> Bool {
    guard let doubt = row.doubt, let usable = usableWindow else { return false }
    return row.partition.clock.latest(now) - doubt.firstLedgerMilliseconds >= usable
  }

  func runTimers() {
    while let due = timers.firstKey, due <= now, let row = timers.popFirst() {
      switch row.stage {
      case .ready, .backingOff, .probe:
        if isPastWindow(row) {
          settleUncertain(row, code: "idempotency_window_passed")
        } else {
          // While the circuit is open nothing is tried, so nothing else would see that it has failed for long.
          if let since = row.firstFailureAt { deferIfLasting(row, since: since) }
          if row.stage == .backingOff, row.notBefore <= now { makeReady(row) }
        }
      case .waiting: if row.notBefore <= now { makeReady(row) }
      case .held: if row.notBefore <= now { release(row) }
      case .planned, .inFlight, .shelved, .gone: break
      }
    }
  }

  private func release(_ row: DeliveryRow) {
    if contract.idempotency.allowsRepetition { return makeReady(row) }
    settleUncertain(row, code: row.lastCode)
  }

  // MARK: Failures

  /// Counts a passing failure and puts the row off.
  func fail(_ row: DeliveryRow, code: String, waitMilliseconds: Int64?) {
    row.failures += 1
    row.lastCode = code
    let since = row.firstFailureAt ?? now
    if row.firstFailureAt == nil {
      row.firstFailureAt = now
      timers.push(row, now + DeliveryLimits.failingUntilDeferredMilliseconds)
    }
    deferIfLasting(row, since: since)
    backOff(row, until: now + max(drawWait(row), waitMilliseconds ?? 0))
  }

  /// A row that has failed often or for long does not hold up the next claim any more.
  private func deferIfLasting(_ row: DeliveryRow, since: Int64) {
    let isLasting =
      row.failures >= DeliveryLimits.failuresUntilDeferred
      || now - since >= DeliveryLimits.failingUntilDeferredMilliseconds
    guard isLasting, !row.isDeferred, row.partition.deferred < DeliveryLimits.deferredRows else { return }
    row.isDeferred = true
    recategorize(row)
    emit(.rowDeferred(row.partition.number, row.reference, failures: row.failures, code: row.lastCode))
  }

  /// One draw for all rows of a reply that failed as often: scattered, a batch would come back as single requests.
  private func drawWait(_ row: DeliveryRow) -> Int64 {
    let longest = row.isDeferred ? Backoff.longestDeferredMilliseconds : Backoff.longestMilliseconds
    let key = row.isDeferred ? -row.failures : row.failures
    if let drawn = drawnWaits[key] { return drawn }
    let wait = backoff.wait(failure: row.failures, longest: longest)
    drawnWaits[key] = wait
    return wait
  }
}
