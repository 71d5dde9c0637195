import Billing
import Metering

/// What one run is made of. All of it follows from the seed.
struct Scenario {
  var seed: UInt64
  var isFaulty = true
  var partitions = 1
  var windowMilliseconds: Int64
  var memoryLimit: Int
  var maxRows: Int
  var intervalMilliseconds: Int64
  var records: Int
  /// Sinks: an exact idempotent one, one for whole numbers, one that is not idempotent.
  var sinks: [SimulatedSink]
  var hasConfigurationChange: Bool
  var hasIdleDays: Bool

  init(seed: UInt64) {
    var random = SimulationRandom(seed: seed ^ 0x5eed)
    self.seed = seed
    windowMilliseconds = random.pick([3_600_000, 6 * 3_600_000, 86_400_000])
    memoryLimit = random.oneIn(3) ? 1 : 1 << 30
    maxRows = random.oneIn(3) ? 4 : 1_000
    intervalMilliseconds = random.pick([2_000, 10_000, 60_000])
    records = Int(random.pick(60...400))
    hasConfigurationChange = random.oneIn(3)
    hasIdleDays = random.oneIn(4)
    sinks = [SimulatedSink(name: "books", stepUnits: 1, isIdempotent: true)]
    if random.oneIn(2) { sinks.append(SimulatedSink(name: "whole", stepUnits: Quantity.scale, isIdempotent: true)) }
    if random.oneIn(3) { sinks.append(SimulatedSink(name: "once", stepUnits: 1, isIdempotent: false)) }
  }
}

struct SimulatedSink {
  var name: String
  var stepUnits: Int128
  var isIdempotent: Bool

  var rules: SinkRules {
    SinkRules(
      name: name, provider: "simulated", account: "account-1",
      rowRules: RowRules(stepUnits: stepUnits, greatestUnits: nil, allowsNegative: true))
  }
}

/// Virtual time, the logs, the providers, and the processes that live and die among them.
final class World {
  let scenario: Scenario
  var random: SimulationRandom
  private(set) var now: Int64 = 1_760_000_000_000
  private var queue = EventQueue()
  let usage: [UsageLog]
  let ledgers: [LedgerLog]
  var committed: [CommittedHint?]
  let providers: [String: SimulatedProvider]
  var processes: [SimulatedProcess] = []
  var rules: BillingRules
  /// Faults are on until the run is brought to rest.
  var isFaulty: Bool
  var outages: Set<String> = []
  /// Nothing happens for hours: everybody looks at the clock less often.
  var isIdle = false
  var stops: [StopReason] = []
  private var generator = Generator()
  private(set) var steps = 0
  var trace: ((String) -> Void)?

  init(_ scenario: Scenario) {
    self.scenario = scenario
    random = SimulationRandom(seed: scenario.seed)
    isFaulty = scenario.isFaulty
    usage = (0..<scenario.partitions).map { _ in UsageLog() }
    ledgers = (0..<scenario.partitions).map { _ in LedgerLog() }
    committed = Array(repeating: nil, count: scenario.partitions)
    providers = Dictionary(
      uniqueKeysWithValues: scenario.sinks.map {
        ($0.name, SimulatedProvider(isIdempotent: $0.isIdempotent, windowMilliseconds: 86_400_000))
      })
    var counting = CountingRules()
    counting.windowMilliseconds = scenario.windowMilliseconds
    counting.features["tokens"] = FeatureRule()
    rules = BillingRules(version: 1, counting: counting, sinks: scenario.sinks.map(\.rules))
  }

  /// A run that has not come to rest by then never will.
  static let stepLimit = 400_000

  func after(_ delay: Int64, _ run: @escaping () -> Void) { queue.schedule(at: now + max(0, delay), run) }

  /// Runs what is due until `time`.
  func run(until time: Int64) {
    while steps < World.stepLimit, let next = queue.nextTime, next <= time, let event = queue.pop() {
      now = max(now, event.time)
      steps += 1
      event.run()
    }
    now = max(now, time)
  }

  func produce(_ count: Int) {
    for _ in 0..<count {
      let partition = Int.random(in: 0..<scenario.partitions, using: &random)
      generator.produce(into: usage[partition], now: now, using: &random)
      usage[partition].tell()
    }
  }

  /// The broker's clock: within two seconds of the truth, sometimes back.
  var brokerTime: Int64 { now + random.pick(-2_000...2_000) }

  func delay(_ most: Int64) -> Int64 { random.pick(1...most) }
}
