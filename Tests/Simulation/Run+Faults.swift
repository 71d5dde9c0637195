import Billing
import Metering

/// What goes wrong.
extension Run {
  mutating func disturb() {
    let process = random.pick(world.processes)
    let other = world.processes.first { $0 !== process } ?? process
    switch random.pick(0...19) {
    case 0: crash(process, "crash between two steps")
    case 1, 2, 3: plan(process)
    case 4:
      world.coverage.note("fault: take-over")
      if random.oneIn(2) {
        moveEverything(to: process, isTold: true)
      } else {
        move(Int(random.pick(0...Int64(world.scenario.partitions - 1))), to: process, isTold: true)
      }
    case 5: stop(process, other)
    case 6:
      // Two live owners: neither knows of the other but through the ledger, until the group tells one of them.
      world.coverage.note("fault: two live owners")
      for partition in 0..<world.scenario.partitions {
        process.assign(partition)
        other.assign(partition)
      }
      let (winner, loser) = random.oneIn(2) ? (process, other) : (other, process)
      let partitions = world.scenario.partitions
      world.after(random.pick(1_000...60_000)) {
        for partition in 0..<partitions {
          loser.revoke(partition)
          winner.assign(partition)
        }
      }
    case 7: process.copies = process.disks
    case 8:
      let old = process.copies
      crash(process, "crash, old disk", disks: old)
    case 9: crash(process, "crash, disk lost", disks: process.disks.map { _ in SimulatedDisk() })
    case 10: outage()
    case 11: refuse()
    case 12: process.isDiskFull = random.oneIn(3)
    case 13: if world.scenario.hasIdleDays, random.oneIn(2) { idle(random.pick(3_600_000...300_000_000)) }
    case 14, 15: if world.scenario.hasConfigurationChanges { changeConfiguration() }
    case 16:
      guard random.oneIn(3) else { return }
      world.coverage.note("fault: committed offset lost")
      for partition in 0..<world.scenario.partitions { world.committed[partition] = nil }
    default: break
    }
  }

  private func crash(_ process: SimulatedProcess, _ name: String, disks: [SimulatedDisk]? = nil) {
    world.coverage.note("fault: \(name)")
    process.kill()
    if let disks { process.disks = disks }
    world.after(world.random.pick(10...20_000)) { process.start() }
  }

  /// A crash or a stop in the middle of what is being done, at the n-th time that a place is passed.
  private mutating func plan(_ process: SimulatedProcess) {
    guard process.fault == nil || process.fault?.isForgotten == true else { return }
    if random.oneIn(2) {
      let place = random.pick([FaultPlace.partitionAction, .sinkAction, .append, .storage, .sendingStands, .send])
      process.fault = PlannedFault(.crash, at: place, times: Int(random.pick(1...30)))
    } else {
      let place = random.pick([FaultPlace.sendingStands, .send, .append, .partitionAction])
      let length = random.oneIn(2) ? random.pick(1_000...70_000) : random.pick(60_000...400_000)
      process.fault = PlannedFault(.pause(length), at: place, times: Int(random.pick(1...10)))
      // Whoever is stopped for long loses its partitions.
      guard random.oneIn(2), let other = world.processes.first(where: { $0 !== process }) else { return }
      let run = self
      world.after(random.pick(5_000...60_000)) {
        if process.isPaused { run.moveEverything(to: other, isTold: false) }
      }
    }
  }

  /// A stop between two steps; the other one may take over.
  private mutating func stop(_ process: SimulatedProcess, _ other: SimulatedProcess) {
    process.pause()
    if random.oneIn(2) { moveEverything(to: other, isTold: false) }
    let isLong = random.oneIn(8)
    world.coverage.note(isLong ? "fault: long stop" : "fault: stop")
    let length = isLong ? random.pick(3_600_000...100_000_000) : random.pick(1_000...200_000)
    world.after(length) { process.resume() }
    if isLong { idle(length) }
  }

  private mutating func outage() {
    world.coverage.note("fault: outage")
    let sink = random.pick(world.scenario.sinks).name
    world.outages.insert(sink)
    let world = world
    world.after(random.pick(1_000...400_000)) { world.outages.remove(sink) }
  }

  private mutating func refuse() {
    world.coverage.note("fault: provider refuses rows")
    guard let provider = world.providers[random.pick(world.scenario.sinks).name] else { return }
    provider.refused.insert("c\(random.pick(1...4))")
    world.after(random.pick(10_000...200_000)) { provider.refused = [] }
  }

  private func idle(_ length: Int64) {
    world.coverage.note("fault: idle days")
    world.isIdle = true
    world.run(until: world.now + length)
    world.isIdle = false
  }

  // MARK: The usage topic

  mutating func disturbTopic() {
    if world.scenario.hasRetention, topicRandom.oneIn(4) { retain() }
    if world.scenario.hasOldStart, topicRandom.oneIn(6) { addOldStart() }
    if world.scenario.hasRecreation, topicRandom.oneIn(12), world.recreateTopic() {
      world.run(until: world.now + topicRandom.pick(1_000...200_000))
      world.restoreTopic()
    }
  }

  /// Old records go, and sometimes some that were not counted yet.
  private mutating func retain() {
    let partition = Int(topicRandom.pick(0...Int64(world.scenario.partitions - 1)))
    let log = world.usage[partition]
    // Until the first cut nobody has stated the clock: what is gone by then can't be judged.
    guard let present = world.watches[partition].fold.head, present.cutNumber > 0 else { return }
    let head = max(log.low, present.offset)
    let isTooEarly = topicRandom.oneIn(4)
    world.coverage.note(isTooEarly ? "fault: retention too short" : "fault: retention")
    log.delete(below: isTooEarly ? topicRandom.pick(head...max(head, log.end)) : topicRandom.pick(log.low...head))
    world.trace?("\(world.now) partition \(partition) begins at \(log.low)")
  }

  /// A sink that wants what the others have long claimed.
  private mutating func addOldStart() {
    guard var added = world.scenario.sinks.first(where: \.startsLate)?.rules,
      world.rules.sink(named: added.name) == nil, !world.wasConfigured.contains(added.name)
    else { return }
    note("sink added")
    added.start = .earliest
    world.rules.version += 1
    world.rules.sinks.append(added)
    world.wasConfigured.insert(added.name)
    restartEverything()
  }

  // MARK: Configuration

  private mutating func changeConfiguration() {
    world.rules.version += 1
    if random.oneIn(3), let retired = world.rules.sinks.firstIndex(where: \.isRetired) {
      note("sink returned")
      world.rules.sinks[retired].isRetired = false
    }
    switch random.pick(0...9) {
    case 0, 1:
      let former = world.rules.counting.windowMilliseconds
      let window = random.pick([3_600_000, 6 * 3_600_000, 86_400_000] as [Int64])
      if window != former { note("window \(window > former ? "longer" : "shorter")") }
      world.rules.counting.windowMilliseconds = window
    case 2:
      note("time slot")
      world.rules.counting.timeSlotMilliseconds = random.pick([60_000, 3_600_000])
    case 3:
      note("limits of event time")
      world.rules.counting.maxAgeMilliseconds = random.pick([3_600_000, 35 * 86_400_000])
    case 4:
      note("aggregate")
      world.rules.counting.features["tokens", default: FeatureRule()].aggregate = random.pick([.sum, .count])
    case 5:
      note("dimensions")
      world.rules.counting.features["calls"] = FeatureRule(
        dimensions: random.pick([[], ["region"], ["region", "tier"], ["tier"]]))
    case 6: retire()
    case 7: addSink()
    case 8:
      // Somebody forgets to raise the version.
      note("without version")
      world.rules.version -= 1
      world.rules.counting.maxAheadMilliseconds += 1_000
    default: removeSinkOrChangeAccount()
    }
    restartEverything()
  }

  /// A new configuration is a restart of every process, one after the other or all at once.
  private mutating func restartEverything() {
    for process in world.processes {
      if random.oneIn(3) {
        process.restart(after: random.pick(1...60_000))
      } else {
        process.kill()
        process.start()
      }
    }
  }

  private func note(_ what: String) { world.coverage.note("configuration: \(what)") }

  private mutating func retire() {
    guard !world.rules.sinks.isEmpty else { return }
    note("sink retired")
    world.rules.sinks[Int(random.pick(0...Int64(world.rules.sinks.count - 1)))].isRetired = true
  }

  private mutating func addSink() {
    for sink in world.scenario.sinks where world.rules.sink(named: sink.name) == nil {
      note("sink added")
      var rules = sink.rules
      if sink.startsLate {
        rules.start = random.pick([.present, .earliest, .instant(world.now - random.pick(0...600_000))])
      }
      world.rules.sinks.append(rules)
      world.wasConfigured.insert(sink.name)
    }
  }

  private mutating func removeSinkOrChangeAccount() {
    guard !world.rules.sinks.isEmpty else { return }
    let index = Int(random.pick(0...Int64(world.rules.sinks.count - 1)))
    if random.oneIn(2) {
      note("sink vanished")
      world.rules.sinks.remove(at: index)
    } else {
      world.coverage.note("fault: account changed")
      let account = "account-\(world.rules.version)"
      world.rules.sinks[index].account = account
      // Its credentials are those of another account from now on.
      for process in world.processes where process.isAlive && !process.isPaused {
        process.sinks[world.rules.sinks[index].name]?.handle(.accountKnown(account))
      }
    }
  }
}
