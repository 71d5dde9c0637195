@testable import Metering
import TestSupport

/// A ledger of which everything is random: owners that come and go, zombies that go on writing, sets that interleave, are
/// abandoned, damaged or lack chunks, repeats, clocks that jump, configurations and sinks that change, facts that come
/// late, and people who resolve.
struct RandomLedger {
  enum Step { case applied(LedgerChange), passed(LedgerFault) }

  var random: SeededRandom
  var fold = LedgerFold(partition: 3)
  private(set) var entries: [LedgerEntry] = []
  private var time: Int64 = 1_700_000_000_000
  private var sequences: [UInt64: UInt64] = [:]
  /// What each writer has handed over and the broker has not appended yet, in order.
  private var queues: [UInt64: [[UInt8]]] = [:]
  private var writers: [UInt64] = []
  private var known: [BillingRules] = []
  private var sendings: [(sink: String, identity: RecordIdentity, rows: [RowReference])] = []

  init(seed: UInt64) {
    random = SeededRandom(seed: seed)
    let rules = randomRules(version: 1)
    known = [rules]
    enqueue(.genesis(Sample.genesis(rules), rules: rules.encoded), by: 1)
    newOwner()
  }

  private mutating func randomRules(version: Int64) -> BillingRules {
    var sinks: [SinkRules] = []
    for name in ["a", "b", "c"] where random.chance(70) {
      let steps: [Int128] = [1, Quantity.scale, 3]
      let starts: [SinkStart] = [.present, .earliest, .instant(time - 3_600_000)]
      sinks.append(
        SinkRules(
          name: name, provider: "webhook", featureNames: random.chance(50) ? ["f0": "meter"] : [:],
          takesOtherFeatures: random.chance(80),
          rowRules: RowRules(
            stepUnits: steps.randomElement(using: &random) ?? 1,
            greatestUnits: random.chance(30) ? 4 * Quantity.scale : nil,
            allowsNegative: random.chance(50)),
          start: starts.randomElement(using: &random) ?? .present, isRetired: random.chance(15)))
    }
    var rules = BillingRules(version: version, counting: CountingRules(), sinks: sinks)
    rules.counting.windowMilliseconds = 3_600_000 * Int64.random(in: 1...24, using: &random)
    return rules
  }

  /// Appends one record and folds it. Nil where nothing could be made.
  mutating func step() -> (entry: LedgerEntry, step: Step)? {
    if queues.values.allSatisfy(\.isEmpty) || random.chance(35) { act() }
    let waiting = queues.filter { !$0.value.isEmpty }.keys.sorted()
    guard let writer = fold.genesis == nil ? 1 : waiting.randomElement(using: &random), var queue = queues[writer]
    else {
      return nil
    }
    let bytes = queue.removeFirst()
    queues[writer] = queue
    time += [0, 5, 1000, 600_000, 7_200_000, -5000].randomElement(using: &random) ?? 0
    // Gaps in the offsets are the broker's right.
    let entry = LedgerEntry(
      offset: fold.nextOffset + (random.chance(5) ? 2 : 0), appendMilliseconds: time, bytes: bytes)
    entries.append(entry)
    do {
      return (entry, .applied(try fold.apply(entry)))
    } catch {
      _ = fold.pass(entry)
      return (entry, .passed(error))
    }
  }

  private mutating func enqueue(_ record: LedgerRecord, by nonce: UInt64) {
    let identity = RecordIdentity(nonce: nonce, sequence: sequences[nonce, default: 0])
    sequences[nonce] = identity.sequence + 1
    queues[nonce, default: []].append(LedgerCodec.encode(record, identity: identity))
    if case .sending(let sending) = record { sendings.append((sending.sink, identity, sending.rows)) }
  }

  private mutating func newOwner() {
    let nonce = random.chance(10) ? writers.randomElement(using: &random) ?? 9 : random.next()
    if !writers.contains(nonce) { writers.append(nonce) }
    enqueue(.owner(Owner(instance: "i\(nonce % 3)")), by: nonce)
  }

  /// Mostly the owner.
  private mutating func writer() -> UInt64 {
    if random.chance(80), let owner = fold.owner { return owner.nonce }
    return writers.randomElement(using: &random) ?? 9
  }

  /// The records of a set, sometimes with others of the same writer between them, sometimes damaged or short of one.
  private mutating func enqueueSet(
    _ kind: SetKind, _ payloads: [[UInt8]], by nonce: UInt64, _ seal: (SetSummary) -> LedgerRecord
  ) {
    let set = sequences[nonce, default: 0]
    let summary = SetSummary(set: set, chunks: UInt32(payloads.count), digest: SetDigest.of(payloads))
    let damage = random.chance(6)
    for (index, payload) in payloads.enumerated() {
      var payload = payload
      if damage, random.chance(50) { payload.append(0) } else if damage { continue }
      enqueue(.chunk(SetChunk(kind: kind, set: set, index: UInt32(index), payload: payload)), by: nonce)
      if random.chance(15) { fact(by: nonce) }
    }
    if !random.chance(8) { enqueue(seal(summary), by: nonce) }
  }

  private mutating func act() {
    guard fold.genesis != nil else { return }
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<6: newOwner()
    case 6..<10: configuration()
    case 10..<30: cut()
    case 30..<50: claim()
    case 50..<65: send()
    case 65..<85: fact(by: writer())
    case 85..<92: resolve()
    case 92..<95:
      let nonce = writer()
      if let payloads = fold.snapshot(limit: 400) {
        let through = fold.through
        enqueueSet(.snapshot, payloads, by: nonce) { .snapshot(SnapshotSeal(summary: $0, through: through)) }
      }
    case 95..<98: if let old = entries.randomElement(using: &random) { queues[writer(), default: []].append(old.bytes) }
    default: queues[writer(), default: []].append(random.bytes(0...40))
    }
  }

  private mutating func configuration() {
    let present = fold.head.flatMap { fold.configurations[$0.configuration]?.version } ?? 1
    let rules = random.chance(80) ? randomRules(version: present + 1) : known.randomElement(using: &random)
    guard let rules else { return }
    known.append(rules)
    enqueue(
      .config(ConfigurationRecord(digest: rules.digest, bytes: rules.encoded)), by: random.chance(50) ? writer() : 50)
  }

  private mutating func cut() {
    guard let head = fold.head, let present = fold.configurations[head.configuration] else { return }
    let usable = fold.configurations.values.filter { $0.version > present.version || $0 == present }
      .sorted { $0.digest.high < $1.digest.high }
    guard let rules = random.chance(70) ? present : usable.randomElement(using: &random) else { return }
    let rows = (0..<Int.random(in: 0...12, using: &random)).map { index in
      Sample.row(
        "c\(Int.random(in: 0..<4, using: &random))", "f\(Int.random(in: 0..<3, using: &random))",
        units: Int128.random(in: -3...9, using: &random) * 500_000_000, slot: Int64(index) * 3_600_000)
    }.sorted(by: CutRow.precedes)
    var counters = RangeCounters()
    counters.counted = Int64(rows.count)
    counters.consumed = counters.counted
    let to = head.offset + Int64(rows.count)
    let clock = max(head.clockMilliseconds, time - 10_000)
    enqueueSet(.cut, CutChunk.payloads(of: rows, limit: 300), by: writer()) { summary in
      .cut(
        CutSeal(
          summary: summary, number: head.cutNumber, from: head.offset, to: to, clockMilliseconds: clock,
          configuration: rules.digest, counters: counters,
          lastRecord: rows.isEmpty ? nil : LastRecord(offset: to - 1, digest: Digest(of: [1])), rows: UInt32(rows.count)
        ))
    }
  }

  private mutating func claim() {
    guard let sink = fold.sinks.keys.sorted().randomElement(using: &random) else { return }
    var recall = CutRecall(fold.unclaimedCuts(of: sink))
    for entry in entries { recall.add(entry) }
    let unmapped = UInt8(ascii: "0") + UInt8.random(in: 0..<8, using: &random)
    guard
      let claim = try? fold.prepareClaim(
        sink: sink, recalled: recall.chunks, map: { $0.last == unmapped ? nil : Array("cus_".utf8) + $0 })
    else { return }
    let content = claim.content
    let payloads = ClaimChunk.payloads(rows: content.rows, carries: content.carries, limit: 300)
    enqueueSet(.claim, payloads, by: writer()) { summary in
      .claim(
        ClaimSeal(
          summary: summary, sink: sink, number: claim.number, firstCut: claim.firstCut, lastCut: claim.lastCut,
          configuration: claim.configuration, rows: UInt32(content.rows.count), skipped: content.skipped))
    }
  }

  private mutating func openRows() -> (sink: String, rows: [OpenRow], claim: UInt64)? {
    let sinks = fold.sinks.values.filter { !$0.claims.isEmpty }.sorted { $0.name < $1.name }
    guard let sink = sinks.randomElement(using: &random), let claim = sink.claims.randomElement(using: &random) else {
      return nil
    }
    return (sink.name, Array(claim.rows), claim.number)
  }

  private mutating func send() {
    guard let (sink, rows, claim) = openRows() else { return }
    let named = rows.filter { _ in random.chance(60) }.map { RowReference(claim: claim, row: $0.index) }
    enqueue(
      .sending(
        Sending(
          sink: sink, account: random.chance(80) ? "live" : "test", leaseMilliseconds: 60_000,
          rows: named + (random.chance(20) ? [RowReference(claim: claim, row: 0)] : []))), by: writer())
  }

  private mutating func fact(by nonce: UInt64) {
    if random.chance(15), let (sink, rows, claim) = openRows() {
      let named = rows.filter { _ in random.chance(30) }.map { RowReference(claim: claim, row: $0.index) }
      let reason = ["foreign_duplicate", "too_old"].randomElement(using: &random) ?? ""
      enqueue(.park(Park(sink: sink, rows: named, reason: reason, detail: "")), by: nonce)
      return
    }
    // Mostly a recent SENDING, sometimes one of long ago.
    let recent = random.chance(70) ? Array(sendings.suffix(4)) : sendings
    guard let (sink, identity, rows) = recent.randomElement(using: &random) else { return }
    let named = rows.filter { _ in random.chance(70) }
    if random.chance(30) {
      enqueue(.unsent(Unsent(sink: sink, sending: identity, rows: named)), by: nonce)
      return
    }
    let outcomes: [RowOutcome] = [.delivered, .delivered, .alreadyDelivered, .rejected, .uncertain, .uncertain]
    let done = named.map {
      Done.Row(
        reference: $0, outcome: outcomes.randomElement(using: &random) ?? .delivered, code: random.chance(50) ? "e" : ""
      )
    }
    enqueue(.done(Done(sink: sink, sending: identity, rows: done)), by: nonce)
  }

  private mutating func resolve() {
    if random.chance(10) {
      enqueue(
        .resolve(Resolve(decision: .stop(reason: "offset_reset", offset: time % 7, argument: 0), why: "")),
        by: random.next())
      return
    }
    guard let (sink, rows, claim) = openRows() else { return }
    let closed = rows.filter { $0.history.stateRecord != nil }
    guard let row = (random.chance(85) && !closed.isEmpty ? closed : rows).randomElement(using: &random) else { return }
    let reference = RowReference(claim: claim, row: row.index)
    let state = random.chance(90) ? row.history.stateRecord ?? 0 : Int64.random(in: 0...50, using: &random)
    let decisions: [Resolve.Decision] = [
      .retry(sink: sink, row: reference, state: state, customer: row.row.isUnmapped ? [1, 2] : nil),
      .settle(sink: sink, row: reference, state: state), .drop(sink: sink, row: reference, state: state),
    ]
    guard let decision = decisions.randomElement(using: &random) else { return }
    enqueue(.resolve(Resolve(decision: decision, why: "")), by: random.next())
  }
}
