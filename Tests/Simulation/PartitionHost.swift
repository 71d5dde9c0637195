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
  var ledgerCursor: Int64 = 0
  var ledgerEnd: Int64?
  var ledgerReading = 0
  var usageCursor: Int64?
  /// Where the usage partition began when it was inspected.
  var inspectedLow: Int64 = 0
  /// Elusive records that this reader has come to, and those of them that it passes over.
  var met: Set<Int64> = []
  var missed: Set<Int64> = []
  var appendTime: Int64 = 0
  var producerIsBroken = false
  var quarantineTime: Int64 = 0
  var storageTime: Int64 = 0
  /// Commands on their way to the disk, in order.
  var commands: [StorageCommand] = []
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

  func end() {
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

  func carryOut() { carryOut(machine.drainActions()[...]) }

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
        let retained = verify.flatMap { log.low <= $0 && $0 < log.end ? $0 : nil }
        let record = retained.flatMap { log.records[Int($0)]?.view }
        inspectedLow = log.low
        handle(
          .logInspected(start: log.low, end: log.end, digest: record.map { Digest(ofKey: $0.key, value: $0.value) }))
      }
    case .openStorage(let plan): later(20) { [unowned self] in openStorage(plan) }
    case .replay(let from, let to): later(20) { [unowned self] in replay(from, to) }
    case .startReading(let from):
      if world.isRecreated { world.fail("partition \(partition): a re-created topic is counted") }
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

  /// What was read is gone, or reading failed otherwise: begins again from what is durable.
  func startOver() {
    guard !isClosed else { return }
    trace("starts over")
    close()
    process.after(500) { [process, partition] in process.open(partition) }
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
    case .settlingOnly: coverage = "recovery: settling only"
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
