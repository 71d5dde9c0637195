internal import Kafka
internal import Metering

extension PartitionWorker {
  /// So many bad events are quarantined together, while their records are still in a cache.
  private static let mostBadEvents = 64

  func startReading(from: Int64) {
    stopReading()
    do throws(KafkaError) {
      let stream = try environment.reader(for: partition).start(
        topic: environment.kafka.topic, partition: partition, offset: .offset(from))
      reading = BatchReading(stream: stream, from: from)
      countedThrough = from
    } catch {
      startOver("the usage topic cannot be read: \(error)")
    }
  }

  func stopReading() {
    guard let reading else { return }
    reading.stream.stop()
    reading.release()
    self.reading = nil
  }

  /// Reads a batch, if the machine wants one, and has it counted; true where another one can follow at once.
  func readTurn() -> Bool {
    guard let reading, machine?.isCounting == true else { return false }
    if !reading.hasLeft, !readBatch(reading) { return false }
    countBatch(reading)
    return self.reading != nil && machine?.isCounting == true
  }

  /// Fills the batch; false where the reading has ended.
  private func readBatch(_ reading: BatchReading) -> Bool {
    let mayWait = mailbox.beginWaiting(in: reading.stream)
    var failure: KafkaError?
    do throws(KafkaError) {
      try reading.stream.read(
        into: &reading.batch, timeoutMilliseconds: mayWait ? 100 : 0, lingerMilliseconds: mayWait ? 5 : 0)
    } catch {
      failure = error
    }
    if mayWait { mailbox.endWaiting() }
    if let failure {
      startOver("the usage topic cannot be read on: \(failure)")
      return false
    }
    reading.index = 0
    reading.hole = 0
    reading.scan = reading.buffer.fill(from: reading.batch, expected: &reading.expected)
    if let end = reading.scan.end { reading.end = end }
    reading.noteRead(count: reading.buffer.count, now: Clock.elapsedMilliseconds())
    reading.findings = look(reading.scan.holes)
    return true
  }

  private func look(_ holes: [RecordBuffer.Hole]) -> [GapReader.Finding] {
    guard !holes.isEmpty else { return [] }
    let begin = Clock.elapsedMilliseconds()
    guard let budget = gapBudget.grant(now: begin) else { return holes.map { _ in .unverified } }
    let findings = environment.gaps.look(
      partition: partition, holes: holes.map { $0.from..<$0.to }, budgetMilliseconds: budget)
    gapBudget.spend(Clock.elapsedMilliseconds() - begin)
    return findings
  }

  /// Offers the batch to the machine, hole by hole, until it is done or the machine wants no more.
  private func countBatch(_ reading: BatchReading) {
    let views = reading.buffer.views
    while true {
      if reading.hole < reading.scan.holes.count, reading.scan.holes[reading.hole].index == reading.index {
        guard pass(reading.scan.holes[reading.hole], reading.findings[reading.hole]) else { return }
        reading.hole += 1
        continue
      }
      let limit = reading.hole < reading.scan.holes.count ? reading.scan.holes[reading.hole].index : views.count
      guard reading.index < limit else { break }
      let taken = count(UnsafeBufferPointer(rebasing: views[reading.index..<limit]), reading)
      if taken > 0 {
        reading.index += taken
        reading.counted = views[reading.index - 1].offset + 1
        countedThrough = reading.counted
      }
      carryOut()
      // A stop or an end has let the reading go.
      guard self.reading === reading else { return }
      if taken == 0 { return }
    }
    let failure = reading.scan.failure
    let hasReachedEnd = reading.scan.end.map { $0 >= reading.expected } ?? false
    reading.scan.failure = nil
    reading.scan.end = nil
    reading.release()
    if let failure { return readFailed(failure) }
    if hasReachedEnd { handle(.reachedEnd) }
  }

  private func count(_ views: UnsafeBufferPointer<RecordView>, _ reading: BatchReading) -> Int {
    var refused: KafkaError?
    var counts = [UInt64](repeating: 0, count: QuarantineReason.allCases.count)
    var bad: [QuarantinedEvent] = []
    let quarantine = environment.quarantine.appender(for: partition)
    func append() {
      // A dry run keeps them nowhere.
      guard refused == nil, let quarantine else { return bad.removeAll() }
      do throws(KafkaError) {
        try quarantine.append(&bad)
      } catch {
        refused = error
      }
    }
    let taken =
      machine?.count(views, now: Clock.elapsedMilliseconds()) { record, reason, detail in
        counts[Int(reason.rawValue)] += 1
        bad.append(QuarantinedEvent(record, reason: reason, detail: detail))
        if bad.count == Self.mostBadEvents { append() }
      } ?? 0
    // No cut and no commit takes in what is not yet handed over: they wait for what is acknowledged below
    // `countedThrough`, which is behind this batch still.
    if !bad.isEmpty { append() }
    metrics.consumed.add(UInt64(taken))
    if taken > 0 {
      let first = views[0]
      settleTimes.counted(
        offset: first.offset, timestamp: first.timestampMilliseconds, now: Clock.unixMilliseconds())
    }
    var quarantined = false
    for reason in QuarantineReason.allCases where counts[Int(reason.rawValue)] > 0 {
      quarantined = true
      metrics.quarantined(reason).add(counts[Int(reason.rawValue)])
    }
    if let refused {
      machine?.handle(.failed(cannotQuarantine(refused)), now: Clock.elapsedMilliseconds())
    } else if quarantined {
      // Those that are acknowledged already; the others come by letter.
      post(.quarantineMoved, life: life)
    }
    return taken
  }

  /// Hands a hole over; false where it ends the reading.
  private func pass(_ hole: RecordBuffer.Hole, _ finding: GapReader.Finding) -> Bool {
    switch finding {
    case .recordFound(let offset):
      handle(.recordInHole(offset: offset, from: hole.from, to: hole.to))
      // Unless a person has accepted it, that was a stop.
      guard let reading else { return false }
      metrics.holesUnverified.add(UInt64(offset + 1 - hole.from))
      // The look ended there: what lies behind is looked at now.
      let later = reading.hole + 1
      reading.findings.replaceSubrange(later..., with: look(Array(reading.scan.holes[later...])))
      guard offset + 1 < hole.to else { return true }
      let rest = RecordBuffer.Hole(index: hole.index, from: offset + 1, to: hole.to)
      return pass(rest, look([rest]).first ?? .unverified)
    case .verified: metrics.holesVerified.add(UInt64(hole.to - hole.from))
    case .unverified: metrics.holesUnverified.add(UInt64(hole.to - hole.from))
    }
    handle(.hole(from: hole.from, to: hole.to, isVerified: finding == .verified))
    return reading != nil
  }

  private func readFailed(_ failure: RecordBuffer.Failure) {
    switch failure {
    case .kafka(let error) where error.isRefusal:
      handle(.failed(StopReason(.readRefused, offset: reading?.counted ?? 0, detail: error.description)))
    case .kafka(let error):
      // An offset that is gone, above all: the next machine's look at the log says what that means.
      startOver("the usage topic cannot be read on: \(error)")
    case .wentBack(let expected, let found):
      startOver("record \(found) came where \(expected) was expected: the usage topic has changed")
    }
  }
}
