import Testing

@testable import Metering
import TestSupport

@Suite("Ledger snapshots")
struct LedgerSnapshotTests {
  /// What a run has seen, so that a generator that makes nothing of a kind is found out.
  struct Seen {
    var kinds: Set<String> = []
    var faults: Set<LedgerFault.Reason> = []
    var snapshots = 0
  }

  static func kind(_ change: LedgerChange) -> String {
    if case .ignored(let why) = change { return why.rawValue }
    return String(String(describing: change).prefix { $0 != "(" })
  }

  /// Folds a random ledger; a snapshot is taken of nearly every state, and some folds that began from one go on beside
  /// the one that began at the beginning. Returns what was wrong.
  func run(seed: UInt64, steps: Int, seen: inout Seen) -> String? {
    var ledger = RandomLedger(seed: seed)
    var restored: [LedgerFold] = []
    for step in 0..<steps {
      guard let (entry, outcome) = ledger.step() else { continue }
      for index in restored.indices {
        switch outcome {
        case .applied(let change):
          guard (try? restored[index].apply(entry)) == change else {
            return "seed \(seed) step \(step): another change"
          }
        case .passed(let fault):
          let before = restored[index]
          do {
            _ = try restored[index].apply(entry)
            return "seed \(seed) step \(step): no fault"
          } catch {
            guard error == fault else { return "seed \(seed) step \(step): another fault" }
          }
          guard restored[index] == before else { return "seed \(seed) step \(step): a fault changed the fold" }
          _ = restored[index].pass(entry)
        }
        guard restored[index] == ledger.fold else { return "seed \(seed) step \(step): another state" }
      }
      switch outcome {
      case .applied(let change): seen.kinds.insert(Self.kind(change))
      case .passed(let fault): seen.faults.insert(fault.reason)
      }
      if let wrong = audit(ledger.fold) { return "seed \(seed) step \(step): \(wrong)" }
      guard let payloads = ledger.fold.snapshot(limit: 700) else { continue }
      do {
        let fold = try LedgerFold(snapshot: payloads, through: ledger.fold.through, partition: 3)
        guard fold == ledger.fold else { return "seed \(seed) step \(step): restored another state" }
        guard fold.snapshot(limit: 700) == payloads else { return "seed \(seed) step \(step): other bytes" }
        seen.snapshots += 1
        if restored.count < 3 {
          restored.append(fold)
        } else if ledger.random.chance(10) {
          restored[Int.random(in: 0..<3, using: &ledger.random)] = fold
        }
      } catch {
        return "seed \(seed) step \(step): \(error)"
      }
    }
    return nil
  }

  /// What holds in every state: conservation, and sums that are those of the rows.
  func audit(_ fold: LedgerFold) -> String? {
    if fold.eventsImbalance != 0 { return "events are out of balance" }
    for sink in fold.sinks.values {
      if fold.conservation(sink: sink.name) != .zero { return "sink \(sink.name) is out of balance" }
      var totals = SinkTotals()
      var open = 0
      for claim in sink.claims {
        if claim.openCount == 0 { return "a settled claim is kept" }
        for row in claim.rows {
          totals.add(row.row.value, rows: 1, to: row.state.bucket)
          open += 1
        }
      }
      guard totals.inFlight == sink.totals.inFlight, totals.uncertain == sink.totals.uncertain,
        totals.parked == sink.totals.parked, totals.inFlightRows == sink.totals.inFlightRows,
        totals.uncertainRows == sink.totals.uncertainRows, totals.parkedRows == sink.totals.parkedRows,
        open == sink.openRows
      else { return "the sums of sink \(sink.name) are not those of its rows" }
      let waiting = Array(sink.carry.values) + sink.returned.values
      let carried = waiting.reduce(Int128(0)) { $0 + $1.units }
      guard carried == sink.totals.carried.units, !waiting.contains(.zero) else { return "carry" }
    }
    return nil
  }

  @Test("a fold from any snapshot equals the fold from the beginning, at every later record")
  func anySnapshot() {
    var seen = Seen()
    for seed in 0..<Self.seeds {
      if let wrong = run(seed: seed, steps: 250, seen: &seen) {
        Issue.record("\(wrong)")
        return
      }
    }
    #expect(seen.snapshots > 500)
    let expected: Set<String> = [
      "genesis", "owner", "configuration", "chunk", "cut", "claim", "sending", "unsent", "done", "parked",
      "resolvedRow",
      "resolvedStop", "snapshot", "repeated", "notOwner", "nonceUsed", "notTheHead", "notTheNextCut", "noEffect",
    ]
    #expect(expected.subtracting(seen.kinds) == [])
    #expect(seen.faults.isSuperset(of: [.damagedRecord, .setIncomplete, .setDigestMismatch]))
  }

  static let seeds: UInt64 = 12

  @Test("a snapshot is found in the ledger by its chunks, and a damaged one is none")
  func finder() throws {
    var ledger = try TestLedger()
    try ledger.appendCut([Sample.row("c", units: 7)])
    try ledger.appendClaim()
    let before = ledger.fold
    let set = try #require(
      SnapshotBuilder.records(of: ledger.fold, nonce: 7, firstSequence: ledger.nextSequence(7)))
    let start = ledger.entries.count
    #expect(try ledger.append(set, by: 7) == .snapshot(through: before.through))
    #expect(ledger.fold.snapshots.map(\.through) == [before.through])
    var finder = SnapshotFinder()
    var found: (payloads: [[UInt8]], through: Int64)?
    for entry in ledger.entries[start...] { if let snapshot = finder.add(entry) { found = snapshot } }
    let snapshot = try #require(found)
    var fold = try LedgerFold(snapshot: snapshot.payloads, through: snapshot.through, partition: 3)
    #expect(fold == before)
    for entry in ledger.entries where entry.offset > snapshot.through { _ = try fold.apply(entry) }
    #expect(fold == ledger.fold)

    var other = SnapshotFinder()
    #expect(other.add(ledger.entries[ledger.entries.count - 1]) == nil)
    for (payloads, through, partition) in [
      (snapshot.payloads, snapshot.through + 1, Int32(3)), (snapshot.payloads, snapshot.through, 4),
      ([snapshot.payloads[0] + [0]], snapshot.through, 3),
      ([Array(snapshot.payloads[0].dropLast())], snapshot.through, 3),
    ] {
      let fault = #expect(throws: LedgerFault.self) {
        try LedgerFold(snapshot: payloads, through: through, partition: partition)
      }
      #expect(fault?.reason == .snapshotMalformed)
    }
    var newer = snapshot.payloads
    newer[0][0] = LedgerFold.snapshotVersion + 1
    let fault = #expect(throws: LedgerFault.self) {
      try LedgerFold(snapshot: newer, through: snapshot.through, partition: 3)
    }
    #expect(fault?.reason == .unknownRecord)
  }

  @Test("arbitrary bytes are no snapshot, and no trap")
  func arbitrary() throws {
    var random = SeededRandom(seed: 9)
    var ledger = RandomLedger(seed: 12)
    var payloads: [[UInt8]]?
    for _ in 0..<400 {
      _ = ledger.step()
      payloads = ledger.fold.snapshot() ?? payloads
    }
    let whole = try #require(payloads)[0]
    for _ in 0..<600 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
      }
      _ = try? LedgerFold(snapshot: [bytes], through: ledger.fold.through, partition: 3)
    }
  }
}
