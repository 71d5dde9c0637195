import Billing
import Metering

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
  var random: Generator
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
  private let rowsByKey: [String: SinkRow]

  init(seed: UInt64, _ setup: Setup) {
    self.setup = setup
    random = Generator(state: seed)
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

  private func open(_ folded: Folded) -> SinkRow {
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

  // MARK: The ledger

  private func land(_ append: SinkAppend, _ partition: Int32, _ life: Life) {
    let nonce = life.nonces[partition] ?? 0
    life.sequence += 1
    let identity = RecordIdentity(nonce: nonce, sequence: life.sequence)
    if case .sending(_, let sending) = append {
      for reference in sending.rows {
        if let row = ledger[partition]?[reference]?.row { life.askedAt[row.key] = now }
      }
    }
    let landing = max(now + between(1...20), life.lastLanding[partition] ?? 0)
    life.lastLanding[partition] = landing
    at(landing) { [self] in
      // What a crashed process had not handed over yet is lost, sometimes.
      if !life.isAlive, chance(50) { return }
      fold(append, identity, partition, isOwner: owners[partition]?.nonce == nonce)
      guard case .sending(let token, let sending) = append else { return }
      let stands = owners[partition]?.nonce == nonce
      let ledgerMilliseconds = epoch + now
      // Now and then the read-back takes longer than the lease.
      let delay = now < calmFrom && chance(2) ? between(0...80_000) : between(0...20)
      at(now + delay) { [self] in
        let decided = sending.rows.filter { ledger[partition]?[$0]?.verdict != nil }
        let isWhole = decided.isEmpty
        for row in decided { give(life, .rowGone(partition, row)) }
        give(
          life,
          stands && isWhole
            ? .sendingStands(partition, token, identity: identity, ledgerMilliseconds: ledgerMilliseconds)
            : .sendingVoid(partition, token))
        if stands, !isWhole {
          fold(.unsent(Unsent(sink: "sink", sending: identity, rows: sending.rows)), identity, partition, isOwner: true)
        }
      }
    }
  }

  private func fold(_ append: SinkAppend, _ identity: RecordIdentity, _ partition: Int32, isOwner: Bool) {
    switch append {
    case .sending(_, let sending):
      guard isOwner else { return }
      for row in sending.rows where ledger[partition]?[row]?.verdict == nil {
        ledger[partition]?[row]?.attempts.append((identity, epoch + now, sending.account))
      }
    case .unsent(let unsent):
      for row in unsent.rows { ledger[partition]?[row]?.attempts.removeAll { $0.identity == unsent.sending } }
    case .done(let done):
      for row in done.rows {
        // A DONE of an attempt that an UNSENT voided says nothing.
        guard var folded = ledger[partition]?[row.reference],
          folded.attempts.contains(where: { $0.identity == done.sending })
        else { continue }
        let rank = ["uncertain": 0, "rejected": 1, "delivered": 2, "alreadyDelivered": 2]
        let outcome = "\(row.outcome)"
        if rank[outcome, default: 0] > rank[folded.verdict ?? "", default: -1] {
          folded.verdict = outcome
          ledger[partition]?[row.reference] = folded
          if !isOwner, chance(50), let owner = owners[partition]?.life {
            give(owner, .rowGone(partition, row.reference))
          }
        }
      }
      // Read back by its own partition: a row that is not at rest after all comes again.
      guard isOwner, let owner = owners[partition]?.life else { return }
      let rows = done.rows.map(\.reference)
      at(now + between(0...20)) { [self] in
        guard owners[partition]?.life === owner else { return }
        for row in rows {
          if let folded = ledger[partition]?[row], !folded.isAtRest {
            give(owner, .rowRetried(partition, open(folded)))
          }
        }
      }
    case .park(let park):
      guard isOwner else { return }
      for row in park.rows {
        ledger[partition]?[row]?.attempts = []
        ledger[partition]?[row]?.verdict = "parked:" + park.reason
      }
    }
  }

  // MARK: The provider

  private func transmit(
    _ id: RequestID, _ request: ProviderRequest, _ life: Life, _ timeout: Int64, _ connectTimeout: Int64,
    _ notAfter: Int64
  ) {
    let keys = String(decoding: request.body, as: UTF8.self).split(separator: "\n").map(String.init)
    starts.append(now)
    let lanes = keys.compactMap { rowsByKey[$0] }.map { String(decoding: $0.customer, as: UTF8.self) }
    if setup.contract.isSerialPerCustomerAndMeter {
      for lane in lanes where !life.lanes.insert(lane).inserted { problems.append("two in flight for \(lane)") }
    }
    let reply: (Int64, ProviderReply) -> Void = { [self] time, reply in
      at(time) { [self] in
        life.lanes.subtract(lanes)
        give(life, .reply(id, reply))
      }
    }
    // A stop between the machine's decision and the shell's last look at the clock.
    let handover = now + (now < calmFrom && chance(2) ? between(0...100_000) : 0)
    at(handover) { [self] in
      guard life.isAlive else { return }
      guard now <= notAfter else { return reply(now, .notSent(code: "lease_over")) }
      let firstByte = now + between(0...min(connectTimeout, 200))
      for key in keys where firstByte > (life.askedAt[key] ?? 0) + 60_000 {
        problems.append("\(key): first byte after its lease")
      }
      serve(keys, firstByte, timeout, reply)
    }
  }

  private func serve(
    _ keys: [String], _ firstByte: Int64, _ timeout: Int64, _ reply: @escaping (Int64, ProviderReply) -> Void
  ) {
    let isCalm = now >= calmFrom
    let end = firstByte + between(5...300)
    if let outage = setup.outage, outage.contains(now) {
      note(keys)
      return reply(end, .response(.init(status: 503)))
    }
    switch isCalm ? 99 : Int.random(in: 0..<100, using: &random) {
    case 0..<6: return reply(firstByte, .notSent(code: "connect"))
    case 6..<12: return reply(end, .response(.init(status: 429, headers: [.init("Retry-After", "\(between(0...5))")])))
    case 12..<14: return reply(end, .response(.init(status: 401)))
    case 14..<18:
      note(keys)
      return reply(end, .response(.init(status: 503)))
    case 18..<26:
      at(end) { [self] in book(keys) }
      return reply(end, chance(50) ? .response(.init(status: 500)) : .ambiguous(code: "reset"))
    case 26..<30:
      // It goes on to work on it until the time-out, and even then it may have its effect.
      let happens = chance(50)
      let when = firstByte + between(0...timeout)
      note(keys)
      if happens { at(when) { [self] in book(keys, noted: true) } }
      return reply(firstByte + timeout, .ambiguous(code: "timeout"))
    case 30..<33:
      return reply(end, .response(.init(status: 423)))
    default:
      at(end) { [self] in
        let known = book(keys)
        reply(now, .response(.init(status: known && keys.count == 1 ? 208 : 200)))
      }
    }
  }

  private func note(_ keys: [String]) { for key in keys { attempts[key, default: 0] += 1 } }

  /// Returns whether all keys were known.
  @discardableResult
  private func book(_ keys: [String], noted: Bool = false) -> Bool {
    if !noted { note(keys) }
    var known = true
    for key in keys {
      if let window = setup.providerWindow, let first = firstEffect[key], now - first < window { continue }
      known = false
      effects[key, default: 0] += 1
      if firstEffect[key] == nil { firstEffect[key] = now }
    }
    return known
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

struct Generator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    var mixed = state
    mixed ^= mixed >> 33
    mixed = mixed &* 0xFF51_AFD7_ED55_8CCD
    return mixed ^ (mixed >> 33)
  }
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
