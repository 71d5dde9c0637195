import Billing
import Metering

/// What a run found wrong, with the command that shows it again.
struct SimulationFailure: Error, CustomStringConvertible {
  var seed: UInt64
  var what: String

  var description: String {
    """
    seed \(seed): \(what)
      replay: METERD_SIM_SEED=\(seed) METERD_SIM_TRACE=1 swift test -c release -Xswiftc -enable-testing --filter SimulationTests.replay
    """
  }
}

/// One history: producers, faults, people, and then rest, judged by the oracle.
struct Run {
  let world: World
  var random: SimulationRandom
  private var person: Person
  /// The chance of what befalls the usage topic.
  var topicRandom: SimulationRandom

  init(seed: UInt64, trace: ((String) -> Void)? = nil) {
    world = World(Scenario(seed: seed))
    world.trace = trace
    trace?("\(world.scenario)")
    random = SimulationRandom(seed: seed ^ 0xfa17)
    topicRandom = SimulationRandom(seed: seed ^ 0x70b1c0)
    person = Person(world: world)
    world.processes = [SimulatedProcess(world: world, name: "a"), SimulatedProcess(world: world, name: "b")]
  }

  mutating func run() throws(SimulationFailure) {
    begin()
    var left = world.scenario.records
    while left > 0, world.failure == nil {
      let count = min(left, Int(random.pick(1...40)))
      world.produce(count)
      left -= count
      disturb()
      disturbTopic()
      world.run(until: world.now + random.pick(500...40_000))
      if world.scenario.hasPerson { person.lookAfterRows(every: false) }
    }
    rest()
    traceRecords()
    if world.failure == nil { Judge(world: world).judge() }
    world.finish()
    if let what = world.failure { throw SimulationFailure(seed: world.scenario.seed, what: what) }
  }

  private mutating func begin() {
    // The system before us: its records may be sightings, or none of our business.
    for _ in 0..<world.scenario.recordsBefore {
      world.produce(1)
      world.run(until: world.now + random.pick(1_000...600_000))
      if world.scenario.start == .instant, world.cutOver == 0, random.oneIn(20) { world.cutOver = world.now }
    }
    if world.cutOver == 0 { world.cutOver = world.now + random.pick(-3_600_000...60_000) }
    for process in world.processes { process.start() }
    moveEverything(to: world.processes[0], isTold: true)
  }

  private func traceRecords() {
    guard let trace = world.trace else { return }
    for (partition, log) in world.usage.enumerated() {
      for (offset, record) in log.records.enumerated() {
        guard let view = record?.view else { continue }
        trace(
          "record \(partition)/\(offset) at \(view.timestampMilliseconds) \(String(decoding: view.value, as: UTF8.self))"
        )
      }
    }
  }

  // MARK: Rest

  /// No more faults: one owner for each partition, providers up, until everything is billed.
  private mutating func rest() {
    world.isFaulty = false
    world.outages = []
    for provider in world.providers.values { provider.refused = [] }
    for process in world.processes {
      process.fault = nil
      process.isDiskFull = false
      process.resume()
      process.start()
    }
    moveEverything(to: world.processes[0], isTold: true)
    // What a reader has passed over at the very end it sees now.
    for log in world.usage { log.tell() }
    var turns = 0
    while world.failure == nil, turns < 120 {
      turns += 1
      // Rows whose time has not come at their provider wait for hours.
      world.isIdle = turns > 60
      world.run(until: world.now + (world.isIdle ? 600_000 : 30_000))
      world.outages = []
      // What the group had promised somebody else before is void now.
      if turns % 4 == 1 { moveEverything(to: world.processes[0], isTold: true) }
      if world.scenario.hasPerson { person.lookAfterRows(every: true) }
      guard isAtRest else { continue }
      // What providers still work on, and a process that has just been started with another configuration.
      world.run(until: world.now + 30_000)
      if isAtRest { return }
    }
  }

  /// A process that is about to be started with another configuration may find new work.
  private var isAtRest: Bool {
    world.watches.allSatisfy(\.isAtRest) && !world.processes.contains(where: \.awaitsRestart)
      && (!world.scenario.hasPerson || world.watches.allSatisfy(\.resting.isEmpty))
  }

  /// The group moves everything to `process`. Those that lose it are told, unless they cannot hear.
  func moveEverything(to process: SimulatedProcess, isTold: Bool) {
    for partition in 0..<world.scenario.partitions { move(partition, to: process, isTold: isTold) }
  }

  func move(_ partition: Int, to process: SimulatedProcess, isTold: Bool) {
    for other in world.processes where other !== process {
      other.revoke(partition, after: isTold ? 1 : world.random.pick(1_000...15_000))
    }
    process.assign(partition, after: isTold ? 2 : world.random.pick(1...500))
  }
}
