import TestSupport
import Testing

@testable import Metering

/// The payloads that are written from interners and row table, against rows with bytes of their own in a sorted list.
@Suite("A cut's canonical order")
struct CanonicalOrderTests {
  private struct Name: Hashable {
    var customer: [UInt8]
    var feature: [UInt8]
    var dimensions: [UInt8]
    var slot: Int64
  }

  /// Names that begin alike, are each other's beginnings, or end with zeros.
  private func name(_ random: inout SeededRandom, _ distinct: Int, prefix: [UInt8]) -> [UInt8] {
    switch random.below(4) {
    case 0: prefix + Array(String(random.below(distinct)).utf8)
    case 1: prefix + [UInt8](repeating: UInt8(random.below(2)), count: 1 + random.below(12))
    case 2: prefix + [0xff, UInt8(random.below(3))] + [UInt8](repeating: 7, count: random.below(9))
    default: prefix + Array(repeating: Array("ab".utf8), count: random.below(8)).flatMap { $0 } + [1]
    }
  }

  private func check(_ random: inout SeededRandom, rows count: Int, distinct: Int, features: Int) {
    let hash = KeyedHash(key: FingerprintKey(low: random.next(), high: random.next()))
    let prefix = Array("customer-0".utf8.prefix(random.below(11)))
    var range = OpenRange(from: 0)
    var expected: [Name: CutRow] = [:]
    for _ in 0..<count {
      let name = Name(
        customer: name(&random, distinct, prefix: prefix), feature: name(&random, features, prefix: [102]),
        dimensions: random.chance(50) ? [] : name(&random, 5, prefix: [1]),
        slot: Int64(random.below(4) - 1) * 3_600_000)
      var units = Int128(Int64(bitPattern: random.next()) >> Int64(random.below(64)))
      if random.chance(30) { units *= Quantity.scale }
      let time = name.slot + Int64(random.below(3_600_000))
      func number(_ bytes: [UInt8], _ interner: inout Interner) -> UInt32 {
        bytes.withUnsafeBytes { interner.number(of: $0, hash: hash($0)) }
      }
      let customer = number(name.customer, &range.customers)
      let feature = number(name.feature, &range.features)
      let dimensions = number(name.dimensions, &range.dimensions)
      let isAdded = range.rows.add(
        units, events: 1, time: time, customer: customer, feature: feature, dimensions: dimensions,
        slotStart: name.slot,
        hash: RowTable.hash(customer: customer, feature: feature, dimensions: dimensions, slotStart: name.slot))
      #expect(isAdded)
      var row =
        expected[name]
        ?? CutRow(
          customer: name.customer, feature: name.feature, dimensions: name.dimensions,
          slotStartMilliseconds: name.slot, greatestTimeMilliseconds: .min, quantity: .zero, events: 0)
      row.quantity.units += units
      row.events += 1
      row.greatestTimeMilliseconds = max(row.greatestTimeMilliseconds, time)
      expected[name] = row
    }
    let rows = expected.values.sorted(by: CutRow.precedes)
    #expect(range.rows.count == rows.count)
    for limit in [LedgerCodec.chunkLimit, 4_000, 1] {
      let payloads = range.canonicalPayloads(limit: limit)
      #expect(payloads == CutChunk.payloads(of: rows, limit: limit))
      #expect(payloads.isEmpty == rows.isEmpty && (limit > 1 || payloads.count == rows.count))
    }
    let frozen = FrozenRange(
      from: 0, to: 1, payloads: range.canonicalPayloads(), rowCount: range.rows.count, counters: RangeCounters(),
      clockAtEnd: 0)
    #expect(frozen.rows == rows)
  }

  @Test("any range's payloads are those of its sorted rows, byte for byte, in chunks of any size")
  func payloads() {
    var random = SeededRandom(seed: 64)
    check(&random, rows: 0, distinct: 1, features: 1)
    for _ in 0..<60 { check(&random, rows: random.below(300), distinct: 1 + random.below(40), features: 3) }
    check(&random, rows: 20_000, distinct: 5_000, features: 4)
    // More pairs of feature and dimensions than rows.
    check(&random, rows: 5_000, distinct: 10, features: 4_000)
  }
}
