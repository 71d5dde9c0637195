import Foundation
import HTTP
import ProviderFakes
import TestSupport

extension HTTPResult {
  /// The reply's JSON object.
  var json: [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(response?.body ?? []))) as? [String: Any] ?? [:]
  }
  /// Stripe's error object.
  var error: [String: String] {
    (json["error"] as? [String: Any] ?? [:]).compactMapValues { $0 as? String }
  }
}

/// A clock that tests move: Unix milliseconds.
final class TestClock: Sendable {
  private let now: Locked<Int64>
  init(_ start: Int64 = 1_800_000_000_000) { now = Locked(start) }
  var milliseconds: Int64 { now.withLock { $0 } }
  var seconds: Int64 { milliseconds / 1000 }
  func advance(seconds: Int64) { now.withLock { $0 += seconds * 1000 } }
}

/// A fake, a client, and a clock, for the length of one test.
func withFake<Fake: ProviderFake>(
  _ make: (FakeServerOptions) throws -> Fake, faults: String = "", record: String? = nil,
  _ body: (Fake, HTTPClient, TestClock) async throws -> Void
) async throws {
  let clock = TestClock()
  let fake = try make(
    FakeServerOptions(
      faults: FaultSpec(parsing: faults), recordFile: record, clock: { clock.milliseconds }))
  let client = try HTTPClient()
  try fake.start(listen: "127.0.0.1:0")
  defer {
    client.close()
    fake.stop()
  }
  try await body(fake, client, clock)
}

func total(_ fake: any ProviderFake, _ customer: String, _ meter: String) -> String? {
  fake.totals().first { $0.customer == customer && $0.meter == meter }?.value.description
}

/// A Stripe meter event as an SDK would send it. No test waits for its time-out: it only ends what hangs.
func stripeEvent(
  _ fake: StripeFake, key: String = "sk_test_1", _ changes: [(String, String?)] = [], headers: [(String, String)] = []
) -> HTTPRequest {
  var pairs: [(String, String)] = [
    ("event_name", "api"), ("payload[stripe_customer_id]", "cus_1"), ("payload[value]", "42"),
    ("identifier", "idem-1"),
  ]
  for (name, value) in changes {
    pairs.removeAll { $0.0 == name }
    if let value { pairs.append((name, value)) }
  }
  return HTTPRequest(
    method: "POST", url: fake.baseURL + "/v1/billing/meter_events",
    headers: [("Authorization", "Bearer " + key), ("Content-Type", "application/x-www-form-urlencoded")] + headers,
    body: FormEncoding.encode(pairs, bareBrackets: true), timeout: .seconds(300))
}

func stripeGet(_ fake: StripeFake, _ path: String) -> HTTPRequest {
  HTTPRequest(method: "GET", url: fake.baseURL + path, headers: [("Authorization", "Bearer sk_test_1")])
}
