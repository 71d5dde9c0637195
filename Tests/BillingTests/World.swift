import Billing
import Metering
import TestSupport

/// Two instances, a ledger for each partition, a provider with faults: everything from one seed, under one virtual
/// clock. It judges while it runs; `problems` holds what must never happen.
final class World {
  struct Setup {
    var contract: Contract
    /// The provider's memory of keys, milliseconds; nil: none.
    var providerWindow: Int64?
    var partitions: Int32 = 3
    var rows = 40
    var minutes: Int64 = 30
    /// The provider is away: it answers nothing but 503, and nothing has effect.
    var outage: Range<Int64>?
  }

  /// What the ledger says of a row.
  struct Folded {
    var row: SinkRow
    var attempts: [(identity: RecordIdentity, ledgerMilliseconds: Int64, account: String)] = []
    var verdict: String?
    var isAtRest: Bool { verdict != nil }
  }

  /// One life of an instance: a crash ends it, and another begins.
  final class Life {
    let machine: SinkMachine
    var isAlive = true
    /// The nonces under which it owns partitions.
    var nonces: [Int32: UInt64] = [:]
    var sequence: UInt64 = 0
    var wake: Int64?
    var lastLanding: [Int32: Int64] = [:]
    /// When the SENDING was asked for that each row's next attempt belongs to.
    var askedAt: [String: Int64] = [:]
    var lanes: Set<String> = []

    init(_ machine: SinkMachine) { self.machine = machine }
  }

  let setup: Setup
  var random: SeededRandom
  var now: Int64 = 0
  var problems: [String] = []
  var owners: [Int32: (life: Life, nonce: UInt64)] = [:]
  var ledger: [Int32: [RowReference: Folded]] = [:]
  var lives: [Life] = []
  var effects: [String: Int] = [:]
  var firstEffect: [String: Int64] = [:]
  var attempts: [String: Int] = [:]
  var starts: [Int64] = []
  /// After this the provider behaves, and nobody crashes.
  var calmFrom: Int64
  private var nonce: UInt64 = 0
  private var events: [Int64: [() -> Void]] = [:]
  private var times = TimeHeap()
  let rowsByKey: [String: SinkRow]

  init(seed: UInt64, _ setup: Setup) {
    self.setup = setup
    random = SeededRandom(seed: seed)
    calmFrom = setup.minutes * 60_000
    var byKey: [String: SinkRow] = [:]
    for partition in 0..<setup.partitions {
      for number in 0..<setup.rows {
        let customer = "c\(number % 5)"
        var row = row(number, claim: UInt64(number / 10), customer: customer, timestamp: epoch - Int64(number) * 1_000)
        row.key = "p\(partition).\(row.key)"
        byKey[row.key] = row
        ledger[partition, default: [:]][row.reference] = Folded(row: row)
      }
    }
    rowsByKey = byKey
  }

  func at(_ time: Int64, _ body: @escaping () -> Void) {
    let time = max(time, now)
    if events[time] == nil { times.push(time) }
    events[time, default: []].append(body)
  }

  func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
  func between(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &random) }

  func run() {
    let first = newLife()
    let second = newLife()
    for partition in 0..<setup.partitions { take(partition, partition == 0 ? first : second) }
    at(between(1_000...60_000)) { [self] in disturb() }
    let end = calmFrom + 4 * 3_600_000
    while let time = times.pop(), time <= end {
      now = time
      for body in events.removeValue(forKey: time) ?? [] { body() }
    }
    now = end
  }

  func newLife() -> Life {
    let seed = random.next()
    let life = Life(
      SinkMachine(
        name: "sink", adapter: TestAdapter(contract: setup.contract), partitionCount: Int(setup.partitions),
        seed: seed, now: now))
    lives.append(life)
    give(life, .accountKnown("acct"))
    return life
  }

  /// Crashes, take-overs from owners that do not know it yet, orderly moves.
  private func disturb() {
    guard now < calmFrom else { return }
    let partition = Int32.random(in: 0..<setup.partitions, using: &random)
    let owner = owners[partition]?.life
    switch Int.random(in: 0..<3, using: &random) {
    case 0:
      guard let victim = owner else { break }
      victim.isAlive = false
      let successor = newLife()
      for (number, own) in owners where own.life === victim { take(number, successor) }
    case 1:
      // The former owner goes on for a while as if nothing had happened.
      let successor = newLife()
      take(partition, successor)
      guard let former = owner, let lost = former.nonces[partition] else { break }
      at(now + between(0...90_000)) { [self] in
        if former.nonces[partition] == lost { give(former, .partitionClosed(partition)) }
      }
    default:
      guard let former = owner else { break }
      give(former, .partitionDraining(partition))
      at(now + between(0...5_000)) { [self] in
        guard owners[partition]?.life === former else { return }
        give(former, .partitionClosed(partition))
        take(partition, lives.last { $0.isAlive && $0 !== former } ?? newLife())
      }
    }
    at(now + between(5_000...300_000)) { [self] in disturb() }
  }

  /// OWNER lands, and is read back a little later.
  private func take(_ partition: Int32, _ life: Life) {
    nonce += 1
    let own = nonce
    let asked = now
    at(now + between(1...50)) { [self] in
      // It died before its OWNER landed: the group gives the partition to another.
      guard life.isAlive else { return take(partition, newLife()) }
      owners[partition] = (life, own)
      let landed = epoch + now
      at(now + between(0...50)) { [self] in
        guard life.isAlive, owners[partition]?.nonce == own else { return }
        life.nonces[partition] = own
        let rows = (ledger[partition] ?? [:]).values.filter { !$0.isAtRest }.map(open)
        give(
          life,
          .partitionOpened(
            partition, rows: SinkRows(rows.sorted { $0.reference < $1.reference }),
            anchor: LedgerAnchor(ledgerMilliseconds: landed, elapsedBeforeAppend: asked)))
      }
    }
  }

  func open(_ folded: Folded) -> SinkRow {
    var row = folded.row
    guard let first = folded.attempts.first, let last = folded.attempts.last else { return row }
    row.doubt = Doubt(
      firstLedgerMilliseconds: first.ledgerMilliseconds, lastLedgerMilliseconds: last.ledgerMilliseconds,
      lastSending: last.identity, account: "acct")
    return row
  }

  func give(_ life: Life, _ input: SinkInput) {
    guard life.isAlive else { return }
    life.machine.handle(input, now: now)
    for action in life.machine.takeActions() { perform(action, life) }
  }

  private func perform(_ action: SinkAction, _ life: Life) {
    switch action {
    case .append(let partition, let append): land(append, partition, life)
    case .send(let id, let request, let timeout, let connectTimeout, let notAfter):
      transmit(id, request, life, timeout, connectTimeout, notAfter)
    case .wakeAt(let instant):
      life.wake = instant
      guard let instant else { return }
      at(instant) { [self] in if life.wake == instant { give(life, .tick) } }
    case .readyForClaim, .drained, .event: break
    }
  }

  // MARK: Judgement

  func judge() -> [String] {
    var problems = problems
    for (partition, rows) in ledger.sorted(by: { $0.key < $1.key }) {
      for folded in rows.values.sorted(by: { $0.row.reference < $1.row.reference }) {
        let key = folded.row.key
        let effect = effects[key] ?? 0
        if effect > 1 { problems.append("\(key): \(effect) effects") }
        if setup.contract.idempotency == .none, attempts[key] ?? 0 > 1 { problems.append("\(key): attempted twice") }
        switch folded.verdict {
        case "delivered", "alreadyDelivered": if effect != 1 { problems.append("\(key): delivered without effect") }
        case "uncertain": break
        case nil: problems.append("\(key) in partition \(partition) never settled: \(folded.attempts.count) attempts")
        case let other?: problems.append("\(key): \(other)")
        }
      }
    }
    return problems
  }

  var uncertain: Int { ledger.values.reduce(0) { $0 + $1.values.count { $0.verdict == "uncertain" } } }
}

/// Distinct times, the least first.
private struct TimeHeap {
  private var times: [Int64] = []
  mutating func push(_ time: Int64) {
    times.append(time)
    var child = times.count - 1
    while child > 0, times[child] < times[(child - 1) / 2] {
      times.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }
  mutating func pop() -> Int64? {
    guard let first = times.first, let last = times.popLast() else { return nil }
    guard !times.isEmpty else { return first }
    times[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < times.count && times[child] < times[least] {
        least = child
      }
      guard least != parent else { return first }
      times.swapAt(parent, least)
      parent = least
    }
  }
}
