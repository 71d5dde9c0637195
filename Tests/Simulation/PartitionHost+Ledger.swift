import Metering

// The ledger topic.
extension PartitionHost {
  func readLedger(_ reading: Int) {
    if ledgerEnd == nil, ledgerCursor >= world.ledgers[partition].end {
      return world.ledgers[partition].waiting.append { [weak self] in self?.readLedger(reading) }
    }
    later(10) { [unowned self] in
      guard reading == ledgerReading else { return }
      let log = world.ledgers[partition]
      // Another owner has deleted it meanwhile.
      guard ledgerCursor >= log.low else { return startOver() }
      let entries = log.entries(from: ledgerCursor, limit: Int(world.random.pick(1...30)))
      if let last = entries.last {
        ledgerCursor = last.offset + 1
        world.writers[nonce]?.readThrough = last.offset
        handle(.ledger(Array(entries)))
      }
      if !isClosed, reading == ledgerReading, let end = ledgerEnd, ledgerCursor >= end {
        ledgerEnd = nil
        handle(.ledgerEnd)
      }
      if !isClosed, reading == ledgerReading { readLedger(reading) }
    }
  }

  /// Appends land in order. A broken producer's outcome is unknown: a beginning of each append may still land, much later,
  /// also where nothing of the one before did.
  func append(_ records: [[UInt8]], token: UInt64) {
    let world = world
    let partition = partition
    let most: Int64 = world.isFaulty && world.random.oneIn(8) ? world.scenario.slowAppendMilliseconds : 30
    appendTime = max(appendTime + 1, world.now + world.delay(most))
    if world.isFaulty, !producerIsBroken, world.random.oneIn(3_000) {
      world.coverage.note("fault: append refused")
      return process.after(appendTime - world.now) { [weak self] in
        self?.handle(.appendFailed(token: token, isUnknown: false, detail: "simulated"))
      }
    }
    let breaks = world.isFaulty && world.random.oneIn(world.scenario.unknownAppends)
    let isBroken = producerIsBroken || breaks
    producerIsBroken = isBroken
    let landing = isBroken ? Int(world.random.pick(0...Int64(records.count))) : records.count
    let isLate = isBroken && world.random.oneIn(2)
    if isBroken {
      let what = landing == 0 ? "not landed" : landing == records.count ? "landed whole" : "landed in part"
      world.coverage.note("fault: unknown append, \(what)")
      if isLate, landing > 0 { world.coverage.note("fault: unknown append, landed late") }
    }
    // What the producer has sent lands even if the process dies meanwhile, or is lost with it.
    let life = life
    let isLostWithCrash = world.random.oneIn(2)
    let reported = appendTime - world.now + 1
    if isLate { appendTime += world.random.pick(0...120_000) }
    world.after(appendTime - world.now) { [process] in
      if isLostWithCrash, process.life != life || !process.isAlive { return }
      for record in records[..<landing] { world.ledgers[partition].append(record, at: world.brokerTime) }
    }
    process.after(reported) { [weak self] in
      self?.handle(
        isBroken ? .appendFailed(token: token, isUnknown: true, detail: "simulated") : .appended(token: token))
    }
  }
}
