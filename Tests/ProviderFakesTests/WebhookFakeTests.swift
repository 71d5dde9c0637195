import Foundation
import HTTP
import ProviderFakes
import TestSupport
import Testing

@Suite struct WebhookFakeTests {
  private struct Row {
    var key = "k1"
    var customer = "c"
    var meter = "m"
    var value = "-12.5"
    var timestamp = "2027-01-15T08:00:00Z"
    var milliseconds: Int64 = 1_800_000_000_000
  }

  private func withWebhook(
    _ options: WebhookFakeOptions = WebhookFakeOptions(secret: "s"),
    _ body: (WebhookFake, HTTPClient, TestClock) async throws -> Void
  ) async throws {
    try await withFake({ try WebhookFake(options, server: $0) }, body)
  }

  private func request(
    _ fake: WebhookFake, _ rows: [Row], at time: Int64, secret: String = "s", version: Int = 1
  ) -> HTTPRequest {
    let items = rows.map {
      "{\"key\":\"\($0.key)\",\"customer\":\"\($0.customer)\",\"meter\":\"\($0.meter)\",\"value\":\"\($0.value)\","
        + "\"timestamp\":\"\($0.timestamp)\",\"unix_ms\":\($0.milliseconds)}"
    }
    let body = Array("{\"meterd\":\(version),\"account\":\"a\",\"rows\":[\(items.joined(separator: ","))]}".utf8)
    let code = Crypto.hex(Crypto.hmacSHA256(key: Array(secret.utf8), Array("\(time).".utf8) + body))
    return HTTPRequest(
      method: "POST", url: fake.baseURL + "/usage",
      headers: [("Content-Type", "application/json"), ("Meterd-Signature", "t=\(time),v1=\(code)")], body: body)
  }

  @Test func rowsAreSummedExactlyAndOnce() async throws {
    try await withWebhook { fake, client, clock in
      let rows = [
        Row(), Row(key: "k2", value: "0.000000001"), Row(key: "k3", customer: "d", value: "999999999999999999"),
      ]
      let first = await client.send(request(fake, rows, at: clock.seconds))
      #expect(first.status == 200)
      #expect(first.json["accepted"] as? Int == 3 && first.json["duplicates"] as? Int == 0)
      clock.advance(seconds: 3600)
      // The same body under a fresh signature.
      let again = await client.send(request(fake, rows, at: clock.seconds))
      #expect(again.json["accepted"] as? Int == 0 && again.json["duplicates"] as? Int == 3)
      #expect(total(fake, "c", "m") == "-12.499999999")
      #expect(total(fake, "d", "m") == "999999999999999999")
      #expect(fake.effects.violations.isEmpty && fake.effects.duplicates == 3)
      let twice = await client.send(request(fake, [Row(key: "k4"), Row(key: "k4")], at: clock.seconds))
      #expect(twice.json["accepted"] as? Int == 1 && twice.json["duplicates"] as? Int == 1)
      #expect(fake.effects.effects(ofKey: "k4") == 1)
    }
  }

  @Test func aKeyWithAnotherContentIsAViolation() async throws {
    let changes = [
      Row(value: "-12.6"), Row(customer: "d"), Row(meter: "n"),
      Row(timestamp: "2027-01-15T08:00:01Z", milliseconds: 1_800_000_001_000),
    ]
    for changed in changes {
      try await withWebhook { fake, client, clock in
        _ = await client.send(request(fake, [Row()], at: clock.seconds))
        let reply = await client.send(request(fake, [changed], at: clock.seconds))
        #expect(reply.json["duplicates"] as? Int == 1)
        #expect(fake.effects.violations.map(\.kind) == [.twoValues])
        #expect(total(fake, "c", "m") == "-12.5")
        let admin = await client.send(HTTPRequest(method: "GET", url: fake.baseURL + "/_fake/violations"))
        #expect((admin.json["violations"] as? [[String: String]])?.first?["kind"] == "two_values")
      }
    }
  }

  @Test func keysAreForgottenAfterTheWindow() async throws {
    try await withWebhook(WebhookFakeOptions(secret: "s", idempotencyWindow: .seconds(100))) { fake, client, clock in
      _ = await client.send(request(fake, [Row()], at: clock.seconds))
      clock.advance(seconds: 100)
      #expect(await client.send(request(fake, [Row()], at: clock.seconds)).json["accepted"] as? Int == 1)
      #expect(fake.effects.violations.map(\.kind) == [.doubleEffect])
      #expect(total(fake, "c", "m") == "-25")
    }
  }

  @Test func signaturesAreVerified() async throws {
    try await withWebhook { fake, client, clock in
      let good = request(fake, [Row()], at: clock.seconds)
      var altered = good
      altered.body[altered.body.count - 3] ^= 1
      var unsigned = good
      unsigned.headers.removeLast()
      var odd = good
      odd.headers[1].1 = "v1=00"
      let requests = [
        request(fake, [Row()], at: clock.seconds, secret: "other"), request(fake, [Row()], at: clock.seconds - 301),
        request(fake, [Row()], at: clock.seconds + 301), altered, unsigned, odd,
      ]
      for bad in requests { #expect(await client.send(bad).status == 401) }
      #expect(fake.totals().isEmpty && fake.effects.refusals == 6)
      #expect(await client.send(request(fake, [Row()], at: clock.seconds - 300)).status == 200)
    }
  }

  @Test func withoutASecretAnyFreshSignatureWillDo() async throws {
    try await withWebhook(WebhookFakeOptions(secret: nil)) { fake, client, clock in
      let fresh = await client.send(request(fake, [Row()], at: clock.seconds, secret: "whatever"))
      #expect(fresh.status == 200)
      let stale = await client.send(request(fake, [Row(key: "k2")], at: clock.seconds - 3600, secret: "whatever"))
      #expect(stale.status == 401)
    }
  }

  @Test func aBatchWithARefusedRowHasNoEffect() async throws {
    try await withWebhook(WebhookFakeOptions(secret: "s", refusedCustomers: ["bad"])) { fake, client, clock in
      let rows = [Row(), Row(key: "k2", customer: "bad")]
      let reply = await client.send(request(fake, rows, at: clock.seconds))
      #expect(reply.status == 422)
      let rejected = reply.json["rejected"] as? [[String: String]]
      #expect(rejected == [["key": "k2", "reason": "customer_refused"]])
      #expect(fake.totals().isEmpty)
      fake.setRefusedCustomers([])
      #expect(await client.send(request(fake, rows, at: clock.seconds)).json["accepted"] as? Int == 2)
    }
  }

  @Test(arguments: ["1e3", "1.0000000001", "+1", "01", ".5", "1.", "", "-0", "NaN", "1000000000000000000", " 1"])
  func valuesAreReadStrictly(_ value: String) async throws {
    try await withWebhook { fake, client, clock in
      let reply = await client.send(request(fake, [Row(value: value)], at: clock.seconds))
      #expect(reply.status == 422)
      #expect((reply.json["rejected"] as? [[String: String]])?.first?["reason"] == "invalid_value")
    }
  }

  @Test func formsAreReadStrictly() async throws {
    try await withWebhook { fake, client, clock in
      let mismatch = await client.send(request(fake, [Row(milliseconds: 1)], at: clock.seconds))
      #expect((mismatch.json["rejected"] as? [[String: String]])?.first?["reason"] == "invalid_timestamp")
      #expect(await client.send(request(fake, [Row()], at: clock.seconds, version: 2)).status == 400)
      var text = HTTPRequest(method: "POST", url: fake.baseURL, body: Array("{}".utf8))
      let code = Crypto.hex(Crypto.hmacSHA256(key: Array("s".utf8), Array("\(clock.seconds).{}".utf8)))
      text.headers = [("Meterd-Signature", "t=\(clock.seconds),v1=\(code)")]
      #expect(await client.send(text).status == 400)
      text.method = "PUT"
      #expect(await client.send(text).status == 405)
    }
  }

  @Test func instants() {
    #expect(RFC3339.text(unixMilliseconds: 0) == "1970-01-01T00:00:00.000Z")
    #expect(RFC3339.text(unixMilliseconds: 1_709_210_096_789) == "2024-02-29T12:34:56.789Z")
    #expect(RFC3339.text(unixMilliseconds: -1) == "1969-12-31T23:59:59.999Z")
    #expect(RFC3339.parse("2024-02-29T12:34:56.789Z") == 1_709_210_096_789)
    #expect(RFC3339.parse("2024-02-29T14:34:56.7891+02:00") == 1_709_210_096_789)
    #expect(RFC3339.parse("2024-02-29T12:34:56Z") == 1_709_210_096_000)
    for text in ["2023-02-29T00:00:00Z", "2024-02-29", "2024-02-29T12:34:56", "2024-02-29T12:34:56.Z", "x"] {
      #expect(RFC3339.parse(text) == nil, "\(text)")
    }
  }

  @Test func decimals() {
    for text in ["0", "-12.5", "0.000000001", "-999999999999999999.999999999", "3"] {
      #expect(ExactDecimal(text)?.description == text)
    }
    #expect(ExactDecimal("1.500")?.description == "1.5")
  }
}
