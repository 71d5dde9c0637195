import Billing
import Metering

/// What one run is made of. All of it follows from the seed.
struct Scenario {
  enum Start { case earliest, latest, instant }

  var seed: UInt64
  var partitions: Int
  var start: Start
  /// Records in the log before the group begins.
  var recordsBefore: Int
  var records: Int
  var memoryLimit: Int
  var settings = PartitionSettings()
  var rules: BillingRules
  var sinks: [SimulatedSink]
  var hasConfigurationChanges: Bool
  var hasIdleDays: Bool
  var hasPerson: Bool
  /// The usage topic deletes old records, sometimes too early.
  var hasRetention: Bool
  /// Readers pass over records now and then.
  var hasElusiveRecords: Bool
  /// The usage topic is another one for a while.
  var hasRecreation: Bool
  /// A sink is added at the oldest cut that is remembered, while the ledger deletes what it can.
  var hasOldStart: Bool
  /// How long an append may take, milliseconds, where the ledger is slow for once.
  var slowAppendMilliseconds: Int64
  /// One in this many appends has an unknown outcome.
  var unknownAppends: Int

  init(seed: UInt64) {
    var random = SimulationRandom(seed: seed ^ 0x5eed)
    self.seed = seed
    partitions = random.pick([1, 1, 1, 2, 3])
    start = random.pick([.earliest, .earliest, .earliest, .latest, .instant])
    recordsBefore = start == .earliest && random.oneIn(2) ? 0 : Int(random.pick(10...60))
    records = Int(random.pick(40...220))
    memoryLimit = random.oneIn(3) ? 1 : 1 << 30
    hasConfigurationChanges = random.oneIn(3)
    hasIdleDays = random.oneIn(4)
    hasPerson = !random.oneIn(4)
    slowAppendMilliseconds = random.pick([30, 5_000, 20_000])
    unknownAppends = random.pick([60, 200, 1_000])
    settings.intervalMilliseconds = random.pick([2_000, 10_000, 60_000])
    settings.maxRows = random.oneIn(3) ? 4 : 1_000
    settings.memoryLimit = memoryLimit
    settings.snapshotRecords = random.pick([8, 25, 60])
    settings.commitRecords = random.pick([10, 50])
    settings.ledgerKeepMilliseconds = random.pick([0, 600_000, 40 * 86_400_000])
    var topic = SimulationRandom(seed: seed ^ 0x70b1d)
    hasRetention = topic.oneIn(5)
    hasElusiveRecords = topic.oneIn(8)
    hasRecreation = topic.oneIn(8)
    settings.allowPartialRebuild = topic.oneIn(4)
    hasOldStart = topic.oneIn(12)
    // Some three, twelve or more sightings fill a table.
    if memoryLimit == 1 { settings.leastTable = topic.pick([4, 16, PartitionSettings.usualLeastTable]) }
    if hasOldStart {
      settings.ledgerKeepMilliseconds = 0
      settings.snapshotRecords = 8
    }
    var counting = CountingRules()
    counting.windowMilliseconds = random.pick([3_600_000, 6 * 3_600_000, 86_400_000])
    counting.features["tokens"] = FeatureRule()
    if random.oneIn(4) { counting.features["calls"] = FeatureRule(dimensions: ["region"]) }
    if random.oneIn(6) { counting.features["tokens"] = FeatureRule(aggregate: .count) }
    if random.oneIn(4) { counting.maxAgeMilliseconds = random.pick([3_600_000, 86_400_000]) }
    sinks = [SimulatedSink.exact(&random)]
    if random.oneIn(2) { sinks.append(.whole(&random)) }
    if random.oneIn(3) { sinks.append(.once(&random)) }
    if hasConfigurationChanges, random.oneIn(2) { sinks.append(.late(&random)) }
    if hasOldStart, !sinks.contains(where: \.startsLate) { sinks.append(.late(&random)) }
    rules = BillingRules(version: 1, counting: counting, sinks: sinks.filter { !$0.startsLate }.map(\.rules))
  }
}

/// A provider account and what its contract says.
struct SimulatedSink {
  var name: String
  var rules: SinkRules
  var contract: Contract
  /// A configuration change adds it.
  var startsLate = false
  /// A request is refused as a whole where one of its rows is.
  var refusesWholeBatches = false

  private init(
    name: String, rowRules: RowRules, idempotency: Contract.Idempotency, start: SinkStart = .present,
    _ random: inout SimulationRandom
  ) {
    self.name = name
    rules = SinkRules(name: name, provider: "simulated", account: "account-1", rowRules: rowRules, start: start)
    if random.oneIn(4) {
      rules.featureNames = ["calls": "api_calls"]
      rules.takesOtherFeatures = random.oneIn(2)
    }
    refusesWholeBatches = random.oneIn(2)
    contract = Contract(
      endpoint: "sim:", batch: Contract.BatchLimits(records: random.pick([1, 5, 20])), idempotency: idempotency,
      rowRules: rowRules, concurrency: random.pick([1, 2, 4]), isSerialPerCustomerAndMeter: random.oneIn(3),
      requestTimeoutMilliseconds: 5_000, connectTimeoutMilliseconds: 1_000)
    if random.oneIn(3) { contract.rates = [RateLimit(count: random.pick([5, 50]), perMilliseconds: 1_000)] }
    if random.oneIn(3) { contract.timestamps.newestAheadMilliseconds = 300_000 }
    if random.oneIn(8) { contract.timestamps.oldestMilliseconds = 5_400_000 }
  }

  /// Takes every value, knows its keys for a day.
  static func exact(_ random: inout SimulationRandom) -> SimulatedSink {
    SimulatedSink(
      name: "books", rowRules: RowRules(stepUnits: 1, greatestUnits: nil, allowsNegative: true),
      idempotency: .key(windowMilliseconds: random.pick([3_600_000, 86_400_000])), &random)
  }

  /// Takes whole numbers above zero, each at most so large; two requests at once with one key book twice.
  static func whole(_ random: inout SimulationRandom) -> SimulatedSink {
    let rowRules = RowRules(
      stepUnits: Quantity.scale, greatestUnits: random.oneIn(2) ? 3 * Quantity.scale : nil,
      allowsNegative: random.oneIn(2))
    let idempotency: Contract.Idempotency =
      random.oneIn(2) ? .racyKey(windowMilliseconds: 86_400_000) : .key(windowMilliseconds: nil)
    return SimulatedSink(name: "whole", rowRules: rowRules, idempotency: idempotency, &random)
  }

  /// Books whatever it is sent, each time.
  static func once(_ random: inout SimulationRandom) -> SimulatedSink {
    SimulatedSink(
      name: "once", rowRules: RowRules(stepUnits: 1, greatestUnits: nil, allowsNegative: true), idempotency: .none,
      &random)
  }

  /// Is added by a configuration change, from now on or from the oldest cut that is remembered.
  static func late(_ random: inout SimulationRandom) -> SimulatedSink {
    var sink = SimulatedSink(
      name: "late", rowRules: RowRules(stepUnits: 1, greatestUnits: nil, allowsNegative: true),
      idempotency: .key(windowMilliseconds: 86_400_000), &random)
    sink.startsLate = true
    return sink
  }

  /// The provider's name of a feature; nil where it is not routed here.
  func meter(of feature: String) -> String? {
    rules.featureNames[feature] ?? (rules.takesOtherFeatures ? feature : nil)
  }
}
