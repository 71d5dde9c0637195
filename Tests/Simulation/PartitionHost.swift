import Billing
import Metering

/// Carries out a partition machine's actions against the world, late, and sometimes not at all.
final class PartitionHost {
  unowned let process: SimulatedProcess
  var world: World { process.world }
  let partition: Int
  let life: Int
  let nonce: UInt64
  var machine: PartitionMachine
  private(set) var isClosed = false
  private var ledgerCursor: Int64 = 0
  private var ledgerEnd: Int64?
  private var ledgerReading = 0
  private var usageCursor: Int64?
  private var appendTime: Int64 = 0
  private var producerIsBroken = false
  private var quarantineTime: Int64 = 0
  private var storageTime: Int64 = 0
  /// Commands on their way to the disk, in order.
  private var commands: [StorageCommand] = []
  private var cutsOfThisLife = 0

  init(process: SimulatedProcess, partition: Int) {
    self.process = process
    self.partition = partition
    life = process.life
    let world = process.world
    nonce = world.random.next()
    world.writers[nonce] = World.Writer(process: ObjectIdentifier(process), life: process.life)
    let beginning = world.beginning(of: partition)
    let facts = PartitionFacts(
      clusterID: "cluster", topic: "usage", group: "meterd", partition: Int32(partition),
      partitionCount: Int32(world.scenario.partitions), instance: process.name, nonce: nonce,
      fingerprintKey: world.random.bytes(16), incarnation: world.random.bytes(16), startOffset: beginning.start,
      dedupFromOffset: beginning.dedupFrom, committed: world.committed[partition],
      local: process.disks[partition].summary)
    machine = PartitionMachine(
      facts: facts, rules: process.rules, settings: world.scenario.settings, mapCustomer: { _, customer in customer })
  }

  func begin() {
    machine.begin(now: process.elapsed)
    carryOut()
  }

  /// As the daemon closes a worker: what was commanded to the disk is waited for.
  func close() {
    guard !isClosed else { return }
    machine.close()
    carryOut()
    end()
  }

  private func end() {
    isClosed = true
    for command in commands { write(command) }
    commands = []
  }

  func handle(_ input: PartitionInput) {
    guard !isClosed else { return }
    machine.handle(input, now: process.elapsed)
    carryOut()
  }

  var status: String { machine.phaseDescription }

  /// Happens later, unless this host is closed or its process dies first.
  func later(_ most: Int64, _ run: @escaping () -> Void) {
    process.after(world.delay(most)) { [weak self] in
      guard let self, !isClosed else { return }
      run()
    }
  }

  func trace(_ what: @autoclosure () -> String) {
    world.trace?("\(world.now) \(process.name)/\(partition) \(what())")
  }

  // MARK: Actions

  private func carryOut() { carryOut(machine.drainActions()[...]) }

  private func carryOut(_ actions: ArraySlice<PartitionAction>) {
    for index in actions.indices {
      if isClosed { return }
      let action = actions[index]
      guard world.countAction("\(action)") else { return }
      let passes = process.passes(action.place, of: .partitionAction, life: life) { [weak self] in
        self?.carryOut(actions[index...])
      }
      guard passes else { return }
      carryOut(action)
    }
  }

  private func carryOut(_ action: PartitionAction) {
    switch action {
    case .readLedger(let from):
      let log = world.ledgers[partition]
      ledgerCursor = max(from, log.low)
      if from > 0, log.low == 0 || from >= log.low { world.coverage.note("recovery: from a snapshot") }
      if from < log.low { world.coverage.note("recovery: the ledger's beginning is deleted") }
      ledgerEnd = log.end
      ledgerReading += 1
      readLedger(ledgerReading)
    case .recallLedger(let from, let through):
      later(50) { [unowned self] in
        handle(
          .recalled(Array(world.ledgers[partition].entries(from: from, limit: Int(through - from) + 1)), isEnd: true))
      }
    case .append(let records, let token): append(records, token: token)
    case .inspectLog(let verify):
      later(20) { [unowned self] in
        let log = world.usage[partition]
        let record = verify.flatMap { log.records[Int($0)]?.view }
        handle(.logInspected(start: 0, end: log.end, digest: record.map { Digest(ofKey: $0.key, value: $0.value) }))
      }
    case .openStorage(let plan): later(20) { [unowned self] in openStorage(plan) }
    case .replay(let from, let to): later(20) { [unowned self] in replay(from, to) }
    case .startReading(let from):
      usageCursor = from
      later(20) { [unowned self] in readUsage() }
    case .stopReading: usageCursor = nil
    case .storage(let command): enqueue(command)
    case .commitGroupOffset(let offset, let incarnation, let snapshot):
      let hint = CommittedHint(offset: offset, incarnation: incarnation, snapshotOffset: snapshot)
      later(500) { [unowned self] in world.committed[partition] = hint }
    case .deleteLedger(let below):
      world.coverage.note("ledger: deleted below a snapshot")
      world.ledgers[partition].delete(below: below)
    case .sink(let name, let notice): process.sinks[name]?.take(notice, partition: Int32(partition))
    case .report(let event): report(event)
    case .stopped(let reason):
      trace("stopped \(reason)")
      world.stopped(reason, process: process, partition: partition)
    case .ended(let reason): ended(reason)
    case .drained: break
    }
  }

  private func ended(_ reason: EndReason) {
    trace("ended \(reason)")
    world.coverage.note("end: \(reason)")
    end()
    if reason == .closed { return }
    // Of two that are assigned the same partition one is about to learn that it is not: no duel meanwhile.
    process.after(reason == .otherOwner ? world.random.pick(1_000...10_000) : 100) { [process, partition] in
      process.open(partition)
    }
  }

  private func report(_ event: PartitionEvent) {
    trace("\(event)")
    let coverage: String
    switch event {
    case .recovering(let plan): return note(plan)
    case .cut:
      cutsOfThisLife += 1
      guard cutsOfThisLife > 1 else { return }
      coverage = "warm: later cut of one life"
    case .timestampsCapped: coverage = "timestamp: capped"
    default: return
    }
    world.coverage.note(coverage)
  }

  private func note(_ plan: RecoveryPlan) {
    let disk = process.disks[partition]
    switch plan.local {
    case .use:
      world.coverage.note("recovery: restored as it stands")
      if let state = disk.summary, state.nextOffset > state.headOffset {
        world.coverage.note("recovery: restored with open events")
      }
    case .cutBack: world.coverage.note(plan.replay.isEmpty ? "recovery: cut back" : "recovery: cut back and replayed")
    case .rebuild:
      world.coverage.note(plan.replay.isEmpty ? "recovery: founded" : "recovery: rebuilt")
      if let state = disk.summary, state.bucketMilliseconds != process.rules.counting.bucketMilliseconds {
        world.coverage.note("recovery: rebuilt for a changed window")
      }
    }
    if plan.local != .rebuild, !disk.segments.isEmpty { world.coverage.note("recovery: sealed segments") }
  }

  // MARK: Ledger

  private func readLedger(_ reading: Int) {
    if ledgerEnd == nil, ledgerCursor >= world.ledgers[partition].end {
      return world.ledgers[partition].waiting.append { [weak self] in self?.readLedger(reading) }
    }
    later(10) { [unowned self] in
      guard reading == ledgerReading else { return }
      let log = world.ledgers[partition]
      if ledgerCursor < log.low {
        // Another owner has deleted it meanwhile.
        let detail = "record \(ledgerCursor) is missing: the next one is \(log.low)"
        return handle(.failed(StopReason(.ledgerChanged, offset: ledgerCursor, detail: detail)))
      }
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
  private func append(_ records: [[UInt8]], token: UInt64) {
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

  // MARK: Storage

  private func openStorage(_ plan: RecoveryPlan.Local) {
    switch plan {
    case .use: break
    case .cutBack: if let wrong = process.disks[partition].cutBack() { world.fail(wrong) }
    case .rebuild: process.disks[partition] = SimulatedDisk()
    }
    let disk = process.disks[partition]
    machine.prepare(sealed: disk.segments)
    for chunk in disk.chunks {
      chunk.bytes.withUnsafeBytes { raw in
        do {
          try machine.restore(JournalChunkView(raw))
        } catch {
          let chunks = disk.chunks.map { "[\($0.from), \($0.to))" }.joined(separator: " ")
          world.fail("\(plan): \(error) at [\(chunk.from), \(chunk.to)) of \(chunks)")
        }
      }
    }
    if plan == .use, machine.hasFrozenRange { world.coverage.note("recovery: restored with a frozen range") }
    handle(.storageOpened)
  }

  /// One queue, in order.
  private func enqueue(_ command: StorageCommand) {
    commands.append(command)
    storageTime = max(storageTime + 1, world.now + world.delay(50))
    process.after(storageTime - world.now) { [weak self] in
      guard let self, !isClosed, !commands.isEmpty else { return }
      let command = commands.removeFirst()
      if process.isDiskFull {
        process.isDiskFull = false
        world.coverage.note("fault: disk full")
        commands = []
        return handle(.storageFailed(detail: "simulated"))
      }
      let sealed = write(command)
      switch command {
      case .commit: handle(.committed)
      case .seal:
        guard let sealed else { return }
        machine.sealed(sealed, now: process.elapsed)
        carryOut()
      case .expire: break
      }
    }
  }

  @discardableResult private func write(_ command: StorageCommand) -> SimulatedSegment? {
    trace(command.summary)
    switch command {
    case .commit(let chunks, let state):
      if let wrong = process.disks[partition].commit(chunks, state) { world.fail(wrong) }
    case .seal(let segment):
      let sealed = SimulatedSegment(segment)
      if let wrong = process.disks[partition].add(sealed) { world.fail(wrong) }
      return sealed
    case .expire(let bucket): process.disks[partition].expire(below: bucket)
    }
    return nil
  }

  // MARK: Usage

  private func replay(_ from: Int64, _ to: Int64) {
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

  private func readUsage() {
    guard let cursor = usageCursor else { return }
    if machine.isCounting {
      let log = world.usage[partition]
      let (hole, views) = log.batch(from: cursor, below: log.end, limit: Int(world.random.pick(1...40)))
      // A hole at the end is known only when a record follows it.
      if views.isEmpty {
        return log.waiting.append { [weak self] in self?.later(200) { [weak self] in self?.readUsage() } }
      }
      if hole > cursor { handle(.hole(from: cursor, to: hole, isVerified: true)) }
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

extension PartitionAction {
  fileprivate var place: FaultPlace {
    switch self {
    case .append: .append
    case .storage: .storage
    case .sink(_, .sendingStands): .sendingStands
    default: .partitionAction
    }
  }
}

extension StorageCommand {
  var summary: String {
    switch self {
    case .commit(let chunks, let state):
      let ranges = chunks.map { "[\($0.from), \($0.to)) \($0.sightings)" }.joined(separator: " ")
      return "commit \(ranges) head \(state.headOffset) next \(state.nextOffset)"
    case .seal(let segment):
      return "seal bucket \(segment.bucket) keys \(segment.count) through \(segment.throughOffset)"
    case .expire(let below): return "expire below \(below)"
    }
  }
}
