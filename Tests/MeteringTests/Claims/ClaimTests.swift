import Testing

@testable import Metering
import TestSupport

@Suite("Claims")
struct ClaimTests {
  private func build(
    _ rules: SinkRules, _ rows: [CutRow], carry: [CarryKey: Quantity] = [:],
    dimensions: [String: [String]] = [:], map: ([UInt8]) -> [UInt8]? = { $0 }
  ) throws -> ClaimContent {
    var builder = ClaimBuilder(rules: rules, carry: carry)
    try builder.add(
      cut: 0, payloads: CutChunk.payloads(of: rows.sorted(by: CutRow.precedes)),
      features: dimensions.mapValues { FeatureRule(dimensions: $0) }, map: map)
    return try builder.finish()
  }

  private func sink(
    _ rules: RowRules, names: [String: String] = [:], others: Bool = true
  ) -> SinkRules {
    SinkRules(name: "s", provider: "p", featureNames: names, takesOtherFeatures: others, rowRules: rules)
  }

  private func key(_ customer: String, _ meter: String = "calls") -> CarryKey {
    CarryKey(customer: Array(customer.utf8), meter: Array(meter.utf8))
  }

  @Test("the part of a total that a contract takes")
  func parts() {
    let whole = RowRules(stepUnits: 10, greatestUnits: nil, allowsNegative: false)
    let bounded = RowRules(stepUnits: 10, greatestUnits: 25, allowsNegative: true)
    let wide = RowRules(stepUnits: 1 << 70, greatestUnits: nil, allowsNegative: true)
    for (rules, total, part) in [
      (whole, 19, 10), (whole, -19, 0), (whole, 0, 0), (whole, 9, 0), (bounded, 99, 20), (bounded, -99, -20),
      (bounded, -9, 0), (bounded, -19, -10), (Sample.exact, -7, -7), (wide, 5 << 69, 1 << 71),
      (wide, -(5 << 69), -(1 << 71)),
      (Sample.exact, .min, .min), (bounded, .min, -20),
    ] as [(RowRules, Int128, Int128)] {
      #expect(rules.part(of: Quantity(units: total)).units == part)
    }
  }

  @Test("fractions and negatives wait; each row sends what carry and row allow, in slot order")
  func carry() throws {
    let half = Quantity.scale / 2
    let rows = [
      Sample.row("c", units: half, slot: 0), Sample.row("c", units: half, slot: 10),
      Sample.row("c", units: -half, slot: 20),
      Sample.row("c", units: 3 * half, slot: 30), Sample.row("d", units: half, slot: 0),
    ]
    let claim = try build(sink(Sample.whole), rows, carry: [key("d"): Quantity(units: -half), key("e"): Quantity(1)])
    #expect(claim.rows.map(\.value.units) == [0, 2 * half, 0, 2 * half, 0])
    #expect(claim.rows.map(\.timestampMilliseconds) == [5, 15, 25, 35, 5])
    #expect(claim.carries.count == 1)
    #expect(claim.carries[0].customer == Array("d".utf8))
    #expect(claim.carries[0].carriedIn.units == -half)
    #expect(claim.carries[0].carriedOut == .zero)
  }

  @Test("routing: listed names, others under their own name, others left out")
  func routing() throws {
    let rows = [Sample.row("c", "x", units: 1), Sample.row("c", "y", units: 2), Sample.row("c", "z", units: 4)]
    let same = try build(sink(Sample.exact, names: ["x": "m", "y": "m"]), rows)
    #expect(same.rows.map { String(decoding: $0.meter, as: UTF8.self) } == ["m", "z"])
    #expect(same.rows.map(\.value.units) == [3, 4])
    #expect(same.rows.map(\.events) == [2, 1])
    #expect(same.skipped == .zero)
    let skip = try build(sink(Sample.exact, names: ["x": "x"], others: false), rows)
    #expect(skip.rows.map(\.value.units) == [1])
    #expect(skip.skipped.units == 6)
    // Names are bytes: what only normalizes alike is another feature.
    let composed = try build(
      sink(Sample.exact, names: ["\u{e9}": "m"]), [Sample.row("c", "e\u{301}", units: 1)])
    #expect(composed.rows[0].meter == Array("e\u{301}".utf8))
  }

  @Test("rows merge by mapped customer, meter, dimensions and slot; the greatest event time is theirs")
  func merging() throws {
    let rows = [
      Sample.row("a", units: 1, time: 8), Sample.row("b", units: 2, time: 9), Sample.row("c", units: 4, time: 7),
      Sample.row("a", units: 8, dimensions: [4]), Sample.row("a", units: 16, slot: 100),
    ]
    let claim = try build(sink(Sample.exact), rows, dimensions: ["calls": ["cached"]]) {
      $0 == [UInt8(ascii: "c")] ? [1] : [2]
    }
    #expect(claim.rows.map(\.customer) == [[1], [2], [2], [2]])
    #expect(claim.rows.map(\.value.units) == [4, 3, 8, 16])
    #expect(claim.rows.map(\.timestampMilliseconds) == [7, 9, 5, 105])
  }

  @Test("an unmapped customer's rows keep their quantity, apart from a mapped customer of that name and from carry")
  func unmapped() throws {
    let half = Quantity.scale / 2
    let rows = [Sample.row("a", units: half), Sample.row("b", units: half, slot: 7)]
    let claim = try build(sink(Sample.whole), rows, carry: [key("b"): Quantity(units: half)]) {
      $0 == Array("a".utf8) ? Array("b".utf8) : nil
    }
    #expect(claim.rows.map(\.isUnmapped) == [false, true])
    #expect(claim.rows.map(\.value.units) == [2 * half, half])
    #expect(claim.carries.map(\.carriedOut) == [.zero])
  }

  @Test("a sum beyond 128 bits is an error, not a trap")
  func overflow() throws {
    let far = Int128.max - 5
    #expect(throws: ClaimError.overflow(customer: Array("b".utf8), meter: Array("calls".utf8))) {
      try build(sink(Sample.exact), [Sample.row("a", units: far), Sample.row("b", units: 9)]) { _ in [1] }
    }
    #expect(throws: ClaimError.overflow(customer: Array("a".utf8), meter: Array("calls".utf8))) {
      try build(sink(Sample.exact), [Sample.row("a", units: far)], carry: [key("a"): Quantity(units: 9)])
    }
  }

  @Test("chunks stay within their limit, and hold the rows whatever it is", arguments: [200, 1000, 100_000])
  func chunks(_ limit: Int) throws {
    var random = SeededRandom(seed: 77)
    let rows = (0..<400).map { index in
      Sample.row(
        "customer-\(index / 7)", "f\(index % 3)", units: Int128(index) * 1_000_000_007,
        slot: Int64(index % 5) * 3_600_000,
        dimensions: [1, 20] + (0..<20).map { _ in UInt8.random(in: 97...122, using: &random) })
    }.sorted(by: CutRow.precedes)
    let cut = CutChunk.payloads(of: rows, limit: limit)
    #expect(try cut.flatMap { try CutChunk.rows(in: $0) } == rows)
    let claim = try build(
      sink(Sample.whole), rows, dimensions: ["f0": ["region"], "f1": ["region"], "f2": ["region"]])
    let payloads = ClaimChunk.payloads(rows: claim.rows, carries: claim.carries, limit: limit)
    let chunks = try payloads.map { try ClaimChunk(payload: $0) }
    #expect(chunks.flatMap(\.rows) == claim.rows)
    #expect(chunks.flatMap(\.carries) == claim.carries)
    if limit >= 1000 { #expect((cut + payloads).allSatisfy { $0.count <= limit }) }
    #expect(CutChunk.payloads(of: []) == [])
    #expect(ClaimChunk.payloads(rows: [], carries: []) == [])
  }

  @Test("a usual cut costs some ten bytes a row")
  func size() {
    let hour: Int64 = 3_600_000
    var rows: [CutRow] = []
    for customer in 0..<1000 {
      for feature in 0..<10 {
        rows.append(
          Sample.row(
            "cus_\(100_000 + customer)", "feature_\(feature)", units: Int128(customer * feature) * Quantity.scale,
            slot: 472_222 * hour, time: 472_222 * hour + Int64(customer * 7919 % 3_600_000), events: 40))
      }
    }
    rows.sort(by: CutRow.precedes)
    let bytes = CutChunk.payloads(of: rows).reduce(0) { $0 + $1.count }
    #expect(bytes < 12 * rows.count)
  }

  /// A string, a number, a boolean and nothing, as a cut's row has them.
  private static let values: [UInt8] = [1, 2, 109, 49, 2, 3, 48, 46, 53, 4, 0]

  private func named(_ row: ClaimRow) -> [String]? {
    NamedDimensions.decode(row.dimensions)?.map { "\($0.name)=\($0.value)" }
  }

  @Test("a row says its dimensions' names beside their values, in the configuration's order; absent ones are left out")
  func dimensionNames() throws {
    let names = ["tokens": ["model", "temperature", "cached", "region"]]
    let rows = [Sample.row("a", "tokens", units: 1, dimensions: Self.values), Sample.row("a", "calls", units: 2)]
    let claim = try build(sink(Sample.exact), rows, dimensions: names)
    #expect(claim.rows.map { String(decoding: $0.meter, as: UTF8.self) } == ["calls", "tokens"])
    #expect(named(claim.rows[0]) == [])
    #expect(
      named(claim.rows[1]) == [
        "model=\(DimensionValue.string("m1"))", "temperature=\(DimensionValue.number("0.5"))",
        "cached=\(DimensionValue.boolean(true))",
      ])
    // As LEDGER-FORMAT.md spells them.
    var bytes: [UInt8] = [5] + Array("model".utf8) + [1, 2, 109, 49]
    bytes += [11] + Array("temperature".utf8) + [2, 3, 48, 46, 53]
    bytes += [6] + Array("cached".utf8) + [4]
    #expect(claim.rows[1].dimensions == bytes)
    let chunks = try ClaimChunk.payloads(rows: claim.rows, carries: []).map { try ClaimChunk(payload: $0) }
    #expect(chunks.flatMap(\.rows) == claim.rows)
  }

  @Test("features of one meter merge where names and values are the same, and only there")
  func dimensionsOfOneMeter() throws {
    let one: [UInt8] = [1, 1, 49]
    let rows = [
      Sample.row("a", "x", units: 1, dimensions: one), Sample.row("a", "y", units: 2, dimensions: one),
      Sample.row("a", "z", units: 4, dimensions: one), Sample.row("a", "x", units: 8, dimensions: [0]),
      Sample.row("a", "w", units: 16),
    ]
    let claim = try build(
      sink(Sample.exact, names: ["x": "m", "y": "m", "z": "m", "w": "m"]), rows,
      dimensions: ["x": ["model"], "y": ["region"], "z": ["model"]])
    let value = DimensionValue.string("1")
    #expect(claim.rows.map(named) == [[], ["model=\(value)"], ["region=\(value)"]])
    #expect(claim.rows.map(\.value.units) == [24, 5, 2])
  }

  @Test("each cut's rows are named by the configuration of that cut")
  func dimensionsOfTwoConfigurations() throws {
    var before = Sample.rules()
    before.counting.features["tokens"] = FeatureRule(dimensions: ["model"])
    var after = before
    after.version = 2
    after.counting.features["tokens"] = FeatureRule(dimensions: ["region", "model"])
    var ledger = try TestLedger(rules: before)
    try ledger.appendCut([Sample.row("a", "tokens", units: 1, dimensions: [1, 1, 49])])
    try ledger.append(.config(ConfigurationRecord(digest: after.digest, bytes: after.encoded)), by: 7)
    ledger.rules = after
    try ledger.appendCut([
      Sample.row("a", "tokens", units: 2, dimensions: [0, 1, 1, 49]),
      Sample.row("a", "tokens", units: 4, dimensions: [1, 1, 50, 0]),
    ])
    let claim = try ledger.fold.prepareClaim(sink: "books", map: { $0 })
    let (one, two) = (DimensionValue.string("1"), DimensionValue.string("2"))
    #expect(claim.content.rows.map(named) == [["model=\(one)"], ["region=\(two)"]])
    #expect(claim.content.rows.map(\.value.units) == [3, 4])
  }

  @Test("values that the configuration does not name stop the claim", arguments: [[1], [4, 4], [9], [1, 5, 97]])
  func namelessDimensions(_ values: [UInt8]) {
    #expect(throws: ClaimError.self) {
      try build(sink(Sample.exact), [Sample.row("a", units: 1, dimensions: values)], dimensions: ["calls": ["model"]])
    }
    #expect(throws: ClaimError.self) {
      try build(sink(Sample.exact), [Sample.row("a", units: 1, dimensions: [4])])
    }
  }
}
