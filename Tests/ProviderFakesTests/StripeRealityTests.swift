import Foundation
import HTTP
import ProviderFakes
import TestSupport
import Testing

/// The fake against Stripe's own mock server, and against what Stripe's SDKs were recorded to send.
@Suite struct StripeRealityTests {
  /// `METERD_TEST_STRIPE_MOCK` names the binary of stripe-mock.
  @Test(.enabled(if: environment("METERD_TEST_STRIPE_MOCK") != nil, "METERD_TEST_STRIPE_MOCK names no stripe-mock"))
  func theFakeAgreesWithStripeMockOnTheShape() async throws {
    let binary = try #require(environment("METERD_TEST_STRIPE_MOCK"))
    let probe = try HTTPServer(listen: "127.0.0.1:0") { _, _ in }
    probe.stop()
    let mock = try ChildProcess(binary, ["-http-port", String(probe.port)])
    defer { mock.kill() }
    try await withFake({ try StripeFake(server: $0) }) { fake, client, clock in
      let mockBase = "http://127.0.0.1:\(probe.port)"
      var ready = false
      for _ in 0..<2000 where !ready {
        ready = await client.send(HTTPRequest(method: "GET", url: mockBase)).response != nil
        if !ready { try await Task.sleep(for: .milliseconds(10)) }
      }
      try #require(ready, "stripe-mock answers")

      func both(_ request: HTTPRequest) async -> (fake: HTTPResult, mock: HTTPResult) {
        var toMock = request
        toMock.url = request.url.replacingOccurrences(of: fake.baseURL, with: mockBase)
        return (await client.send(request), await client.send(toMock))
      }
      func post(_ path: String, _ pairs: [(String, String)]) -> HTTPRequest {
        var request = stripeEvent(fake)
        request.url = fake.baseURL + path
        request.body = FormEncoding.encode(pairs, bareBrackets: true)
        return request
      }
      let events = "/v1/billing/meter_events"
      let customer = ("payload[stripe_customer_id]", "cus_1")
      let value = ("payload[value]", "42")
      let time = ("timestamp", String(clock.seconds))
      let cancel = [("event_name", "api"), ("type", "cancel"), ("cancel[identifier]", "i1")]
      let summaries = "/v1/billing/meters/mtr_fake_api/event_summaries?customer=cus_1"
      let cases: [(String, HTTPRequest)] = [
        ("event", post(events, [("event_name", "api"), customer, value, time, ("identifier", "i1")])),
        ("least event", post(events, [("event_name", "api"), customer, value])),
        ("no name", post(events, [customer, value])),
        ("no payload", post(events, [("event_name", "api")])),
        ("unknown", post(events, [("event_name", "api"), customer, value, ("colour", "red")])),
        ("time", post(events, [("event_name", "api"), customer, value, ("timestamp", "soon")])),
        ("adjustment", post("/v1/billing/meter_event_adjustments", cancel)),
        ("adjustment without a type", post("/v1/billing/meter_event_adjustments", [cancel[0], cancel[2]])),
        ("account", stripeGet(fake, "/v1/account")), ("meters", stripeGet(fake, "/v1/billing/meters")),
        ("summaries", stripeGet(fake, summaries + "&start_time=1799996400&end_time=1800000060")),
        ("summaries without times", stripeGet(fake, summaries)),
        ("nowhere", post("/v1/billing/meter_evens", [("a", "b")])),
        ("key", stripeEvent(fake, key: "nonsense")),
      ]
      for (name, request) in cases {
        let reply = await both(request)
        #expect(reply.fake.status == reply.mock.status, "\(name): \(reply.mock.json)")
        #expect(reply.fake.error["type"] == reply.mock.error["type"], "\(name)")
        // Every member that we answer with is one of Stripe's.
        let ours = Set(reply.fake.json.keys)
        #expect(ours.isSubset(of: reply.mock.json.keys), "\(name): \(ours.subtracting(reply.mock.json.keys))")
        #expect(reply.fake.json["object"] as? String == reply.mock.json["object"] as? String, "\(name)")
        if let our = (reply.fake.json["data"] as? [[String: Any]])?.first,
          let their = (reply.mock.json["data"] as? [[String: Any]])?.first
        {
          #expect(Set(our.keys).isSubset(of: their.keys), "\(name): \(Set(our.keys).subtracting(their.keys))")
        }
      }
    }
  }

  /// `METERD_TEST_RECORDINGS` names the folder of the recordings of the providers' real SDKs.
  @Test(.enabled(if: environment("METERD_TEST_RECORDINGS") != nil, "METERD_TEST_RECORDINGS names no recordings"))
  func everyRecordedRequestOfTheSDKsIsUnderstood() async throws {
    let folder = try #require(environment("METERD_TEST_RECORDINGS"))
    let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/stripe-v1.json"))
    let file = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    var cases = try #require(file["cases"] as? [[String: Any]])
    for other in file["other_sdks"] as? [[String: Any]] ?? [] { cases += other["cases"] as? [[String: Any]] ?? [] }
    var statuses: [Int: Int] = [:]
    let clock = TestClock(1_761_998_096_000)
    let client = try HTTPClient()
    defer { client.close() }
    for item in cases {
      guard let request = item["request"] as? [String: Any], let path = request["path"] as? String,
        path == "/v1/billing/meter_events", let body = request["body"] as? String
      else { continue }
      let fake = try StripeFake(server: FakeServerOptions(clock: { clock.milliseconds }))
      try fake.start(listen: "127.0.0.1:0")
      defer { fake.stop() }
      let headers = (request["headers"] as? [[String]] ?? []).map { ($0[0], $0[1]) }.filter {
        !["content-length", "transfer-encoding"].contains($0.0.lowercased())
      }.map { ($0.0, $0.0.lowercased() == "authorization" ? "Bearer sk_test_1" : $0.1) }
      let result = await client.send(
        HTTPRequest(method: "POST", url: fake.baseURL + path, headers: headers, body: Array(body.utf8)))
      let status = try #require(result.status)
      statuses[status, default: 0] += 1
      // What is refused is refused for its numbers and times, never for its form.
      let codes: [String?] = [
        "meter_event_invalid_value", "parameter_invalid_integer", "timestamp_in_future", "timestamp_too_far_in_past",
      ]
      #expect(status == 200 || codes.contains(result.error["code"]), "\(item["name"] ?? ""): \(result.error)")
    }
    #expect(statuses[200, default: 0] > 50)
    #expect(Set(statuses.keys) == [200, 400])
  }
}
