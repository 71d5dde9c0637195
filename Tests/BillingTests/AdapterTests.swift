import Billing
import HTTP
import Metering
import Testing

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

private func billed(
  _ key: String = "idem-1", customer: String = "cus_1", meter: String = "api", units: Int128 = 42 * Quantity.scale,
  dimensions: [RowDimension] = [], timestamp: Int64 = 1_761_998_096_789
) -> SinkRow {
  SinkRow(
    reference: RowReference(claim: 0, row: 0), key: key, customer: Array(customer.utf8), meter: Array(meter.utf8),
    dimensions: dimensions, value: Quantity(units: units), timestampMilliseconds: timestamp)
}

private func response(_ status: Int, _ body: String = "", _ headers: [(String, String)] = []) -> ProviderReply {
  .response(.init(status: status, headers: headers.map { .init($0.0, $0.1) }, body: Array(body.utf8)))
}

private let stripe = StripeAdapter(secret: Secret("sk_test_123"))

@Suite("Stripe adapter")
struct StripeAdapterTests {
  /// Bodies that Stripe's own SDK sent (Python 16.1.0, recorded): ours are the same bytes.
  @Test(
    "Bodies are the recorded ones",
    arguments: [
      (
        billed(),
        "event_name=api&payload[stripe_customer_id]=cus_1&payload[value]=42&timestamp=1761998096&identifier=idem-1"
      ),
      (
        billed(units: -3 * Quantity.scale),
        "event_name=api&payload[stripe_customer_id]=cus_1&payload[value]=-3&timestamp=1761998096&identifier=idem-1"
      ),
      (
        billed("idem-é-1", customer: "客户-Zoë-😀/ü"),
        "event_name=api&payload[stripe_customer_id]=%E5%AE%A2%E6%88%B7-Zo%C3%AB-%F0%9F%98%80%2F%C3%BC"
          + "&payload[value]=42&timestamp=1761998096&identifier=idem-%C3%A9-1"
      ),
      (
        billed(dimensions: [RowDimension(name: "region", text: "eu & west")]),
        "event_name=api&payload[stripe_customer_id]=cus_1&payload[value]=42&payload[region]=eu+%26+west"
          + "&timestamp=1761998096&identifier=idem-1"
      ),
    ])
  func bodies(row: SinkRow, recorded: String) {
    let request = stripe.request(for: [row], account: "acct_1/test")
    #expect(text(request.body) == recorded)
    #expect(request.method == "POST")
    #expect(request.url == "https://api.stripe.com/v1/billing/meter_events")
  }

  @Test("Headers: Bearer, version, form; no Idempotency-Key; the secret only after authorize")
  func headers() {
    let request = stripe.request(for: [billed()], account: "a")
    #expect(!"\(request)".contains("sk_test"))
    let headers = stripe.authorize(request, unixSeconds: 0).headers
    #expect(headers.contains(.init("Authorization", "Bearer sk_test_123")))
    #expect(headers.contains(.init("Stripe-Version", "2026-10-28.endive")))
    #expect(headers.contains(.init("Content-Type", "application/x-www-form-urlencoded")))
    #expect(!headers.contains { $0.name.lowercased() == "idempotency-key" })
    #expect(!"\(stripe)".contains("sk_test_123"))
  }

  @Test("Numbers: whole, at most 15 digits, never an exponent")
  func numbers() {
    #expect(stripe.refusal(of: billed(units: 999_999_999_999_999 * Quantity.scale)) == nil)
    #expect(stripe.refusal(of: billed(units: -999_999_999_999_999 * Quantity.scale)) == nil)
    #expect(stripe.refusal(of: billed(units: 1_000_000_000_000_000 * Quantity.scale))?.reason == "value_not_taken")
    #expect(stripe.refusal(of: billed(units: Quantity.scale / 2))?.reason == "value_not_taken")
    #expect(stripe.refusal(of: billed(String(repeating: "k", count: 101)))?.reason == "invalid_key")
    var broken = billed()
    broken.customer = [0xFF]
    #expect(stripe.refusal(of: broken)?.reason == "invalid_customer")
    let body = text(stripe.request(for: [billed(units: 100_000_000_000_000 * Quantity.scale)], account: "").body)
    #expect(body.contains("payload[value]=100000000000000&"))
  }

  @Test("The contract is Stripe's")
  func contract() {
    let contract = stripe.contract
    #expect(contract.batch.records == 1)
    #expect(contract.idempotency == .key(windowMilliseconds: 86_400_000))
    #expect(contract.timestamps == .init(oldestMilliseconds: 35 * 86_400_000, newestAheadMilliseconds: 300_000))
    #expect(contract.isSerialPerCustomerAndMeter)
    #expect(contract.rowRules.stepUnits == Quantity.scale)
    #expect(contract.rates.map(\.count) == [25])
    #expect(StripeAdapter(secret: Secret("rk_live_1")).contract.rates.map(\.count) == [1_000])
    let slowed = StripeAdapter(secret: Secret("sk_live_1"), requestsPerSecond: 100).contract.rates
    #expect(slowed.map(\.count) == [100])
    #expect(StripeAdapter(secret: Secret("sk_test_1"), requestsPerSecond: 100).contract.rates.map(\.count) == [25])
  }

  @Test("What replies mean")
  func replies() {
    func verdict(_ reply: ProviderReply) -> Verdict? {
      if case .all(let verdict) = stripe.interpret(reply, rows: [billed()]) { verdict } else { nil }
    }
    func error(_ type: String, _ code: String?, _ message: String) -> String {
      "{\"error\":{\"type\":\"\(type)\",\(code.map { "\"code\":\"\($0)\"," } ?? "")\"message\":\"\(message)\"}}"
    }
    for status in [200, 201, 202, 204] { #expect(verdict(response(status, "<html>")) == .delivered) }
    let duplicate = error("invalid_request_error", nil, "An event already exists with identifier idem-1.")
    #expect(verdict(response(400, duplicate)) == .alreadyDelivered)
    #expect(
      verdict(response(400, error("invalid_request_error", "timestamp_too_far_in_past", "old")))
        == .rejected(code: "timestamp_too_far_in_past", detail: "old"))
    #expect(
      verdict(response(400, error("invalid_request_error", nil, "no"), [("Stripe-Should-Retry", "true")]))
        == .retryLater(code: "http_400", waitMilliseconds: nil, provenWithoutEffect: false, scope: .row))
    // Not Stripe that answers: a proxy, a wrong base_url.
    #expect(
      verdict(response(404, "<html>not found</html>"))
        == .retryLater(code: "http_404", waitMilliseconds: nil, provenWithoutEffect: false, scope: .sink))
    #expect(
      verdict(response(404, error("invalid_request_error", "resource_missing", "m")))
        == .rejected(code: "resource_missing", detail: "m"))
    #expect(verdict(response(401)) == .unauthorized(code: "http_401", provenWithoutEffect: true))
    #expect(verdict(response(403)) == .unauthorized(code: "http_403", provenWithoutEffect: false))
    #expect(verdict(response(429, "", [("Retry-After", "2")])) == .rateLimited(waitMilliseconds: 2_000, scope: .sink))
    #expect(
      verdict(response(429, error("invalid_request_error", "lock_timeout", "locked")))
        == .rateLimited(waitMilliseconds: nil, scope: .row))
    #expect(
      verdict(response(429, "", [("Stripe-Rate-Limited-Reason", "resource-specific")]))
        == .rateLimited(waitMilliseconds: nil, scope: .row))
    #expect(
      verdict(response(500, "", [("stripe-should-retry", "false")]))
        == .retryLater(code: "http_500", waitMilliseconds: 60_000, provenWithoutEffect: false, scope: .sink))
    #expect(
      verdict(.notSent(code: "dns"))
        == .retryLater(code: "dns", waitMilliseconds: nil, provenWithoutEffect: true, scope: .sink))
    #expect(verdict(.ambiguous(code: "timeout")) == .ambiguous(code: "timeout"))
  }

  @Test("Retry-After: seconds, a date against the reply's own Date, or nothing")
  func retryAfter() {
    func wait(_ headers: [(String, String)]) -> Int64? {
      if case .all(.rateLimited(let wait, _)) = stripe.interpret(response(429, "", headers), rows: [billed()]) {
        return wait
      }
      return -1
    }
    let date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(wait([("retry-after", "90")]) == 90_000)
    #expect(wait([date, ("Retry-After", "Sun, 06 Nov 1994 08:49:42 GMT")]) == 5_000)
    #expect(wait([date, ("Retry-After", "Sunday, 06-Nov-94 08:50:37 GMT")]) == 60_000)
    #expect(wait([date, ("Retry-After", "Sun Nov  6 08:49:38 1994")]) == 1_000)
    #expect(wait([date, ("Retry-After", "Sun, 06 Nov 1994 08:49:00 GMT")]) == 0)
    #expect(wait([("Retry-After", "Sun, 06 Nov 1994 08:49:42 GMT")]) == nil)
    #expect(wait([("Retry-After", "soon")]) == nil)
    #expect(wait([("Retry-After", "99999999")]) == 3_600_000)
    #expect(wait([("Retry-After", "-5")]) == nil)
  }

  @Test("check refuses meters that would not add up")
  func check() {
    let meters = [
      StripeCheck.Meter(id: "1", eventName: "good"),
      StripeCheck.Meter(id: "2", eventName: "counts", formula: "count"),
      StripeCheck.Meter(id: "3", eventName: "windowed", eventTimeWindow: "hour"),
      StripeCheck.Meter(id: "4", eventName: "keyed", customerKey: "cust", valueKey: "amount"),
      StripeCheck.Meter(id: "5", eventName: "off", isActive: false),
    ]
    #expect(StripeCheck.problems(meters: meters, eventNames: ["good"]) == [])
    for (name, count) in [("counts", 1), ("windowed", 1), ("keyed", 2), ("off", 0), ("absent", 0)] {
      let problems = StripeCheck.problems(meters: meters, eventNames: ["good", name])
      #expect(problems.count == count)
      #expect(problems.allSatisfy { $0.contains(name) })
    }
    #expect(StripeCheck.missing(meters: meters, eventNames: ["good", "off", "absent"]) == ["absent", "off"])
  }
}

@Suite("Webhook, log, registry")
struct OtherAdapterTests {
  private let webhook = WebhookAdapter(
    url: "https://example.com/usage", secret: Secret("s3cret"), idempotencyWindowMilliseconds: 604_800_000)

  @Test("The body is the documented one: exact decimals, a key a row, the same bytes each time")
  func body() {
    let rows = [
      billed("k.1", customer: "a\"b\n", units: -12_500_000_000),
      billed(
        "k.2", units: 1,
        dimensions: [.init(name: "model", text: "m1"), .init(name: "n", text: "1.5", kind: .number)]),
    ]
    let request = webhook.request(for: rows, account: "https://example.com/usage")
    #expect(
      text(request.body)
        == "{\"meterd\":1,\"account\":\"https://example.com/usage\",\"rows\":[{\"key\":\"k.1\",\"customer\":\"a\\\"b\\u000a\","
        + "\"meter\":\"api\",\"value\":\"-12.5\",\"timestamp\":\"2025-11-01T11:54:56.789Z\",\"unix_ms\":1761998096789},"
        + "{\"key\":\"k.2\",\"customer\":\"cus_1\",\"meter\":\"api\",\"dimensions\":{\"model\":\"m1\",\"n\":1.5},"
        + "\"value\":\"0.000000001\",\"timestamp\":\"2025-11-01T11:54:56.789Z\",\"unix_ms\":1761998096789}]}")
    #expect(webhook.request(for: rows, account: "https://example.com/usage") == request)
    #expect(rows.allSatisfy { webhook.bodyBytes(of: $0) > 100 })
  }

  @Test("The signature is fresh over an identical body")
  func signature() {
    let request = webhook.request(for: [billed()], account: "a")
    let first = webhook.authorize(request, unixSeconds: 1_700_000_000)
    let second = webhook.authorize(request, unixSeconds: 1_700_000_001)
    #expect(first.body == second.body)
    let code = Crypto.hmacSHA256(key: Array("s3cret".utf8), Array("1700000000.".utf8) + request.body)
    #expect(first.headers.last == .init("Meterd-Signature", "t=1700000000,v1=" + Crypto.hex(code)))
    #expect(first.headers.last != second.headers.last)
  }

  @Test("A refusal that names rows rejects them and re-sends the others; one that names none is halved")
  func refusal() {
    let rows = [billed("a"), billed("b"), billed("c")]
    let named = "{\"rejected\":[{\"key\":\"b\",\"reason\":\"customer_refused\"},{\"key\":\"zzz\",\"reason\":\"x\"}]}"
    for status in [400, 422] {
      #expect(
        webhook.interpret(response(status, named), rows: rows)
          == .each([
            .sendAgain(provenWithoutEffect: true),
            .rejected(code: "customer_refused", detail: "customer_refused"),
            .sendAgain(provenWithoutEffect: true),
          ]))
      for body in ["", "nonsense", "{\"rejected\":[]}", "{\"rejected\":[{\"key\":\"zzz\"}]}"] {
        guard case .all(.split) = webhook.interpret(response(status, body), rows: rows) else {
          Issue.record("\(status) \(body) is not split")
          continue
        }
      }
    }
    #expect(webhook.interpret(response(200, "garbage"), rows: rows) == .all(.delivered))
    guard case .all(.retryLater(_, _, false, .sink)) = webhook.interpret(response(404), rows: rows) else {
      Issue.record("a 404 must park nothing")
      return
    }
  }

  @Test("Without a declared window a webhook is not idempotent")
  func window() {
    #expect(webhook.contract.idempotency == .key(windowMilliseconds: 604_800_000))
    let none = WebhookAdapter(url: "https://e.com", secret: Secret("s"), idempotencyWindowMilliseconds: nil)
    #expect(none.contract.idempotency == .none)
  }

  @Test("Log: JSON lines, delivered once written")
  func log() {
    let lines = Lines()
    let adapter = LogAdapter(name: "out") { lines.append($0) }
    guard case .local(let deliver) = adapter.transport else {
      Issue.record("not local")
      return
    }
    let rows = [billed("a"), billed("b", units: 1_500_000_000)]
    let reply = deliver(adapter.request(for: rows, account: "log"))
    #expect(adapter.interpret(reply, rows: rows) == .all(.delivered))
    let written = text(lines.bytes).split(separator: "\n")
    #expect(written.count == 2)
    #expect(written[1].hasPrefix("{\"sink\":\"out\",\"key\":\"b\",") && written[1].contains("\"value\":\"1.5\""))
  }

  @Test("The registry names the key that cannot work")
  func registry() throws {
    func problem(_ configuration: SinkConfiguration) -> String? {
      do {
        _ = try ProviderRegistry.make(configuration) { _ in true }
        return nil
      } catch { return error.key }
    }
    let secret = Secret("sk_test_1")
    #expect(problem(.init(name: "s", provider: "stripe", secret: secret)) == nil)
    #expect(problem(.init(name: "s", provider: "stripe")) == "secret_key")
    #expect(problem(.init(name: "s", provider: "stripe", url: "api.stripe.com", secret: secret)) == "base_url")
    #expect(problem(.init(name: "s", provider: "webhook", secret: secret)) == "url")
    #expect(problem(.init(name: "s", provider: "webhook", url: "https://u:p@e.com", secret: secret)) == "url")
    #expect(problem(.init(name: "s", provider: "webhook", url: "https://e.com")) == "secret")
    #expect(problem(.init(name: "s", provider: "fax")) == "provider")
    #expect(problem(.init(name: "s", provider: "log", requestsPerSecond: 0)) == "rate.requests_per_second")
    #expect(
      problem(.init(name: "s", provider: "log", idempotencyWindowMilliseconds: 1)) == "idempotency_window")
    let sink = try ProviderRegistry.make(
      .init(name: "s", provider: "webhook", url: "https://e.com/u", secret: secret, featureNames: ["a": "b"])
    ) { _ in true }
    #expect(sink.rules.account == "https://e.com/u")
    #expect(sink.rules.featureNames == ["a": "b"])
    #expect(!"\(sink)".contains("sk_test_1"))
  }
}
