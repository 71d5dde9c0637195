import Foundation
import HTTP
import ProviderFakes
import TestSupport
import Testing

/// What Stripe takes and what it refuses: numbers, times, parameters, identifiers.
@Suite struct StripeFakeRuleTests {
  /// Value, whether it is taken.
  static let numbers: [(String, Bool)] = [
    ("0", true), ("-3", true), ("999999999999999", true), ("007", false), ("1000000000000000", false),
    ("1e21", false), ("1e+21", false), ("0.1", false), ("42.0", false), ("", false), ("+1", false), (" 1", false),
    ("abc", false), ("-", false), ("-0", false),
  ]
  /// Seconds from now, whether they are taken.
  static let offsets: [(Int64, Bool)] = [
    (-35 * 86_400, true), (-35 * 86_400 - 1, false), (300, true), (301, false), (0, true),
  ]
  /// Name, value (nil: left out), code.
  static let wrongParameters: [(String, String?, String)] = [
    ("event_name", nil, "parameter_missing"), ("payload[value]", nil, "parameter_missing"),
    ("payload[stripe_customer_id]", nil, "parameter_missing"), ("extra", "1", "parameter_unknown"),
    ("timestamp", "1761998096.789", "parameter_invalid_integer"), ("identifier", "", "parameter_invalid_empty"),
    ("payload", "x", "parameter_invalid_hash"),
  ]

  @Test(arguments: Self.numbers)
  func numberRules(_ value: String, _ isTaken: Bool) async throws {
    try await withStripe { fake, client, _ in
      let result = await client.send(stripeEvent(fake, [("payload[value]", value)]))
      #expect(result.status == (isTaken ? 200 : 400))
      #expect(total(fake, "cus_1", "api") == (isTaken ? value : nil))
      if !isTaken {
        #expect(result.error["param"] == "payload[value]")
        #expect(fake.effects.refusals == 1)
      }
    }
  }

  @Test func fractionsWhereTheAccountTakesThem() async throws {
    try await withStripe(StripeFakeOptions(allowsFractions: true)) { fake, client, _ in
      #expect(await client.send(stripeEvent(fake, [("payload[value]", "0.1")])).status == 200)
      let second = stripeEvent(fake, [("payload[value]", "0.2"), ("identifier", "b")])
      #expect(await client.send(second).status == 200)
      #expect(total(fake, "cus_1", "api") == "0.3")
    }
  }

  @Test(arguments: Self.offsets)
  func timestampWindow(_ offset: Int64, _ isTaken: Bool) async throws {
    try await withStripe { fake, client, clock in
      let result = await client.send(stripeEvent(fake, [("timestamp", String(clock.seconds + offset))]))
      #expect(result.status == (isTaken ? 200 : 400))
      if !isTaken { #expect(result.error["param"] == "timestamp") }
    }
  }

  @Test(arguments: Self.wrongParameters)
  func wrongParametersAreNamed(_ name: String, _ value: String?, _ code: String) async throws {
    try await withStripe { fake, client, _ in
      let result = await client.send(stripeEvent(fake, [(name, value)]))
      #expect(result.status == 400)
      #expect(result.error["type"] == "invalid_request_error")
      #expect(result.error["code"] == code)
      #expect(result.error["param"] == name)
      #expect(fake.totals().isEmpty)
    }
  }

  @Test func identifiersHaveAtMost100Characters() async throws {
    try await withStripe { fake, client, _ in
      let long = String(repeating: "x", count: 100)
      #expect(await client.send(stripeEvent(fake, [("identifier", long)])).status == 200)
      #expect(await client.send(stripeEvent(fake, [("identifier", long + "x")])).status == 400)
    }
  }

}
