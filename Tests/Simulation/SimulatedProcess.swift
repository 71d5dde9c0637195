import Billing
import Metering

/// A process of meterd: its sinks, its partitions, its disk. It may be killed, stopped for a while and started again.
final class SimulatedProcess {
  let world: World
  let name: String
  var disks: [SimulatedDisk]
  /// Old copies of the disks, to be put back.
  var copies: [SimulatedDisk]
  private(set) var isAlive = false
  /// SIGSTOP: what would happen waits.
  private(set) var isPaused = false
  private var waiting: [() -> Void] = []
  /// Counts lives: what an earlier life has scheduled does not happen in a later one.
  private(set) var life = 0
  /// The life that ``restart(after:)`` is about to end.
  private var lifeToEnd: Int?
  var hosts: [Int: PartitionHost] = [:]
  var sinks: [String: SinkHost] = [:]
  /// The partitions that the group has given it …
  private var granted: Set<Int> = []
  /// … and those that it takes for its own.
  private(set) var assigned: Set<Int> = []
  /// The configuration that it was started with.
  private(set) var rules: BillingRules
  /// What its elapsed clock (CLOCK_BOOTTIME) counts from: no instant that it shares with anybody.
  private let bootedAt: Int64
  /// What befalls it next, at a place inside its work.
  var fault: PlannedFault?
  /// The next storage command fails: the disk is full.
  var isDiskFull = false

  init(world: World, name: String) {
    self.world = world
    self.name = name
    rules = world.rules
    bootedAt = world.now - world.random.pick(0...1_000_000_000)
    disks = Array(repeating: SimulatedDisk(), count: world.scenario.partitions)
    copies = disks
  }

  /// Elapsed milliseconds of its own clock.
  var elapsed: Int64 { world.now - bootedAt }

  /// Schedules something that only this life of the process can do.
  func after(_ delay: Int64, _ run: @escaping () -> Void) {
    let life = life
    world.after(delay) { [unowned self] in
      guard isAlive, self.life == life else { return }
      if isPaused { waiting.append(run) } else { run() }
    }
  }

  // MARK: Lives

  func start() {
    guard !isAlive else { return }
    world.trace?("\(world.now) \(name) starts")
    isAlive = true
    isPaused = false
    isDiskFull = false
    waiting = []
    life += 1
    hosts = [:]
    sinks = [:]
    rules = world.rules
    for sink in world.scenario.sinks {
      guard let rules = rules.sink(named: sink.name) else { continue }
      sinks[sink.name] = SinkHost(process: self, sink: sink, account: rules.account)
    }
    tick()
    assigned = granted
    for partition in assigned.sorted() { open(partition) }
  }

  func kill() {
    world.trace?("\(world.now) \(name) is killed")
    isAlive = false
    fault = nil
    hosts = [:]
    sinks = [:]
    waiting = []
  }

  func pause() {
    guard isAlive else { return }
    world.trace?("\(world.now) \(name) is stopped")
    isPaused = true
  }

  func resume() {
    guard isAlive, isPaused else { return }
    world.trace?("\(world.now) \(name) goes on")
    isPaused = false
    let runs = waiting
    waiting = []
    for run in runs {
      // It may be killed or stopped again on the way.
      if !isAlive { return }
      if isPaused { waiting.append(run) } else { run() }
    }
  }

  /// What goes on while the process is stopped waits for it, in order.
  func postpone(_ run: @escaping () -> Void) { waiting.append(run) }

  // MARK: Assignment

  /// The group's decision stands at once; the process hears of it when it can.
  func assign(_ partition: Int, after delay: Int64 = 1) {
    granted.insert(partition)
    after(delay) { [unowned self] in
      guard granted.contains(partition), assigned.insert(partition).inserted || hosts[partition] == nil else { return }
      open(partition)
    }
  }

  func revoke(_ partition: Int, after delay: Int64 = 1) {
    granted.remove(partition)
    after(delay) { [unowned self] in
      guard !granted.contains(partition) else { return }
      assigned.remove(partition)
      hosts[partition]?.close()
      hosts[partition] = nil
    }
  }

  func open(_ partition: Int) {
    guard isAlive, assigned.contains(partition) else { return }
    hosts[partition]?.close()
    let host = PartitionHost(process: self, partition: partition)
    hosts[partition] = host
    host.begin()
  }

  /// A partition of it has stopped: a person who reads why makes an end of the cause and starts the process again.
  func restart(after delay: Int64) {
    let life = life
    lifeToEnd = life
    world.after(delay) { [unowned self] in
      guard self.life == life else { return }
      kill()
      start()
    }
  }

  /// Whether somebody is about to start it again.
  var awaitsRestart: Bool { lifeToEnd == life }

  private func tick() {
    for partition in hosts.keys.sorted() { hosts[partition]?.handle(.tick) }
    for name in sinks.keys.sorted() { sinks[name]?.handle(.tick) }
    after(world.isIdle ? 600_000 : world.isFaulty ? 1_000 : 5_000) { [unowned self] in tick() }
  }
}

/// A place in the work of a process at which a fault can be planned: right before that is done.
enum FaultPlace: Equatable {
  /// Any action of a partition's machine.
  case partitionAction
  /// Any action of a sink's machine.
  case sinkAction
  case append
  case storage
  /// The SENDING was read back, and its sink is about to hear of it.
  case sendingStands
  /// The request is about to be handed over.
  case send
}

/// A crash or a stop that is to happen at the n-th time that a place is passed.
final class PlannedFault {
  enum Kind {
    case crash
    case pause(Int64)
  }

  enum Verdict { case goOn, hit }

  let kind: Kind
  let place: FaultPlace
  private var left: Int
  /// It is forgotten if its place is not come to for so many steps.
  private var steps = 0

  init(_ kind: Kind, at place: FaultPlace, times: Int) {
    self.kind = kind
    self.place = place
    left = times
  }

  var isForgotten: Bool { steps > 20_000 }
  func passStep() { steps += 1 }

  func pass(_ passed: FaultPlace, isAction: FaultPlace) -> Verdict {
    guard place == passed || place == isAction else { return .goOn }
    left -= 1
    return left <= 0 ? .hit : .goOn
  }
}

extension SimulatedProcess {
  /// Whether the work of `life` goes on with what is about to be done. Where the process is stopped right here, `rest` is
  /// what is done when it goes on.
  func passes(_ place: FaultPlace, of action: FaultPlace, life: Int, rest: @escaping () -> Void) -> Bool {
    guard isAlive, self.life == life else { return false }
    if let planned = fault, !isPaused, planned.pass(place, isAction: action) == .hit {
      fault = nil
      switch planned.kind {
      case .crash:
        world.coverage.note("fault: crash inside a step")
        world.trace?("\(world.now) \(name) crashes before \(place)")
        kill()
        world.after(world.random.pick(10...20_000)) { [self] in start() }
        return false
      case .pause(let length):
        world.coverage.note(
          place == .sendingStands
            ? "fault: stop between read-back and send"
            : place == .send ? "fault: stop before the first byte" : "fault: stop inside a step")
        world.trace?("\(world.now) \(name) stops before \(place) for \(length)")
        pause()
        world.after(length) { [self] in if self.life == life { resume() } }
      }
    }
    guard isPaused else { return true }
    postpone(rest)
    return false
  }
}
