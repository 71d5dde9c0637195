internal import Dispatch
internal import Kafka
internal import Metering

extension PartitionWorker {
  /// Carries out what the machine has decided, in order. An action may lead to further ones: until there are none.
  func carryOut() {
    while machine != nil {
      let actions = machine?.drainActions() ?? []
      if actions.isEmpty { return }
      for action in actions {
        carryOut(action)
        // An end lets the machine go: what it had decided after that has no meaning.
        if machine == nil { return }
      }
    }
  }

  private func carryOut(_ action: PartitionAction) {
    switch action {
    case .readLedger(let from): readLedger(from: from)
    case .recallLedger(let from, let through): recallLedger(from: from, through: through)
    case .append(let records, let token): append(records, token: token)
    case .inspectLog(let verify): inspectLog(verify: verify)
    case .openStorage(let plan): openStorage(plan)
    case .replay(let from, let to): startReplay(from: from, to: to)
    case .startReading(let from): startReading(from: from)
    case .stopReading: stopReading()
    case .storage(let command): run(command)
    case .commitGroupOffset(let offset, let incarnation, let snapshotOffset):
      let hint = CommittedHint(offset: offset, incarnation: incarnation, snapshotOffset: snapshotOffset)
      environment.offsets.commit(CommittedOffset(partition: partition, offset: offset, metadata: hint.metadata))
    case .deleteLedger(let below): deleteLedger(below: below)
    case .sink(let name, let notice): environment.notifySink(name, partition, notice)
    case .report(let event): report(event)
    case .stopped(let reason): stopped(reason)
    case .ended(let reason): ended(reason)
    case .drained:
      if let onDrained {
        self.onDrained = nil
        onDrained()
      }
    }
  }

  // MARK: The ledger

  private func append(_ records: [[UInt8]], token: UInt64) {
    let life = life
    environment.ledger.append(partition: partition, records: records) { [weak self] outcome in
      switch outcome {
      case .appended: self?.post(.input(.appended(token: token)), life: life)
      case .failed(let error, let isUnknown):
        // What a broker that was away for long did not take in time is not refused: the next owner says it again.
        let isRefused = !isUnknown && error.isRefusal
        self?.post(
          .input(.appendFailed(token: token, isUnknown: !isRefused, detail: error.description)), life: life)
      }
    }
  }

  /// Ends the reading that goes on and begins another one. Where the ledger does not reach from `from` on (a hint that
  /// is too old, or of a ledger that is gone) it is read from where it begins; the machine sees by the offsets.
  private func readLedger(from: Int64) {
    tail?.stop()
    tail = nil
    tailEpoch += 1
    hasReachedLedgerEnd = false
    let epoch = tailEpoch
    let life = life
    lookUp("read the ledger") { [environment, partition] () throws(KafkaError) -> Watermarks in
      try environment.ledger.ends(partition: partition)
    } then: { [weak self] marks in
      guard let self, self.life == life, tailEpoch == epoch else { return }
      if from > marks.high { return took(.caughtUp(end: marks.high)) }
      do throws(KafkaError) {
        tail = try environment.ledger.readTail(partition: partition, from: max(from, marks.low)) { [weak self] event in
          self?.post(.tail(epoch: epoch, event), life: life)
        }
      } catch {
        startOver("the ledger cannot be read: \(error)")
      }
    }
  }

  func took(_ event: LedgerTailEvent) {
    switch event {
    case .entries(let entries): handle(.ledger(entries))
    case .caughtUp:
      guard !hasReachedLedgerEnd else { return }
      hasReachedLedgerEnd = true
      handle(.ledgerEnd)
    case .failed(.gap(let expected, let found)):
      let detail = "record \(expected) is missing: the next one is \(found)"
      handle(.failed(StopReason(.ledgerChanged, offset: expected, detail: detail)))
    case .failed(.kafka(let error)):
      if error.isRefusal {
        handle(.failed(StopReason(.readRefused, offset: 0, detail: "the ledger: \(error)")))
      } else {
        startOver("the ledger cannot be read on: \(error)")
      }
    }
  }

  /// Reads a part of the ledger again, as far as it is retained: the machine sees by the offsets what is deleted.
  private func recallLedger(from: Int64, through: Int64) {
    recall?.stop()
    recall = nil
    recallEpoch += 1
    let epoch = recallEpoch
    let life = life
    lookUp("read the ledger again") { [environment, partition] () throws(KafkaError) -> Watermarks in
      try environment.recallLedger.ends(partition: partition)
    } then: { [weak self] marks in
      guard let self, self.life == life, recallEpoch == epoch else { return }
      guard marks.low <= through else { return handle(.recalled([], isEnd: true)) }
      recallLedger(retainedFrom: max(from, marks.low), through: through)
    }
  }

  private func recallLedger(retainedFrom from: Int64, through: Int64) {
    let life = life
    let epoch = recallEpoch
    do throws(KafkaError) {
      recall = try environment.recallLedger.readTail(partition: partition, from: from) { [weak self] event in
        switch event {
        case .entries(let entries):
          let wanted = entries.filter { $0.offset <= through }
          let isEnd = (entries.last?.offset ?? 0) >= through
          self?.post(.recalled(epoch: epoch, wanted, isEnd: isEnd), life: life)
        case .caughtUp(let end):
          if end <= through { self?.post(.startOver("ledger record \(through) is gone"), life: life) }
        case .failed(let failure):
          self?.post(.startOver("the ledger cannot be read again: \(failure)"), life: life)
        }
      }
    } catch {
      startOver("the ledger cannot be read again: \(error)")
    }
  }

  private func deleteLedger(below: Int64) {
    helper.async { [environment, partition] in
      do throws(KafkaError) {
        try environment.usage.deleteLedger(partition: partition, below: below)
      } catch {
        environment.log.emit(.ledgerNotDeleted(partition: partition, below: below, why: error.description))
      }
    }
  }

  // MARK: Local state

  private func run(_ command: StorageCommand) {
    let life = life
    storage?.run(command) { [weak self] outcome in
      switch outcome {
      case .committed: self?.post(.input(.committed), life: life)
      case .sealed(let segment): self?.post(.sealed(segment), life: life)
      case .expired: break
      case .failed(let detail): self?.post(.input(.storageFailed(detail: detail)), life: life)
      }
    }
  }

  // MARK: Telling

  private func report(_ event: PartitionEvent) {
    let log = environment.log
    switch event {
    case .owned(let records):
      metrics.ownershipChanges.add(1)
      log.emit(.ownershipGained(partition: partition, ledgerOffset: records))
    case .recovering(let plan):
      guard let first = plan.replay.first, let last = plan.replay.last else { return }
      setState(.rebuilding)
      log.emit(
        .partitionRebuilding(
          partition: partition, fromOffset: first.from, toOffset: last.to,
          why: plan.local == .cutBack
            ? "the local folder is behind the ledger" : "there is no local state to go on from"))
    case .counting(let from):
      failures = 0
      setState(.counting)
      beginTelling()
      let seconds = Double(Clock.elapsedMilliseconds() - bornAt) / 1_000
      log.emit(
        .partitionRecovered(
          partition: partition, position: from, head: machine?.picture().head ?? from, seconds: seconds))
    case .settlingOnly(let head):
      failures = 0
      setState(.draining)
      log.emit(.partitionSettlesOnly(partition: partition, head: head))
    case .cut(let number, let from, let to, let rows):
      metrics.cuts.add(1)
      settleTimes.cut(number, from: from, to: to)
      log.emit(.cutSealed(partition: partition, from: from, to: to, rows: Int64(rows)))
    case .claim(let sink, let number, let throughCut, let rows):
      metrics.claims(sink: sink).add(1)
      settleTimes.claimed(sink: sink, claim: number, throughCut: throughCut, rows: rows)
      log.emit(.claimSealed(partition: partition, sink: sink, claim: Int64(clamping: number), rows: Int64(rows)))
    case .settled(let sink, let claim, let rows):
      let now = Clock.unixMilliseconds()
      guard let seconds = settleTimes.seconds(sink: sink, claim: claim, now: now) else { return }
      environment.metrics.ingestToSettledSeconds[SinkLabels(sink: sink)].observe(seconds, count: UInt64(rows))
    case .snapshot(let through): log.emit(.snapshotSealed(partition: partition, through: through))
    case .timestampsCapped(let offset, let timestamp, let cap):
      log.emit(.timestampsCapped(partition: partition, offset: offset, timestamp: timestamp, cap: cap))
    case .ignored(let offset, let why):
      log.emit(.ledgerRecordIgnored(partition: partition, offset: offset, why: why.rawValue))
    }
  }
}

extension KafkaError {
  /// The broker says no, and will say it again.
  var isRefusal: Bool {
    switch code {
    case .topicAuthorizationFailed, .groupAuthorizationFailed, .clusterAuthorizationFailed, .unknownTopicOrPartition,
      .unknownTopic, .unknownPartition:
      true
    default: false
    }
  }
}
