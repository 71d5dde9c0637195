import Billing
import Metering

/// Virtual time, the logs, the providers, and the processes that live and die among them.
final class World {
  let scenario: Scenario
  var random: SimulationRandom
  private(set) var now: Int64 = 1_760_000_000_000
  private var queue = EventQueue()
  /// The usage partitions as they are now.
  var usage: [UsageLog]
  /// The usage partitions that are counted, while others stand in their place.
  var counted: [UsageLog]?
  let ledgers: [LedgerLog]
  /// What the group has committed, by partition.
  var committed: [CommittedHint?]
  let providers: [String: SimulatedProvider]
  var processes: [SimulatedProcess] = []
  /// What the configuration file says now: a process reads it when it starts.
  var rules: BillingRules
  /// Sinks that have been in the configuration.
  var wasConfigured: Set<String>
  /// Faults are on until the run is brought to rest.
  var isFaulty = true
  var outages: Set<String> = []
  /// Nothing happens for hours: everybody looks at the clock less often.
  var isIdle = false
  /// Which life of which process a nonce belongs to, and how far the ledger was handed to its machine.
  var writers: [UInt64: Writer] = [:]
  var coverage = Coverage()
  /// The first thing that was found wrong.
  private(set) var failure: String?
  var generators: [Generator]
  private(set) var steps = 0
  private var actions = 0
  var trace: ((String) -> Void)?

  struct Writer {
    var process: ObjectIdentifier
    var life: Int
    var readThrough: Int64 = -1
    /// Where the index of that machine begins, where a person has accepted that no more is retained.
    var retainedFrom = Int64.min
  }

  init(_ scenario: Scenario) {
    self.scenario = scenario
    random = SimulationRandom(seed: scenario.seed)
    usage = (0..<scenario.partitions).map { _ in UsageLog() }
    ledgers = (0..<scenario.partitions).map { _ in LedgerLog() }
    committed = Array(repeating: nil, count: scenario.partitions)
    generators = Array(repeating: Generator(), count: scenario.partitions)
    providers = Dictionary(uniqueKeysWithValues: scenario.sinks.map { ($0.name, SimulatedProvider($0)) })
    rules = scenario.rules
    wasConfigured = Set(scenario.rules.sinks.map(\.name))
    for partition in 0..<scenario.partitions {
      ledgers[partition].watch = LedgerWatch(world: self, partition: partition)
    }
    coverage.note("start: \(scenario.start)")
    if scenario.partitions > 1 { coverage.note("partitions: several") }
  }

  var watches: [LedgerWatch] { ledgers.compactMap(\.watch) }

  /// Lets go of everything that is still to come: it holds on to the world.
  func finish() {
    queue = EventQueue()
    for process in processes { process.kill() }
    processes = []
    for log in usage { log.waiting = [] }
    for log in ledgers {
      log.waiting = []
      log.watch = nil
    }
  }

  // MARK: Limits

  /// A run that has not come to rest by then never will.
  private static let stepLimit = 1_000_000
  /// No single event leads to so many actions, unless it leads to them for ever.
  private static let actionLimit = 50_000

  func fail(_ what: String) {
    if failure == nil {
      failure = what
      trace?("\(now) FAILED \(what)")
    }
  }

  /// Counts an action of the present event; false where there have been too many.
  func countAction(_ what: @autoclosure () -> String) -> Bool {
    actions += 1
    if actions > Self.actionLimit {
      fail("one event led to more than \(Self.actionLimit) actions, the last one \(what())")
      return false
    }
    return failure == nil
  }

  // MARK: Time

  func after(_ delay: Int64, _ run: @escaping () -> Void) { queue.schedule(at: now + max(0, delay), run) }

  /// Runs what is due until `time`.
  func run(until time: Int64) {
    while failure == nil, let next = queue.nextTime, next <= time, let event = queue.pop() {
      now = max(now, event.time)
      steps += 1
      actions = 0
      if steps > Self.stepLimit { return fail("no rest after \(Self.stepLimit) steps") }
      for process in processes { process.fault?.passStep() }
      event.run()
    }
    now = max(now, time)
  }

  /// The broker's clock: within two seconds of the truth, sometimes back.
  var brokerTime: Int64 { now + random.pick(-2_000...2_000) }

  func delay(_ most: Int64) -> Int64 { random.pick(1...most) }

  /// The instant of `kafka.start`.
  var cutOver: Int64 = 0
}
