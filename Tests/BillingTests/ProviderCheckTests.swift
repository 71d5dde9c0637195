import Billing
import Metering
import ProviderFakes
import Testing

@Suite("Check of a provider before a run")
struct ProviderCheckTests {
  private func check(
    _ options: StripeFakeOptions, key: String = "sk_test_1", account: String? = nil, names: [String: String] = [:],
    takesOthers: Bool = true, features: [String] = []
  ) throws -> (check: ProviderCheck, fake: StripeFake) {
    let fake = try StripeFake(options)
    try fake.start(listen: "127.0.0.1:0")
    defer { fake.stop() }
    let sink = try ProviderRegistry.make(
      SinkConfiguration(
        name: "live", provider: "stripe", url: fake.baseURL, secret: Secret(key), account: account,
        featureNames: names, takesOtherFeatures: takesOthers)
    ) { _ in true }
    let check = try ProviderCheck.run(sink, features: features, unixSeconds: 1_800_000_000)
    return (try #require(check), fake)
  }

  @Test("What was verified is said: the account, and each meter by name, those of listed features under their own")
  func well() throws {
    let meters =
      (0..<120).map { StripeMeter(eventName: "unused_\($0)") } + [
        StripeMeter(eventName: "api"), StripeMeter(eventName: "tokens"),
      ]
    let (check, fake) = try check(
      StripeFakeOptions(accountID: "acct_9", meters: meters), names: ["api_calls": "api"],
      features: ["api_calls", "tokens"])
    #expect(check.problems == [])
    #expect(check.facts.contains("the key belongs to account acct_9/test"))
    #expect(check.facts.contains("meters that add up: api, tokens"))
    #expect(check.facts.contains { $0.contains("other_features") })
    #expect(fake.totals().isEmpty)
    #expect(fake.effects.calls.allSatisfy { $0.method == "GET" })
  }

  @Test(
    "A wrong key is an error that names the setting, whether or not the account is configured",
    arguments: [
      nil, "acct_1",
    ])
  func wrongKey(_ account: String?) throws {
    let (check, _) = try check(StripeFakeOptions(secretKey: "sk_test_right"), key: "sk_test_wrong", account: account)
    let problem = try #require(check.problems.first)
    #expect(check.problems.count == 1)
    #expect(problem.kind == .configuration && problem.key == "secret_key")
    #expect(problem.description.hasPrefix("sink live: secret_key: Stripe refuses the key (401)"))
    #expect(!"\(check.problems) \(check.facts)".contains("sk_test"))
  }

  @Test("Meters that would not add up are told, each with what is wrong")
  func meters() throws {
    let meters = [
      StripeMeter(eventName: "count", formula: .count), StripeMeter(eventName: "window", eventTimeWindow: .day),
      StripeMeter(eventName: "off", isActive: false), StripeMeter(eventName: "keys", valueKey: "amount"),
    ]
    let (check, _) = try check(
      StripeFakeOptions(meters: meters), names: ["a": "count", "b": "window", "c": "off", "d": "keys", "e": "none"],
      takesOthers: false, features: ["z"])
    #expect(check.problems.allSatisfy { $0.kind == .configuration && $0.key == "features" })
    let texts = check.problems.map(\.text)
    for (name, word) in [
      ("count", "formula"), ("window", "event_time_window"), ("keys", "payload[amount]"),
    ] {
      #expect(texts.contains { $0.contains(name) && $0.contains(word) }, "\(name): \(texts)")
    }
    #expect(texts.count == 3)
    // Nothing is billed wrongly where there is no meter: a warning.
    let warnings = check.facts.filter { $0.hasPrefix("warning: no active meter") }
    #expect(warnings.count == 2 && warnings[0].contains("none") && warnings[1].contains("off"))
  }

  @Test("A provider that cannot be reached is no fault of the key")
  func unreachable() throws {
    let fake = try StripeFake()
    try fake.start(listen: "127.0.0.1:0")
    let address = fake.baseURL
    fake.stop()
    let sink = try ProviderRegistry.make(
      SinkConfiguration(name: "live", provider: "stripe", url: address, secret: Secret("sk_test_1"))
    ) { _ in true }
    let check = try #require(try ProviderCheck.run(sink, features: [], unixSeconds: 0))
    #expect(check.problems.map(\.kind) == [.unavailable])
    #expect(check.problems.map(\.key) == ["base_url"])
  }

  @Test("A webhook is not asked: every request to it has an effect")
  func webhook() throws {
    let sink = try ProviderRegistry.make(
      SinkConfiguration(name: "w", provider: "webhook", url: "http://127.0.0.1:1/", secret: Secret("s"))
    ) { _ in true }
    #expect(try ProviderCheck.run(sink, features: [], unixSeconds: 0) == nil)
  }
}
