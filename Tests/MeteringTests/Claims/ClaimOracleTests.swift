import Testing

@testable import Metering
import TestSupport

/// Random cuts and claims against a naive oracle that keeps everything in plain sorted lists.
@Suite("Claims against an oracle")
struct ClaimOracleTests {
  struct Slot: Hashable {
    var customer: [UInt8]
    var isUnmapped: Bool
    var meter: [UInt8]
    var slot: Int64
    var dimensions: [UInt8]
  }

  /// `big` is true, named.
  private static let big: [UInt8] = [3, 98, 105, 103, 4]

  /// The oracle's next claim; changes its carry.
  private func expected(
    _ rows: [CutRow], _ rules: SinkRules, carry: inout [CarryKey: Int128], map: ([UInt8]) -> [UInt8]?
  ) -> (rows: [ClaimRow], carries: [CarryChange], skipped: Int128) {
    var sums: [Slot: (units: Int128, time: Int64, events: Int64)] = [:]
    var skipped: Int128 = 0
    for row in rows {
      let feature = String(decoding: row.feature, as: UTF8.self)
      guard let meter = rules.featureNames[feature] ?? (rules.takesOtherFeatures ? feature : nil) else {
        skipped += row.quantity.units
        continue
      }
      let mapped = map(row.customer)
      let slot = Slot(
        customer: mapped ?? row.customer, isUnmapped: mapped == nil, meter: Array(meter.utf8),
        slot: row.slotStartMilliseconds, dimensions: row.dimensions == [4] ? Self.big : [])
      let sum = sums[slot, default: (0, .min, 0)]
      sums[slot] = (
        sum.units + row.quantity.units, max(sum.time, row.greatestTimeMilliseconds), sum.events + row.events
      )
    }
    let order = sums.keys.sorted { left, right in
      if left.customer != right.customer { return left.customer.lexicographicallyPrecedes(right.customer) }
      if left.isUnmapped != right.isUnmapped { return !left.isUnmapped }
      if left.meter != right.meter { return left.meter.lexicographicallyPrecedes(right.meter) }
      if left.slot != right.slot { return left.slot < right.slot }
      return left.dimensions.lexicographicallyPrecedes(right.dimensions)
    }
    var before: [CarryKey: Int128] = [:]
    var touched: [CarryKey] = []
    var claim: [ClaimRow] = []
    for slot in order {
      let sum = sums[slot] ?? (0, 0, 0)
      var value = sum.units
      let key = CarryKey(customer: slot.customer, meter: slot.meter)
      if !slot.isUnmapped {
        if before[key] == nil {
          before[key] = carry[key] ?? 0
          touched.append(key)
        }
        let total = (carry[key] ?? 0) + sum.units
        // Step by step towards the total, as far as the contract goes.
        let step = rules.rowRules.stepUnits
        let wanted = total.magnitude
        let limit = min(wanted, rules.rowRules.greatestUnits.map { UInt128($0) } ?? wanted)
        value = Int128(limit / UInt128(step)) * step
        if total < 0 { value = rules.rowRules.allowsNegative ? -value : 0 }
        carry[key] = total - value
      }
      claim.append(
        ClaimRow(
          customer: slot.customer, meter: slot.meter, dimensions: slot.dimensions, value: Quantity(units: value),
          timestampMilliseconds: sum.time, events: sum.events, isUnmapped: slot.isUnmapped))
    }
    let changes = touched.compactMap { key -> CarryChange? in
      let carriedIn = before[key] ?? 0
      let carriedOut = carry[key] ?? 0
      if carriedIn == 0 && carriedOut == 0 { return nil }
      return CarryChange(
        customer: key.customer, meter: key.meter, carriedIn: Quantity(units: carriedIn),
        carriedOut: Quantity(units: carriedOut))
    }
    return (claim, changes, skipped)
  }

  private func randomRules(_ random: inout SeededRandom) -> RowRules {
    let steps: [Int128] = [1, 7, Quantity.scale / 2, Quantity.scale]
    let step = steps.randomElement(using: &random) ?? 1
    return RowRules(
      stepUnits: step, greatestUnits: random.chance(40) ? Quantity.scale * 2 + 3 : nil,
      allowsNegative: random.chance(50))
  }

  private func randomRows(_ random: inout SeededRandom) -> [CutRow] {
    var rows: [Slot: CutRow] = [:]
    for _ in 0..<Int.random(in: 0...25, using: &random) {
      let row = Sample.row(
        "c\(Int.random(in: 0..<5, using: &random))", "f\(Int.random(in: 0..<4, using: &random))",
        units: Int128.random(in: -4_000_000_000...6_000_000_000, using: &random),
        slot: Int64.random(in: -1...3, using: &random) * 3_600_000, dimensions: random.chance(30) ? [4] : [0],
        time: Int64.random(in: 0...9, using: &random), events: Int64.random(in: 1...9, using: &random))
      let slot = Slot(
        customer: row.customer, isUnmapped: false, meter: row.feature, slot: row.slotStartMilliseconds,
        dimensions: row.dimensions)
      rows[slot] = row
    }
    return rows.values.sorted(by: CutRow.precedes)
  }

  @Test("any sequence of cuts and claims: the oracle's rows, conservation, and the contract")
  func sequences() throws {
    var random = SeededRandom(seed: 2026)
    var claims = 0
    for _ in 0..<120 {
      let names = random.chance(50) ? ["f0": "m", "f1": "m"] : [:]
      let rules = SinkRules(
        name: "s", provider: "p", featureNames: names, takesOtherFeatures: random.chance(70),
        rowRules: randomRules(&random))
      var all = Sample.rules(sinks: [rules])
      for feature in 0..<4 { all.counting.features["f\(feature)"] = FeatureRule(dimensions: ["big"]) }
      var ledger = try TestLedger(rules: all)
      var carry: [CarryKey: Int128] = [:]
      var waiting: [CutRow] = []
      for round in 0..<10 {
        let rows = randomRows(&random)
        try ledger.appendCut(rows)
        waiting += rows
        if random.chance(40) && round < 9 { continue }
        let split = UInt8.random(in: 48..<56, using: &random)
        let map: ([UInt8]) -> [UInt8]? = { $0.last == split ? nil : [$0.last == 49 ? 48 : $0.last ?? 0] }
        let oracle = expected(waiting, rules, carry: &carry, map: map)
        waiting = []
        let claim = try ledger.fold.prepareClaim(sink: "s", map: map)
        #expect(claim == (try ledger.fold.prepareClaim(sink: "s", map: map)))
        #expect(claim.content.rows == oracle.rows)
        #expect(claim.content.carries == oracle.carries)
        #expect(claim.content.skipped.units == oracle.skipped)
        // The same bytes as of rows that are put together.
        #expect(claim.content.payloads == ClaimChunk.payloads(rows: oracle.rows, carries: oracle.carries))
        for row in claim.content.rows where !row.isUnmapped {
          #expect(row.value.units % rules.rowRules.stepUnits == 0)
          #expect(rules.rowRules.allowsNegative || row.value.units >= 0)
          if let greatest = rules.rowRules.greatestUnits { #expect(abs(row.value.units) <= greatest) }
        }
        let set = claim.records(nonce: 7, firstSequence: ledger.nextSequence(7))
        #expect(try ledger.append(set, by: 7) == .claim(sink: "s", number: claim.number))
        #expect(ledger.fold.sinks["s"]?.carry.mapValues(\.units) == carry.filter { $0.value != 0 })
        #expect(ledger.fold.conservation(sink: "s") == .zero)
        #expect(ledger.fold.unclaimedQuantity(of: "s") == .zero)
        claims += 1
      }
    }
    #expect(claims > 500)
  }

  @Test("chunks of any size hold the same rows and carries, byte for byte as of rows that are put together")
  func chunks() throws {
    var random = SeededRandom(seed: 7)
    var carries = 0
    for _ in 0..<80 {
      let rules = SinkRules(
        name: "s", provider: "p", featureNames: random.chance(50) ? ["f0": "m", "f1": "m"] : [:],
        rowRules: randomRules(&random))
      let features = Dictionary(
        uniqueKeysWithValues: (0..<4).map { ("f\($0)", FeatureRule(dimensions: ["big"])) })
      let carry = (0..<5).reduce(into: [CarryKey: Quantity]()) { carry, number in
        let key = CarryKey(customer: Array("c\(number)".utf8), meter: Array("f2".utf8))
        carry[key] = Quantity(units: Int128(number) * 999_999_999)
      }
      let cuts = (0..<3).map { _ in CutChunk.payloads(of: randomRows(&random)) }
      let split = UInt8.random(in: 48..<56, using: &random)
      func content(limit: Int) throws -> ClaimContent {
        var builder = ClaimBuilder(rules: rules, carry: carry)
        for (number, payloads) in cuts.enumerated() {
          try builder.add(
            cut: UInt64(number), payloads: payloads, features: features, map: { $0.last == split ? nil : $0 })
        }
        return try builder.finish(limit: limit)
      }
      let whole = try content(limit: LedgerCodec.chunkLimit)
      carries += whole.carries.count
      for limit in [1, 150, 400, 2_000] {
        let parts = try content(limit: limit)
        #expect(parts.payloads == ClaimChunk.payloads(rows: whole.rows, carries: whole.carries, limit: limit))
        #expect(parts.rows == whole.rows && parts.carries == whole.carries && parts.rowCount == whole.rows.count)
      }
    }
    #expect(carries > 100)
  }
}
