import Metering

// The usage topic, and the quarantine topic.
extension PartitionHost {
  func replay(_ from: Int64, _ to: Int64) {
    guard from >= world.usage[partition].low else { return startOver() }
    var next = from
    while next < to, machine.isReplaying {
      let (hole, views) = world.usage[partition].batch(from: next, below: to, limit: 50)
      next = hole
      let taken = views.withUnsafeBufferPointer { machine.replay($0) }
      carryOut()
      if isClosed { return }
      next += Int64(taken)
      if taken == 0, !views.isEmpty { break }
    }
    if next < to {
      later(20) { [unowned self] in replay(next, to) }
    } else {
      handle(.replayed(through: to))
    }
  }

  func readUsage() {
    guard let cursor = usageCursor else { return }
    if machine.isCounting {
      let log = world.usage[partition]
      guard cursor >= log.low else { return startOver() }
      meetElusive(log, from: cursor)
      let (hole, views) = log.batch(
        from: cursor, below: log.end, limit: Int(world.random.pick(1...40)), missed: world.isFaulty ? missed : [])
      // A hole at the end is known only when a record follows it.
      if views.isEmpty {
        handle(.reachedEnd)
        guard !isClosed, usageCursor != nil else { return }
        return log.waiting.append { [weak self] in self?.later(200) { [weak self] in self?.readUsage() } }
      }
      if hole > cursor { pass(from: cursor, to: hole) }
      guard !isClosed, usageCursor != nil else { return }
      var quarantined: [Int64] = []
      let taken = views.withUnsafeBufferPointer {
        machine.count($0, now: process.elapsed) { record, _, _ in quarantined.append(record.offset) }
      }
      usageCursor = hole + Int64(taken)
      carryOut()
      if !quarantined.isEmpty { quarantine(quarantined) }
    }
    later(200) { [unowned self] in readUsage() }
  }

  /// Decides which records this reader passes over.
  private func meetElusive(_ log: UsageLog, from cursor: Int64) {
    for offset in log.elusive.sorted() where offset >= cursor && met.insert(offset).inserted && world.random.oneIn(2) {
      missed.insert(offset)
    }
  }

  /// Whoever looks at a hole a second time finds what is in it.
  private func pass(from: Int64, to: Int64) {
    var from = from
    while let found = (from..<to).first(where: missed.contains) {
      handle(.recordInHole(offset: found, from: from, to: to))
      guard !isClosed, usageCursor != nil else { return }
      world.coverage.note("record: passed over as accepted")
      from = found + 1
    }
    if from < to { handle(.hole(from: from, to: to, isVerified: true)) }
  }

  /// The quarantine topic takes them in a moment, and says so; both in order.
  private func quarantine(_ offsets: [Int64]) {
    let log = world.usage[partition]
    quarantineTime = max(quarantineTime + 1, world.now + world.delay(200))
    process.after(quarantineTime - world.now) { [weak self] in
      log.quarantined.formUnion(offsets)
      self?.handle(.quarantineAcknowledged(through: (offsets.last ?? 0) + 1))
    }
  }
}
