import Foundation
import HTTP
import ProviderFakes
import TestSupport
import Testing

/// A Stripe fake under a clock of its own, and a client.
func withStripe(
  _ options: StripeFakeOptions = StripeFakeOptions(),
  _ body: (StripeFake, HTTPClient, TestClock) async throws -> Void
) async throws {
  try await withFake({ try StripeFake(options, server: $0) }, body)
}

@Suite struct StripeFakeTests {
  @Test func anEventIsBookedAndAnsweredAsStripeDoes() async throws {
    try await withStripe { fake, client, clock in
      let time = String(clock.seconds - 60)
      let result = await client.send(
        stripeEvent(
          fake, [("timestamp", time), ("payload[region]", "eu & west")], headers: [("idempotency-KEY", "k1")]))
      #expect(result.status == 200)
      #expect(result.response?.header("Request-Id")?.hasPrefix("req_") == true)
      let json = result.json
      #expect(json["object"] as? String == "billing.meter_event")
      #expect(json["identifier"] as? String == "idem-1")
      #expect(json["timestamp"] as? Int64 == clock.seconds - 60)
      #expect(json["livemode"] as? Bool == false)
      #expect(
        json["payload"] as? [String: String] == ["stripe_customer_id": "cus_1", "value": "42", "region": "eu & west"])
      #expect(total(fake, "cus_1", "api") == "42")
      #expect(fake.effects.effects(ofKey: "idem-1") == 1)
      #expect(fake.effects.calls.first?.header("Idempotency-Key") == "k1")
      #expect(fake.effects.calls.first?.status == 200)
    }
  }

  @Test(arguments: [StripeFakeOptions.DuplicateReply.error, .silent])
  func anIdentifierIsTakenOnceInItsWindow(_ reply: StripeFakeOptions.DuplicateReply) async throws {
    try await withStripe(StripeFakeOptions(duplicateReply: reply)) { fake, client, clock in
      #expect(await client.send(stripeEvent(fake)).status == 200)
      clock.advance(seconds: 86_399)
      let again = await client.send(stripeEvent(fake))
      if reply == .error {
        #expect(again.status == 400)
        #expect(again.error["type"] == "invalid_request_error")
        #expect(again.error["message"] == "An event already exists with identifier idem-1.")
      } else {
        #expect(again.status == 200)
      }
      #expect(total(fake, "cus_1", "api") == "42")
      #expect(fake.effects.duplicates == 1 && fake.effects.violations.isEmpty)
      // The window rolls from the first arrival: past it the same event is booked again, which no sender may let happen.
      clock.advance(seconds: 2)
      #expect(await client.send(stripeEvent(fake)).status == 200)
      #expect(total(fake, "cus_1", "api") == "84")
      #expect(fake.effects.violations.map(\.kind) == [.doubleEffect])
    }
  }

  @Test func anIdentifierWithTwoValuesIsAViolation() async throws {
    try await withStripe { fake, client, _ in
      _ = await client.send(stripeEvent(fake))
      #expect(await client.send(stripeEvent(fake, [("payload[value]", "43")])).status == 400)
      #expect(fake.effects.violations.map(\.kind) == [.twoValues])
      #expect(fake.effects.violations.first?.key == "idem-1")
      #expect(total(fake, "cus_1", "api") == "42")
    }
  }

  @Test func oneCallAtATimeForACustomerAndMeter() async throws {
    // Calls of cus_1 are held until the test lets them go.
    let held = Locked<[@Sendable () -> Void]>([])
    let isHolding = Locked(true)
    let arrived = Latch()
    func make(_ options: FakeServerOptions) throws -> StripeFake {
      var options = options
      options.hold = { complete in
        guard isHolding.withLock({ $0 }) else { return complete() }
        held.withLock { $0.append(complete) }
        arrived.open()
      }
      return try StripeFake(server: options)
    }
    try await withFake(make) { fake, client, _ in
      async let first = client.send(stripeEvent(fake, [("identifier", "a")]))
      await arrived.wait()
      let second = await client.send(stripeEvent(fake, [("identifier", "b")]))
      #expect(second.status == 429)
      #expect(second.error["code"] == "lock_timeout")
      #expect(second.response?.header("Stripe-Rate-Limited-Reason") == "resource-specific")
      #expect(second.response?.header("Stripe-Should-Retry") == "true")
      isHolding.withLock { $0 = false }
      let other = [("identifier", "c"), ("payload[stripe_customer_id]", "cus_2")]
      #expect(await client.send(stripeEvent(fake, other)).status == 200)
      for complete in held.withLock({ $0 }) { complete() }
      held.withLock { $0.removeAll() }  // they keep the fake, which keeps this
      #expect(await first.status == 200)
      #expect(await client.send(stripeEvent(fake, [("identifier", "b")])).status == 200)
      #expect(total(fake, "cus_1", "api") == "84")
    }
  }

  @Test func theRateIsLimitedByTheFakesClock() async throws {
    try await withStripe(StripeFakeOptions(requestsPerSecond: 3)) { fake, client, clock in
      var statuses: [Int?] = []
      for number in 0..<5 {
        statuses.append(await client.send(stripeEvent(fake, [("identifier", "\(number)")])).status)
      }
      #expect(statuses == [200, 200, 200, 429, 429])
      let refused = await client.send(stripeEvent(fake, [("identifier", "3")]))
      #expect(refused.error["code"] == "rate_limit")
      #expect(refused.response?.header("Retry-After") == "1")
      #expect(refused.response?.header("Stripe-Rate-Limited-Reason") == "global-rate")
      clock.advance(seconds: 1)
      #expect(await client.send(stripeEvent(fake, [("identifier", "3")])).status == 200)
    }
  }

  @Test func credentials() async throws {
    try await withStripe { fake, client, _ in
      for (header, status) in [
        ("Bearer sk_test_1", 200), ("bearer sk_live_1", 200),
        ("Basic " + Data("sk_test_1:".utf8).base64EncodedString(), 200),
        ("Bearer pk_test_1", 401), ("Bearer sk_test_", 401), ("Bearer ", 401), ("Digest x", 401),
      ] {
        var request = stripeEvent(fake, [("identifier", header)])
        request.headers[0].1 = header
        #expect(await client.send(request).status == status, "\(header)")
      }
      var anonymous = stripeEvent(fake)
      anonymous.headers.removeFirst()
      #expect(await client.send(anonymous).status == 401)
    }
    try await withStripe(StripeFakeOptions(secretKey: "sk_test_right")) { fake, client, _ in
      #expect(await client.send(stripeEvent(fake, key: "sk_test_right")).status == 200)
      let wrong = await client.send(stripeEvent(fake, key: "sk_test_wrong_secret_0123"))
      #expect(wrong.status == 401)
      #expect(wrong.error["message"]?.contains("wrong_secret") == false)
    }
  }

  @Test func anAdjustmentCancelsOnceWithinADay() async throws {
    try await withStripe { fake, client, clock in
      func cancel(_ identifier: String, type: String = "cancel") async -> HTTPResult {
        var request = stripeEvent(fake)
        request.url = fake.baseURL + "/v1/billing/meter_event_adjustments"
        request.body = FormEncoding.encode(
          [("event_name", "api"), ("type", type), ("cancel[identifier]", identifier)], bareBrackets: true)
        return await client.send(request)
      }
      _ = await client.send(stripeEvent(fake))
      _ = await client.send(stripeEvent(fake, [("identifier", "old"), ("payload[value]", "7")]))
      #expect(await cancel("idem-1", type: "undo").status == 400)
      let done = await cancel("idem-1")
      #expect(done.status == 200)
      #expect(done.json["object"] as? String == "billing.meter_event_adjustment")
      #expect(total(fake, "cus_1", "api") == "7")
      #expect(await cancel("idem-1").status == 400)
      #expect(await cancel("unknown").status == 400)
      clock.advance(seconds: 86_401)
      #expect(await cancel("old").status == 400)
      #expect(total(fake, "cus_1", "api") == "7")
    }
  }

  @Test func readBack() async throws {
    let meters = [
      StripeMeter(eventName: "api", id: "mtr_1"), StripeMeter(eventName: "calls", formula: .count),
      StripeMeter(eventName: "pre", eventTimeWindow: .day), StripeMeter(eventName: "old", isActive: false),
    ]
    let options = StripeFakeOptions(accountID: "acct_7", meters: meters, summaryLag: .seconds(30))
    try await withStripe(options) { fake, client, clock in
      #expect(await client.send(stripeGet(fake, "/v1/account")).json["id"] as? String == "acct_7")
      let list = await client.send(stripeGet(fake, "/v1/billing/meters?limit=2&status=active"))
      let data = try #require(list.json["data"] as? [[String: Any]])
      #expect(data.map { $0["event_name"] as? String } == ["api", "calls"])
      #expect(list.json["has_more"] as? Bool == true)
      #expect((data[1]["default_aggregation"] as? [String: String]) == ["formula": "count"])
      let next = await client.send(stripeGet(fake, "/v1/billing/meters?status=active&starting_after=mtr_fake_calls"))
      let rest = try #require(next.json["data"] as? [[String: Any]])
      #expect(rest.map { $0["event_time_window"] as? String } == ["day"])
      #expect(await client.send(stripeGet(fake, "/v1/billing/meters/nope")).status == 404)

      let time = clock.seconds / 3600 * 3600
      for (index, value) in ["5", "7"].enumerated() {
        for name in ["api", "calls", "pre"] {
          let sent = stripeEvent(
            fake,
            [
              ("identifier", "\(name)-\(index)"), ("event_name", name), ("payload[value]", value),
              ("timestamp", String(time)),
            ])
          #expect(await client.send(sent).status == 200)
        }
      }
      // A meter that counts adds 1 each; one with a window keeps the last of equal timestamps.
      #expect(
        [total(fake, "cus_1", "api"), total(fake, "cus_1", "calls"), total(fake, "cus_1", "pre")] == ["12", "2", "7"])
      let path = "/v1/billing/meters/mtr_1/event_summaries?customer=cus_1"
      let range = "&start_time=\(time)&end_time=\(time + 3600)"
      let early = await client.send(stripeGet(fake, path + range))
      #expect((early.json["data"] as? [Any])?.isEmpty == true)
      clock.advance(seconds: 31)
      let late = await client.send(stripeGet(fake, path + range))
      let summary = try #require((late.json["data"] as? [[String: Any]])?.first)
      #expect(summary["aggregated_value"] as? Double == 12)
      #expect(summary["meter"] as? String == "mtr_1")
      #expect(
        await client.send(stripeGet(fake, path + "&start_time=\(time + 1)&end_time=\(time + 3600)")).status == 400)
      #expect(await client.send(stripeGet(fake, path)).error["code"] == "parameter_missing")
    }
  }

  @Test func whatStripeWouldOnlyTellLater() async throws {
    let options = StripeFakeOptions(meters: [StripeMeter(eventName: "api")], customers: ["cus_1"])
    try await withStripe(options) { fake, client, _ in
      #expect(await client.send(stripeEvent(fake, [("event_name", "nope"), ("identifier", "a")])).status == 200)
      let unknown = [("payload[stripe_customer_id]", "cus_9"), ("identifier", "b")]
      #expect(await client.send(stripeEvent(fake, unknown)).status == 200)
      #expect(fake.totals().isEmpty)
      #expect(fake.asyncErrors.map(\.code) == ["no_meter_found", "meter_event_customer_not_found"])
      #expect(fake.asyncErrors.map(\.identifier) == ["a", "b"])
    }
  }

  @Test func whatRealClientsSendIsTaken() async throws {
    try await withStripe { fake, client, _ in
      // As stripe-go sends it: chunked; lower-case header names; escapes and plus signs.
      let body =
        "event_name=api&identifier=i%2F1&payload[stripe_customer_id]=%E5%AE%A2+1&payload%5Bvalue%5D=42&expand[]=x"
      let head =
        "POST /v1/billing/meter_events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk_test_1\r\naccept: */*\r\n"
        + "content-type: application/x-www-form-urlencoded\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
      let reply = await rawExchange(
        port: fake.port, head + String(body.utf8.count, radix: 16) + "\r\n" + body + "\r\n0\r\n\r\n")
      #expect(reply.hasPrefix("HTTP/1.1 200"))
      #expect(total(fake, "客 1", "api") == "42")
      #expect(fake.effects.effects(ofKey: "i/1") == 1)
      // No identifier: one is made; sent twice it counts twice, as with Stripe.
      for _ in 0..<2 { #expect(await client.send(stripeEvent(fake, [("identifier", nil)])).status == 200) }
      #expect(total(fake, "cus_1", "api") == "84")
      var json = stripeEvent(fake)
      json.headers[1].1 = "application/json"
      #expect(await client.send(json).status == 400)
      var elsewhere = stripeEvent(fake)
      elsewhere.url = fake.baseURL + "/v1/billing/meter_evens"
      #expect(await client.send(elsewhere).status == 404)
    }
  }
}
