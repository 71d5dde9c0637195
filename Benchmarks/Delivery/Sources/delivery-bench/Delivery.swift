import Billing
import Metering

/// What is billed: `rows` rows of a webhook sink, of 10,000 customers, five features (one with a dimension) and as many
/// hours as it takes.
struct Workload {
  let rows: Int
  let rules: BillingRules

  init(rows: Int) {
    self.rows = rows
    var counting = CountingRules()
    counting.features["tokens"] = FeatureRule(dimensions: ["model"])
    rules = BillingRules(
      version: 1, counting: counting,
      sinks: [
        SinkRules(
          name: "books", provider: "webhook",
          rowRules: RowRules(stepUnits: 1, greatestUnits: nil, allowsNegative: true))
      ])
  }

  func cutRows() -> [CutRow] {
    let features = ["api_calls", "bytes_out", "seats", "storage_gb", "tokens"].map { Array($0.utf8) }
    let customers = max(1, min(10_000, rows / 5))
    let model: [UInt8] = [1, 7] + Array("model-1".utf8)
    let hour: Int64 = 3_600_000
    var cut: [CutRow] = []
    cut.reserveCapacity(rows)
    for number in 0..<rows {
      let slot = 494_000 * hour + Int64(number / (customers * 5)) * hour
      cut.append(
        CutRow(
          customer: Array("customer-\(100_000 + number % customers)".utf8),
          feature: features[number / customers % 5], dimensions: number / customers % 5 == 4 ? model : [],
          slotStartMilliseconds: slot, greatestTimeMilliseconds: slot + Int64(number * 7_919 % 3_600_000),
          quantity: Quantity(units: Int128(1 + number % 977) * 1_000_000_007), events: Int64(1 + number % 40)))
    }
    cut.sort(by: CutRow.precedes)
    return cut
  }
}

/// One partition's ledger in memory and one sink, wired as the daemon wires them, without Kafka, queues and network.
struct Delivery {
  private static let nonce: UInt64 = 7
  private let workload: Workload
  private let stages: Stages
  private let adapter = WebhookAdapter(
    url: "https://example.com/usage", secret: Secret("secret"), idempotencyWindowMilliseconds: 604_800_000)
  private var fold = LedgerFold(partition: 0)
  private var sequence: UInt64 = 0
  private var now: Int64 = 0
  private var settled = 0
  private(set) var requests = 0
  private(set) var requestBytes = 0

  init(_ workload: Workload, _ stages: Stages) throws {
    self.workload = workload
    self.stages = stages
    let genesis = Genesis(
      clusterID: "c", topic: "usage", group: "meterd", partition: 0, partitionCount: 1, startOffset: 0,
      dedupFromOffset: 0, fingerprintKey: Array(0..<16), incarnation: Array(16..<32),
      configuration: workload.rules.digest)
    try append(.genesis(genesis, rules: workload.rules.encoded))
    try append(.owner(Owner(instance: "bench")))
    let rows = workload.cutRows()
    var counters = RangeCounters()
    counters.counted = rows.reduce(0) { $0 + $1.events }
    counters.consumed = counters.counted
    let cut = CutBuilder.records(
      FrozenRange(from: 0, to: counters.consumed, rows: rows, counters: counters, clockAtEnd: time), number: 0,
      configuration: workload.rules.digest, lastRecord: nil, nonce: Self.nonce, firstSequence: sequence)
    sequence = cut.nextSequence
    for record in cut.records { try apply(record) }
  }

  private var time: Int64 { 494_100 * 3_600_000 + now }

  @discardableResult
  private mutating func apply(_ bytes: [UInt8]) throws -> LedgerChange {
    try fold.apply(LedgerEntry(offset: fold.nextOffset, appendMilliseconds: time, bytes: bytes))
  }

  @discardableResult
  private mutating func append(_ record: LedgerRecord) throws -> LedgerChange {
    let identity = RecordIdentity(nonce: Self.nonce, sequence: sequence)
    sequence += 1
    return try apply(LedgerCodec.encode(record, identity: identity))
  }

  /// One claim of all rows, from the cut to the last DONE that was folded.
  mutating func run() throws {
    let prepared = try stages.measure("claim: merge, map, fit") { try fold.prepareClaim(sink: "books") { $0 } }
    let records = stages.measure("claim: encode") { prepared.records(nonce: Self.nonce, firstSequence: sequence) }
    sequence = records.nextSequence
    try stages.measure("claim: fold") { for record in records.records { try apply(record) } }
    let notice = stages.measure("claim: rows to the sink") { SinkNotice.claimStands(fold.rowsToDeliver(sink: "books")) }
    let machine = SinkMachine(name: "books", adapter: adapter, partitionCount: 1, seed: 1, now: now)
    machine.handle(.accountKnown("acct"), now: now)
    machine.handle(
      .partitionOpened(0, rows: [], anchor: LedgerAnchor(ledgerMilliseconds: time, elapsedBeforeAppend: now)), now: now)
    var inputs = stages.measure("claim: rows to the sink") { SinkInput.inputs(for: notice, partition: 0) }
    while settled < workload.rows {
      if inputs.isEmpty {
        now += 10
        inputs = [.tick]
      }
      let input = inputs.removeFirst()
      stages.measure(Self.name(input)) { machine.handle(input, now: now) }
      for action in machine.takeActions() { try carryOut(action, &inputs) }
    }
  }

  private mutating func carryOut(_ action: SinkAction, _ inputs: inout [SinkInput]) throws {
    switch action {
    case .append(_, .sending(let token, let sending)):
      let change = try stages.measure("SENDING: encode, fold") { try append(.sending(sending)) }
      guard case .sending(_, let identity, _, let milliseconds) = change else { throw BenchmarkError.notStanding }
      inputs.append(.sendingStands(0, token, identity: identity, ledgerMilliseconds: milliseconds))
    case .append(_, .done(let done)):
      settled += done.rows.count
      try stages.measure("DONE: encode, fold") { _ = try append(.done(done)) }
    case .append(_, .unsent(let unsent)): try append(.unsent(unsent))
    case .append(_, .park(let park)): try append(.park(park))
    case .send(let id, let request, _, _, _):
      let signed = stages.measure("request: sign") { adapter.authorize(request, unixSeconds: time / 1_000) }
      requests += 1
      requestBytes += signed.body.count
      inputs.append(.reply(id, .response(.init(status: 200))))
    case .readyForClaim, .drained, .wakeAt, .event: break
    }
  }

  private static func name(_ input: SinkInput) -> String {
    switch input {
    case .claimStands: "sink: take rows, plan"
    case .sendingStands: "sink: write requests"
    case .reply: "sink: replies, plan, settle"
    default: "sink: plan"
    }
  }
}

enum BenchmarkError: Error { case notStanding }
