import Billing
import Metering

/// Carries out a partition machine's actions against the world, late, and sometimes not at all.
final class PartitionHost {
  private unowned let process: SimulatedProcess
  private var world: World { process.world }
  let partition: Int
  private var machine: PartitionMachine
  private(set) var isClosed = false
  private var ledgerCursor: Int64 = 0
  private var ledgerEnd: Int64?
  private var ledgerReading = 0
  private var usageCursor: Int64?
  private var appendTime: Int64 = 0
  private var storageTime: Int64 = 0
  private var producerIsBroken = false

  init(process: SimulatedProcess, partition: Int) {
    self.process = process
    self.partition = partition
    let world = process.world
    var settings = PartitionSettings()
    settings.intervalMilliseconds = world.scenario.intervalMilliseconds
    settings.maxRows = world.scenario.maxRows
    settings.memoryLimit = world.scenario.memoryLimit
    settings.snapshotRecords = 40
    settings.commitRecords = 50
    let facts = PartitionFacts(
      clusterID: "cluster", topic: "usage", group: "meterd", partition: Int32(partition),
      partitionCount: Int32(world.scenario.partitions), instance: process.name, nonce: world.random.next(),
      fingerprintKey: world.random.bytes(16), incarnation: world.random.bytes(16), startOffset: 0, dedupFromOffset: 0,
      committed: world.committed[partition], local: process.disks[partition].state)
    machine = PartitionMachine(
      facts: facts, rules: world.rules, settings: settings, mapCustomer: { _, customer in customer })
  }

  func begin() {
    machine.begin(now: world.now)
    carryOut()
  }

  func close() {
    guard !isClosed else { return }
    machine.close()
    carryOut()
    isClosed = true
  }

  func handle(_ input: PartitionInput) {
    guard !isClosed else { return }
    machine.handle(input, now: world.now)
    carryOut()
  }

  var status: String { machine.phaseDescription }

  /// Happens later, unless this host is closed or its process dies first.
  private func later(_ most: Int64, _ run: @escaping () -> Void) {
    process.after(world.delay(most)) { [weak self] in
      guard let self, !isClosed else { return }
      run()
    }
  }

  private func carryOut() {
    for action in machine.drainActions() { carryOut(action) }
  }

  private func carryOut(_ action: PartitionAction) {
    switch action {
    case .readLedger(let from):
      ledgerCursor = from
      ledgerEnd = world.ledgers[partition].end
      ledgerReading += 1
      readLedger(ledgerReading)
    case .recallLedger(let from, let through):
      later(50) { [unowned self] in
        let entries = world.ledgers[partition].entries(from: from, limit: Int(through - from) + 1)
        handle(.recalled(entries, isEnd: true))
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
    case .storage(let command):
      // One queue, in order.
      storageTime = max(storageTime + 1, world.now + world.delay(50))
      process.after(storageTime - world.now) { [weak self] in
        guard let self, !isClosed else { return }
        store(command)
      }
    case .commitGroupOffset(let offset, let incarnation, let snapshot):
      let hint = CommittedHint(offset: offset, incarnation: incarnation, snapshotOffset: snapshot)
      later(500) { [unowned self] in world.committed[partition] = hint }
    case .deleteLedger: break
    case .sink(let name, let notice): process.sinks[name]?.take(notice, partition: Int32(partition))
    case .report(let event): world.trace?("\(world.now) \(process.name)/\(partition) \(event)")
    case .stopped(let reason):
      world.trace?("\(world.now) \(process.name)/\(partition) stopped \(reason)")
      world.stops.append(reason)
    case .ended(let reason):
      world.trace?("\(world.now) \(process.name)/\(partition) ended \(reason)")
      isClosed = true
      if reason == .closed { break }
      process.after(world.delay(3_000)) { [process, partition] in process.open(partition) }
    case .drained: break
    }
  }

  // MARK: Ledger

  private func readLedger(_ reading: Int) {
    if ledgerEnd == nil, ledgerCursor >= world.ledgers[partition].end {
      return world.ledgers[partition].waiting.append { [weak self] in self?.readLedger(reading) }
    }
    later(10) { [unowned self] in
      guard reading == ledgerReading else { return }
      let entries = world.ledgers[partition].entries(from: ledgerCursor, limit: Int(world.random.pick(1...30)))
      ledgerCursor += Int64(entries.count)
      if !entries.isEmpty { handle(.ledger(entries)) }
      if !isClosed, reading == ledgerReading, let end = ledgerEnd, ledgerCursor >= end {
        ledgerEnd = nil
        handle(.ledgerEnd)
      }
      if !isClosed, reading == ledgerReading { readLedger(reading) }
    }
  }

  /// Appends land in order. A broken producer's outcome is unknown: a prefix may still land, much later.
  private func append(_ records: [[UInt8]], token: UInt64) {
    let world = world
    let partition = partition
    appendTime = max(appendTime + 1, world.now + world.delay(30))
    let isBroken = producerIsBroken || (world.isFaulty && world.random.oneIn(400))
    let landing = isBroken ? Int(world.random.pick(0...Int64(records.count))) : records.count
    let isLate = isBroken && world.random.oneIn(2)
    producerIsBroken = isBroken
    // What the producer has sent lands even if the process dies meanwhile, or is lost with it.
    let life = process.life
    let isLostWithCrash = world.random.oneIn(2)
    world.after(appendTime - world.now + (isLate ? world.random.pick(0...120_000) : 0)) { [process] in
      if isLostWithCrash, process.life != life || !process.isAlive { return }
      for record in records[..<landing] { world.ledgers[partition].append(record, at: world.brokerTime) }
    }
    process.after(appendTime - world.now + 1) { [weak self] in
      guard let self, !isClosed else { return }
      handle(isBroken ? .appendFailed(token: token, isUnknown: true, detail: "simulated") : .appended(token: token))
    }
  }

  // MARK: Storage

  private func openStorage(_ plan: RecoveryPlan.Local) {
    switch plan {
    case .use: break
    case .cutBack: process.disks[partition].cutBack()
    case .rebuild: process.disks[partition] = SimulatedDisk()
    }
    let disk = process.disks[partition]
    machine.prepare(sealed: disk.segments)
    for bytes in disk.chunks {
      bytes.withUnsafeBytes { raw in
        do {
          try machine.restore(JournalChunkView(raw))
        } catch {
          let chunks = disk.chunks.map { "\(SimulatedDisk.range(of: $0))" }.joined(separator: " ")
          let detail = "\(plan): \(error) at \(SimulatedDisk.range(of: bytes)) of \(chunks)"
          world.stops.append(StopReason(.storageFailed, offset: 0, detail: detail))
        }
      }
    }
    handle(.storageOpened)
  }

  private func store(_ command: StorageCommand) {
    world.trace?("\(world.now) \(process.name)/\(partition) \(command.summary)")
    switch command {
    case .commit(let chunks, let state):
      process.disks[partition].commit(chunks, state)
      handle(.committed)
    case .seal(let segment):
      let sealed = SimulatedSegment(segment)
      process.disks[partition].segments.append(sealed)
      machine.sealed(sealed, now: world.now)
      carryOut()
    case .expire(let bucket): process.disks[partition].expire(below: bucket)
    }
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
      if views.isEmpty {
        return log.waiting.append { [weak self] in self?.later(200) { [weak self] in self?.readUsage() } }
      }
      // A hole at the end is known only when a record follows it.
      if !views.isEmpty {
        if hole > cursor { handle(.hole(from: cursor, to: hole, isVerified: true)) }
        var lastQuarantined: Int64?
        let taken = views.withUnsafeBufferPointer {
          machine.count($0, now: world.now) { record, _, _ in lastQuarantined = record.offset }
        }
        usageCursor = hole + Int64(taken)
        carryOut()
        if let lastQuarantined {
          later(200) { [unowned self] in handle(.quarantineAcknowledged(through: lastQuarantined + 1)) }
        }
      }
    }
    later(200) { [unowned self] in readUsage() }
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
