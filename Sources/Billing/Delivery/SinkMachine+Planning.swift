internal import Metering

/// Which rows get a SENDING.
extension SinkMachine {
  /// Asks for SENDINGs for what can be sent within the next second, beyond what is planned already.
  func plan() {
    planWake = nil
    guard account != nil, now >= pausedUntil else { return }
    switch circuit {
    case .open(let until):
      if now >= until { planProbe() }
      return
    case .probing: return
    case .closed: break
    }
    guard !ready.isEmpty else { return }
    let requests = requestsWithinPlan()
    if requests == 0 { planWake = nextTokenForPlan() }
    // Planning again only when half is used up makes few large SENDINGs of many small ones.
    guard requests > unstartedBatches, unstartedBatches * 2 <= requests else { return }
    var touched: [PartitionDelivery] = []
    fillBatches(
      requests: requests - unstartedBatches, records: recordsWithinPlan() - unstartedRows, &touched)
    for partition in touched { askForSending(partition) }
  }

  private func fillBatches(requests: Int, records: Int, _ touched: inout [PartitionDelivery]) {
    var requestBudget = requests
    var recordBudget = records
    // Whose batch the last row went to: mostly the next one's, too.
    var last: Batch?
    while recordBudget > 0, let (row, content) = popSendable() {
      let bytes = contract.batch.bytes == nil ? 0 : adapter.bodyBytes(of: content)
      if let last, row.isOf(last.partition), hasRoom(last, for: row, bytes: bytes) {
        last.add(row, content)
        last.bytes += bytes
        last.partition.formingRows += 1
        row.stage = .planned
        recordBudget -= 1
        continue
      }
      let partition = row.partition
      if let batch = partition.forming.last, hasRoom(batch, for: row, bytes: bytes) {
        batch.add(row, content)
        batch.bytes += bytes
        last = batch
      } else if requestBudget > 0 {
        requestBudget -= 1
        if partition.formingRows >= DeliveryLimits.sendingRows { askForSending(partition) }
        if partition.forming.isEmpty { touched.append(partition) }
        let batch = Batch(partition: partition, first: row, content: content)
        batch.bytes = bytes
        partition.forming.append(batch)
        last = batch
      } else {
        unpop(row)
        return
      }
      row.stage = .planned
      partition.formingRows += 1
      recordBudget -= 1
    }
  }

  private func hasRoom(_ batch: Batch, for row: DeliveryRow, bytes: Int) -> Bool {
    guard batch.rows.count < min(batch.limit, row.largestBatch) else { return false }
    return contract.batch.bytes.map { batch.bytes + bytes <= $0 } ?? true
  }

  private func askForSending(_ partition: PartitionDelivery) {
    let batches = partition.forming
    partition.forming = []
    partition.formingRows = 0
    guard !batches.isEmpty else { return }
    requestSending(partition, batches)
  }

  func requestSending(_ partition: PartitionDelivery, _ batches: [Batch]) {
    guard let account else { return }
    lastToken += 1
    let token = SendingToken(number: lastToken)
    let references = batches.flatMap { $0.rows.map(\.reference) }
    pending[token] = PendingSending(
      partition: partition, batches: batches, requestedAt: now, account: account)
    pendingOrder.append((token, now))
    partition.sendingsPending += 1
    countUnstarted(batches)
    rowsWithSending += references.count
    let sending = Sending(
      sink: name, account: account, leaseMilliseconds: DeliveryLimits.leaseMilliseconds,
      rows: references)
    actions.append(.append(partition.number, .sending(token, sending)))
  }

  func countUnstarted(_ batches: [Batch]) {
    unstartedBatches += batches.count
    unstartedRows += batches.reduce(0) { $0 + $1.rows.count }
  }

  /// A partition whose ledger is slow must not hold up the others: what it asked for is left out of the planning.
  func noteSlowAppends() {
    while let asked = pendingOrder.first {
      guard let sending = pending[asked.token] else {
        pendingOrder.popFirst()
        continue
      }
      guard asked.requestedAt + DeliveryLimits.slowAppendMilliseconds <= now else { return }
      pendingOrder.popFirst()
      pending[asked.token]?.isSlow = true
      unstartedBatches -= sending.batches.count
      unstartedRows -= sending.batches.reduce(0) { $0 + $1.rows.count }
    }
  }

  // MARK: What goes out within the next second

  /// Requests that rates and concurrency let out within ``DeliveryLimits/planMilliseconds``.
  private func requestsWithinPlan() -> Int {
    var requests = concurrency
    if let mean = meanMilliseconds {
      requests = max(
        requests, concurrency * Int(DeliveryLimits.planMilliseconds) / Int(max(1, mean)))
    }
    for index in buckets.indices where buckets[index].limit.unit == .requests {
      requests = min(
        requests, buckets[index].available(within: DeliveryLimits.planMilliseconds, now: now))
    }
    return requests
  }

  private func recordsWithinPlan() -> Int {
    var records = Int.max / 2
    for index in buckets.indices where buckets[index].limit.unit == .records {
      records = min(
        records, buckets[index].available(within: DeliveryLimits.planMilliseconds, now: now))
    }
    if records <= unstartedRows { planWake = nextTokenForPlan() }
    return records
  }

  /// When the buckets will let something out within the plan's second.
  private func nextTokenForPlan() -> Int64? {
    var wait: Int64 = 1
    for index in buckets.indices {
      guard let own = buckets[index].wait(for: 1, now: now) else { return nil }
      wait = max(wait, own - DeliveryLimits.planMilliseconds)
    }
    return now + wait
  }
}
