import Daemon
import Foundation
import Testing

@Suite struct UsageGeneratorTests {
  struct Written: Hashable {
    var key: [UInt8]
    var value: [UInt8]
  }

  func run(_ plan: LoadPlan) throws -> (records: [Written], expected: ExpectedTotals) {
    var generator = try UsageGenerator(plan: plan)
    var key = [UInt8](repeating: 0, count: UsageGenerator.longestKey)
    var value = [UInt8](repeating: 0, count: UsageGenerator.longestValue)
    var records: [Written] = []
    while true {
      let written = key.withUnsafeMutableBytes { key in
        value.withUnsafeMutableBytes { value in generator.write(key: key, value: value) }
      }
      guard let written else { break }
      records.append(Written(key: Array(key[..<written.key]), value: Array(value[..<written.value])))
    }
    return (records, generator.expected())
  }

  let plan = LoadPlan(
    events: 20_000, duplicatesPer10000: 300, customers: 500, features: 7, seed: 42, startMilliseconds: 1_790_000_000_000
  )

  @Test func equalPlansWriteEqualBytesAndOtherSeedsDoNot() throws {
    let first = try run(plan)
    let second = try run(plan)
    #expect(first.records == second.records)
    #expect(first.expected == second.expected)
    var other = plan
    other.seed = 43
    #expect(try run(other).records.first != first.records.first)
  }

  /// An independent count: parse every value with another parser, keep the first of each key, add up.
  @Test func expectedTotalsAreThoseOfAnIndependentCount() throws {
    let (records, expected) = try run(plan)
    var seen: [String: Written] = [:]
    var totals: [String: Int] = [:]
    var repeats: Int64 = 0
    for record in records {
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(record.value)) as? [String: Any])
      let id = try #require(object["idempotencyKey"] as? String)
      let customer = try #require(object["customerId"] as? String)
      let feature = try #require(object["featureId"] as? String)
      let amount = try #require(object["amount"] as? Int)
      #expect(record.key == Array(customer.utf8))
      if let earlier = seen[id] {
        #expect(earlier == record)
        repeats += 1
        continue
      }
      seen[id] = record
      totals["\(customer) \(feature)", default: 0] += amount
    }
    #expect(records.count == 20_000)
    #expect(expected.events == 20_000)
    #expect(expected.duplicates == repeats)
    #expect(expected.unique == Int64(seen.count))
    #expect((400...800).contains(repeats))
    let listed = Dictionary(
      uniqueKeysWithValues: expected.totals.map { ("\($0.customer) \($0.feature)", Int($0.whole)) })
    #expect(listed == totals)
  }

  @Test func usageIsSpreadOverCustomersAndFeaturesWithFewLargeOnes() throws {
    let (records, expected) = try run(plan)
    #expect(Set(expected.totals.map(\.customer)).count == 500)
    #expect(Set(expected.totals.map(\.feature)).count == 7)
    var byCustomer: [[UInt8]: Int] = [:]
    for record in records { byCustomer[record.key, default: 0] += 1 }
    // Nine powers of two share the events: the first customer alone has one of them.
    let largest = byCustomer.values.max() ?? 0
    #expect((1_800...3_500).contains(largest))
  }

  @Test func expectedTotalsAreWrittenAsJSONWithDecimalStrings() throws {
    let totals = ExpectedTotals(
      events: 3, unique: 2, duplicates: 1,
      totals: [.init(customer: "cus_1", feature: "f", whole: Int128(Int64.max) * 10)])
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(totals.json.utf8)) as? [String: Any])
    let first = try #require((object["totals"] as? [[String: String]])?.first)
    #expect(first == ["customer": "cus_1", "feature": "f", "quantity": "92233720368547758070"])
    #expect(object["events"] as? Int == 3)
    #expect(object["unique"] as? Int == 2)
    #expect(object["duplicates"] as? Int == 1)
  }

  @Test func plansOutOfRangeAreRefusedByOption() {
    for (change, option) in [
      ({ (plan: inout LoadPlan) in plan.events = 0 }, "--events"),
      ({ (plan: inout LoadPlan) in plan.duplicatesPer10000 = 5_001 }, "--duplicates"),
      ({ (plan: inout LoadPlan) in plan.customers = 0 }, "--customers"),
      ({ (plan: inout LoadPlan) in plan.features = 1_001 }, "--features"),
    ] {
      var plan = plan
      change(&plan)
      let error = #expect(throws: UsageGenerator.InvalidPlan.self) { _ = try run(plan) }
      #expect(error?.description.contains(option) == true)
    }
  }

  @Test func oneCustomerAndOneFeatureWork() throws {
    var small = plan
    small.customers = 1
    small.features = 1
    small.events = 10
    small.duplicatesPer10000 = 0
    let (_, expected) = try run(small)
    #expect(expected.totals.count == 1)
    #expect(expected.unique == 10)
  }
}
