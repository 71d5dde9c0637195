internal import Dispatch
internal import Glibc
internal import Kafka
internal import Metering
internal import Storage

/// Records that were read for a replay and that the machine has not taken yet.
struct ReplayLeft {
  var total: Int64 = 0
  var shownAt: Int64 = 0
}

extension PartitionWorker {
  // MARK: Looking up what blocks

  /// Runs a look-up on the helper queue, again and again until it works, and hands its answer over on the worker's.
  /// Ends without an answer when the worker closes or its machine is another one.
  func lookUp<Answer: Sendable>(
    _ what: String, _ body: @escaping @Sendable () throws(KafkaError) -> Answer,
    then: @escaping @Sendable (Answer) -> Void
  ) {
    let life = life
    helper.async { [weak self] in
      var attempt: Int64 = 0
      while let self, !isClosing.isSet, isLife(life) {
        do throws(KafkaError) {
          let answer = try body()
          queue.async { then(answer) }
          return
        } catch {
          attempt += 1
          environment.log.emit(.partitionWaits(partition: partition, why: "\(what): \(error)"))
          Clock.sleep(milliseconds: min(5_000, 200 << min(attempt, 5)))
        }
      }
    }
  }

  /// From the helper: whether the machine is still that one.
  private func isLife(_ life: Int) -> Bool { queue.sync { self.life == life } }

  /// Gathers what a machine must be told before it begins.
  func gatherFacts(life: Int, after milliseconds: Int64) {
    let environment = environment
    let partition = partition
    helper.asyncAfter(deadline: .now() + .milliseconds(Int(milliseconds))) { [weak self] in
      guard let self, !isClosing.isSet else { return }
      // On the queue, so that `lookUp` sees the life that it belongs to.
      queue.async { [weak self] in
        guard let self, self.life == life, !isClosing.isSet else { return }
        lookUp("ask where it stands") { () throws(KafkaError) -> (Int64, Int64, CommittedHint?) in
          let begin = try environment.usage.begin(
            partition: partition, reachMilliseconds: environment.rules.counting.windowMilliseconds + 7_200_000,
            now: Clock.unixMilliseconds())
          let committed = try environment.offsets.committed(partition: partition)
          return (
            begin.start, begin.dedupFrom,
            committed.flatMap { CommittedHint(offset: $0.offset, metadata: $0.metadata) }
          )
        } then: { [weak self] answer in
          self?.openFolder(life: life, start: answer.0, dedupFrom: answer.1, committed: answer.2)
        }
      }
    }
  }

  private func openFolder(life: Int, start: Int64, dedupFrom: Int64, committed: CommittedHint?) {
    let environment = environment
    let partition = partition
    helper.async { [weak self] in
      guard let self, let store = openStore() else { return }
      let random = RandomBytes()
      let facts = PartitionFacts(
        clusterID: environment.clusterID, topic: environment.kafka.topic, group: environment.kafka.group,
        partition: partition, partitionCount: environment.partitionCount, instance: environment.instance,
        nonce: random.word(), fingerprintKey: random.bytes(16), incarnation: random.bytes(16), startOffset: start,
        dedupFromOffset: dedupFrom, committed: committed, local: LocalSummary(store))
      post(
        .facts(facts, PartitionStorage(store: store, partition: partition, metrics: environment.metrics)), life: life)
    }
  }

  /// Opens the partition's folder; nil when the worker closes meanwhile.
  private func openStore() -> PartitionStore? {
    let folder = PartitionStorage.folder(environment.storagePath, partition: partition)
    var discarding = false
    var attempt: Int64 = 0
    while !isClosing.isSet {
      do throws(StorageError) {
        return try PartitionStore(folder: folder, discarding: discarding)
      } catch {
        if error.needsRebuild, !discarding {
          environment.log.emit(.storageDiscarded(partition: partition, why: error.description))
          discarding = true
          continue
        }
        attempt += 1
        environment.log.emit(.partitionWaits(partition: partition, why: error.description))
        Clock.sleep(milliseconds: min(5_000, 100 << min(attempt, 6)))
      }
    }
    return nil
  }

  // MARK: What the machine asks for

  func inspectLog(verify: Int64?) {
    let environment = environment
    let partition = partition
    let life = life
    lookUp("inspect the usage topic") { () throws(KafkaError) -> (Watermarks, Digest?) in
      let marks = try environment.usage.watermarks(partition: partition)
      guard let verify, verify >= marks.low, verify < marks.high else { return (marks, nil) }
      return (marks, try environment.digest(partition: partition, offset: verify))
    } then: { [weak self] answer in
      guard let self, self.life == life else { return }
      handle(.logInspected(start: answer.0.low, end: answer.0.high, digest: answer.1))
      mailbox.wake()
    }
  }

  func openStorage(_ plan: RecoveryPlan.Local) {
    guard let store = storage?.store else { return }
    do throws(StorageError) {
      switch plan {
      case .use: break
      case .cutBack: _ = try store.cutBack()
      case .rebuild: try store.wipe()
      }
      machine?.prepare(sealed: store.sealedSegments)
      try store.forEachChunk { chunk in try machine?.restore(chunk) }
      handle(.storageOpened)
    } catch {
      if error.needsRebuild {
        discardAndStartOver(error.description)
      } else {
        handle(.storageFailed(detail: error.description))
      }
    }
  }

  /// The folder says something that cannot be: without it the window is rebuilt from Kafka.
  private func discardAndStartOver(_ why: String) {
    environment.log.emit(.storageDiscarded(partition: partition, why: why))
    do throws(StorageError) {
      try storage?.store.wipe()
      startOver(why)
    } catch {
      handle(.storageFailed(detail: error.description))
    }
  }

  // MARK: Replay

  func startReplay(from: Int64, to: Int64) {
    replay?.stop()
    do throws(KafkaError) {
      replay = try RangeReader(
        reader: environment.replayReader, topic: environment.kafka.topic, partition: partition, from: from, to: to)
      mailbox.wake()
    } catch {
      startOver("the usage topic cannot be read again: \(error)")
    }
  }

  /// One step of a replay; true where another one can follow at once.
  func replayTurn() -> Bool {
    guard let replay, machine?.isReplaying == true else { return false }
    do throws(RangeReader.Failure) {
      let before = replay.position
      let isOver = try replay.next(timeoutMilliseconds: 50) { [self] views in
        machine?.replay(views) ?? 0
      }
      replayLeft.total += replay.position - before
      carryOut()
      showProgress(replay)
      if isOver, self.replay === replay {
        let to = replay.to
        replay.stop()
        self.replay = nil
        handle(.replayed(through: to))
      }
    } catch {
      switch error {
      case .kafka(let error): startOver("the usage topic cannot be read again: \(error)")
      case .wentBack(let expected, let found):
        startOver("record \(found) came where \(expected) was expected: the usage topic has changed")
      case .endsBefore(let end): startOver("the usage topic ends at \(end), inside the window that is read again")
      }
    }
    return machine != nil
  }

  private func showProgress(_ replay: RangeReader) {
    let now = Clock.elapsedMilliseconds()
    guard now - replayLeft.shownAt >= 500 else { return }
    replayLeft.shownAt = now
    setProgress("read \(replayLeft.total) records again, at offset \(replay.position) of \(replay.to)")
  }
}

extension PartitionEnvironment {
  /// The digest of the record at an offset; nil where that offset holds none.
  func digest(partition: Int32, offset: Int64) throws(KafkaError) -> Digest? {
    let range = try RangeReader(
      reader: replayReader, topic: kafka.topic, partition: partition, from: offset, to: offset + 1, batchSize: 1)
    defer { range.stop() }
    var digest: Digest?
    let deadline = Clock.elapsedMilliseconds() + 20_000
    do throws(RangeReader.Failure) {
      while Clock.elapsedMilliseconds() < deadline {
        let isOver = try range.next(timeoutMilliseconds: 200) { views in
          if let view = views.first { digest = Digest(ofKey: view.key, value: view.value) }
          return views.count
        }
        if isOver { return digest }
      }
    } catch {
      switch error {
      case .kafka(let error): throw error
      case .wentBack, .endsBefore: return nil
      }
    }
    throw KafkaError(.timedOut, doing: "read the record at offset \(offset) of \(kafka.topic)[\(partition)]")
  }
}

/// Random numbers of the operating system: nonces, keys.
struct RandomBytes {
  func bytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }
  func word() -> UInt64 {
    var generator = SystemRandomNumberGenerator()
    return .random(in: 1 ... .max, using: &generator)
  }
}
