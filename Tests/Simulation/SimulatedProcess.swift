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
  var hosts: [Int: PartitionHost] = [:]
  var sinks: [String: SinkHost] = [:]
  var assigned: Set<Int> = []

  init(world: World, name: String) {
    self.world = world
    self.name = name
    disks = Array(repeating: SimulatedDisk(), count: world.scenario.partitions)
    copies = disks
  }

  /// Schedules something that only this life of the process can do.
  func after(_ delay: Int64, _ run: @escaping () -> Void) {
    let life = life
    world.after(delay) { [unowned self] in
      guard isAlive, self.life == life else { return }
      if isPaused { waiting.append(run) } else { run() }
    }
  }

  func start() {
    guard !isAlive else { return }
    isAlive = true
    isPaused = false
    waiting = []
    life += 1
    hosts = [:]
    sinks = [:]
    for sink in world.scenario.sinks { sinks[sink.name] = SinkHost(process: self, sink: sink) }
    tick()
    for partition in assigned { open(partition) }
  }

  func kill() {
    isAlive = false
    hosts = [:]
    sinks = [:]
    waiting = []
  }

  func pause() { isPaused = true }

  func resume() {
    guard isAlive, isPaused else { return }
    isPaused = false
    let runs = waiting
    waiting = []
    for run in runs { run() }
  }

  func assign(_ partition: Int) {
    assigned.insert(partition)
    if isAlive { after(1) { [unowned self] in open(partition) } }
  }

  func assignIfIdle(_ partition: Int) {
    if !assigned.contains(partition) { assign(partition) }
  }

  /// A revoke, or what a paused process finds out when it wakes.
  func revoke(_ partition: Int) {
    assigned.remove(partition)
    if isAlive {
      after(1) { [unowned self] in
        hosts[partition]?.close()
        hosts[partition] = nil
      }
    }
  }

  func open(_ partition: Int) {
    guard isAlive, assigned.contains(partition) else { return }
    hosts[partition]?.close()
    let host = PartitionHost(process: self, partition: partition)
    hosts[partition] = host
    host.begin()
  }

  private func tick() {
    for partition in hosts.keys.sorted() { hosts[partition]?.handle(.tick) }
    for name in sinks.keys.sorted() { sinks[name]?.handle(.tick) }
    after(world.isIdle ? 600_000 : 1_000) { [unowned self] in tick() }
  }
}
