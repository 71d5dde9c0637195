import Foundation
import Metering
import Testing

@testable import Billing

/// From a cut's row to the bytes of a request: the dimension that the configuration names is the one that the provider
/// is told.
@Suite("Dimensions reach the provider")
struct DimensionTests {
  /// The claim's one row, as its sink is handed it: through the cut's records, the claim and the claim's records.
  private func claimed(_ names: [String], _ values: [UInt8]) throws -> SinkRow {
    let cutRow = CutRow(
      customer: Array("cus_1".utf8), feature: Array("tokens".utf8), dimensions: values, slotStartMilliseconds: 0,
      greatestTimeMilliseconds: 1_761_998_096_789, quantity: Quantity(7), events: 3)
    var builder = ClaimBuilder(
      rules: SinkRules(
        name: "s", provider: "p", rowRules: RowRules(stepUnits: 1, greatestUnits: nil, allowsNegative: true)),
      carry: [:])
    try builder.add(
      cut: 0, payloads: CutChunk.payloads(of: [cutRow]), features: ["tokens": FeatureRule(dimensions: names)],
      map: { $0 })
    let content = try builder.finish()
    let chunk = try ClaimChunk(payload: try #require(ClaimChunk.payloads(rows: content.rows, carries: []).first))
    let row = LedgerRow(
      reference: RowReference(claim: 1, row: 0), key: "k.1", row: try #require(chunk.rows.first), state: .ready,
      hasEarlierAttempts: false)
    return SinkRow(row)
  }

  /// `model` a string that needs escapes, `temperature` a number, `cached` true, `region` absent.
  private static let names = ["model", "temperature", "cached", "region"]
  private static let values: [UInt8] = [1, 4, 109, 32, 34, 49, 2, 3, 48, 46, 53, 4, 0]

  @Test("webhook: an object of names and values, typed")
  func webhook() throws {
    let adapter = WebhookAdapter(
      url: "https://example.com/usage", secret: Secret("s"), idempotencyWindowMilliseconds: 86_400_000)
    let row = try claimed(Self.names, Self.values)
    let body = adapter.request(for: [row], account: "a").body
    let text = String(decoding: body, as: UTF8.self)
    #expect(text.contains(#""dimensions":{"model":"m \"1","temperature":0.5,"cached":true},"value":"7""#), "\(text)")
    #expect(try JSONSerialization.jsonObject(with: Data(body)) is [String: Any])
    #expect(adapter.refusal(of: row) == nil)
  }

  @Test("Stripe: one payload key for each, beside the customer and the value")
  func stripe() throws {
    let adapter = StripeAdapter(secret: Secret("sk_test_1"))
    let row = try claimed(Self.names, Self.values)
    #expect(adapter.refusal(of: row) == nil)
    let body = String(decoding: adapter.request(for: [row], account: "a").body, as: UTF8.self)
    #expect(
      body.contains(
        "payload[value]=7&payload[model]=m+%221&payload[temperature]=0.5&payload[cached]=true&timestamp="), "\(body)")
    let reserved = try claimed(["value"], [1, 1, 49])
    #expect(adapter.refusal(of: reserved)?.reason == "dimension_not_taken")
  }

  @Test("log: the same object as the webhook's")
  func log() throws {
    let adapter = LogAdapter(name: "log") { _ in true }
    let row = try claimed(["region"], [1, 2, 101, 117])
    let body = String(decoding: adapter.request(for: [row], account: "log").body, as: UTF8.self)
    #expect(body.contains(#""dimensions":{"region":"eu"}"#), "\(body)")
    #expect(
      !String(decoding: adapter.request(for: [try claimed([], [])], account: "log").body, as: UTF8.self)
        .contains("dimensions"))
  }
}
