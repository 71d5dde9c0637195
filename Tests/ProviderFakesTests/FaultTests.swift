import Foundation
import HTTP
import ProviderFakes
import TestSupport
import Testing

@Suite struct FaultTests {
  static let wrongSpecifications: [(String, FaultSpecError)] = [
    ("429", .missingValue(item: "429")), ("429:1,", .missingValue(item: "")),
    ("teapot:1", .unknownFault("teapot")), ("429:1.5", .invalidProbability(fault: "429", found: "1.5")),
    ("429:x", .invalidProbability(fault: "429", found: "x")),
    ("429:-1", .invalidProbability(fault: "429", found: "-1")),
    ("429:200%", .invalidProbability(fault: "429", found: "200%")),
    ("slow:1@5", .invalidDuration(fault: "slow", found: "5")), ("slow:1@", .invalidDuration(fault: "slow", found: "")),
    ("slow:1@99999999999h", .invalidDuration(fault: "slow", found: "99999999999h")),
    ("seed:x", .invalidSeed("x")), ("429:1,429:1", .repeated(name: "429")), ("seed:1,seed:2", .repeated(name: "seed")),
  ]

  private func withStripe(
    _ faults: String, record: String? = nil, _ body: (StripeFake, HTTPClient, TestClock) async throws -> Void
  ) async throws {
    try await withFake({ try StripeFake(server: $0) }, faults: faults, record: record, body)
  }

  @Test func specificationsAreRead() throws {
    let spec = try FaultSpec(parsing: "429:0.1@2s,reset_after:5%,slow:1@300ms,outage:0@5m,seed:7")
    #expect(
      spec
        == FaultSpec(
          [
            FaultSpec.Fault(.tooManyRequests, probability: 0.1, duration: .seconds(2)),
            FaultSpec.Fault(.resetAfter, probability: 0.05),
            FaultSpec.Fault(.slow, probability: 1, duration: .milliseconds(300)),
            FaultSpec.Fault(.outage, probability: 0, duration: .seconds(300)),
          ], seed: 7))
    #expect(try FaultSpec(parsing: "") == .none)
    for kind in FaultSpec.Kind.allCases {
      #expect(try FaultSpec(parsing: "\(kind.rawValue):1").faults.map(\.kind) == [kind])
    }
  }

  @Test(arguments: Self.wrongSpecifications)
  func whatIsWrongIsNamed(_ text: String, _ expected: FaultSpecError) {
    #expect(throws: expected) { try FaultSpec(parsing: text) }
  }

  @Test(arguments: [
    "429:1@2s", "500_before:1", "500_after:1", "reset_before:1", "reset_after:1", "garbage:1", "outage:1@1h",
  ])
  func eachFaultHasItsEffectOrNone(_ spec: String) async throws {
    try await withStripe(spec) { fake, client, _ in
      let result = await client.send(stripeEvent(fake))
      let name = String(spec.prefix { $0 != ":" })
      switch name {
      case "429":
        #expect(result.status == 429 && result.response?.header("Retry-After") == "2")
        #expect(result.error["code"] == "rate_limit")
      case "500_before", "500_after":
        #expect(result.status == 500 && result.error["type"] == "api_error")
      case "reset_before": #expect(result.failure == .ambiguous(.reset))
      case "reset_after": #expect(result.failure == .ambiguous(.closed))
      case "garbage": #expect(result.status == 200 && result.json.isEmpty && result.response?.bodyIsComplete == true)
      default: #expect(result.status == 503)
      }
      let hasEffect = ["500_after", "reset_after", "garbage"].contains(name)
      #expect(fake.effects.effects(ofKey: "idem-1") == (hasEffect ? 1 : 0))
      #expect(fake.effects.calls.map(\.fault) == [name])

      // Without faults the same event is delivered, or known as delivered: booked once in either case.
      fake.faults.setSpec(.none)
      let again = await client.send(stripeEvent(fake))
      #expect(again.status == (hasEffect ? 400 : 200))
      #expect(total(fake, "cus_1", "api") == "42")
      #expect(fake.effects.violations.isEmpty)
    }
  }

  @Test func slowRepliesHaveTheirEffectThoughTheClientGaveUp() async throws {
    try await withStripe("slow:1@1500ms") { fake, client, _ in
      var request = stripeEvent(fake)
      request.timeout = .milliseconds(400)
      #expect(await client.send(request).failure == .ambiguous(.timeout))
      while fake.effects.effects(ofKey: "idem-1") == 0 { await Task.yield() }
      #expect(total(fake, "cus_1", "api") == "42")
      // The first call holds its customer and meter until it is over.
      var statuses: Set<Int?> = []
      while statuses.isDisjoint(with: [400]) { statuses.insert(await client.send(stripeEvent(fake)).status) }
      #expect(statuses.isSubset(of: [400, 429]))
    }
  }

  @Test func theSameSeedGivesTheSameFaults() async throws {
    func fates(_ spec: String) async throws -> [String?] {
      var fates: [String?] = []
      try await withStripe(spec) { fake, client, _ in
        for number in 0..<60 { _ = await client.send(stripeEvent(fake, [("identifier", "\(number)")])) }
        fates = fake.effects.calls.map(\.fault)
      }
      return fates
    }
    let spec = "429:0.2,500_after:0.2,reset_before:0.1"
    let first = try await fates(spec + ",seed:5")
    #expect(first.count == 60)
    #expect(try await fates(spec + ",seed:5") == first)
    #expect(try await fates(spec + ",seed:6") != first)
    #expect(Set(first).isSuperset(of: ["429", "500_after", nil]))
  }

  @Test func outagesAreSwitchedFromOutside() async throws {
    try await withStripe("") { fake, client, _ in
      func post(_ path: String, _ body: String) async -> Int? {
        await client.send(HTTPRequest(method: "POST", url: fake.baseURL + path, body: Array(body.utf8))).status
      }
      #expect(await post("/_fake/outage", "{\"on\":true}") == 200)
      #expect(await client.send(stripeEvent(fake)).status == 503)
      #expect(await post("/_fake/outage", "{\"on\":true,\"mode\":\"dropped\"}") == 200)
      #expect(await client.send(stripeEvent(fake)).failure == .ambiguous(.closed))
      fake.faults.setOutage(.silent)
      var request = stripeEvent(fake)
      request.timeout = .milliseconds(400)
      #expect(await client.send(request).failure == .ambiguous(.timeout))
      #expect(await post("/_fake/outage", "{\"on\":false}") == 200)
      #expect(fake.totals().isEmpty)
      #expect(await client.send(stripeEvent(fake)).status == 200)

      #expect(await post("/_fake/faults", "{\"spec\":\"500_before:1\"}") == 200)
      #expect(await client.send(stripeEvent(fake)).status == 500)
      #expect(await post("/_fake/faults", "{\"spec\":\"teapot:1\"}") == 400)
      #expect(await post("/_fake/outage", "{}") == 400)
      #expect(await post("/_fake/nothing", "{}") == 404)

      let totals = await client.send(HTTPRequest(method: "GET", url: fake.baseURL + "/_fake/totals")).json
      #expect(totals["totals"] as? [[String: String]] == [["customer": "cus_1", "meter": "api", "value": "42"]])
      #expect(totals["violations"] as? Int == 0)
      #expect(totals["requests"] as? Int == 5)
      let effects = await client.send(HTTPRequest(method: "GET", url: fake.baseURL + "/_fake/effects?key=idem-1")).json
      #expect(effects["effects"] as? Int == 1)
    }
  }

  @Test func theRecordHoldsEffectsAndRefusals() async throws {
    let path = NSTemporaryDirectory() + "meterd-record-\(UUID().uuidString).jsonl"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await withStripe("", record: path) { fake, client, clock in
      let time = String(clock.seconds)
      _ = await client.send(stripeEvent(fake, [("timestamp", time)]))
      _ = await client.send(stripeEvent(fake, [("timestamp", time)]))
      _ = await client.send(stripeEvent(fake, [("payload[value]", "x\"\n"), ("identifier", "b")]))
      fake.faults.setSpec(try FaultSpec(parsing: "500_before:1"))
      _ = await client.send(stripeEvent(fake, [("identifier", "c")]))
      // Each line is there before its reply.
      let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
        try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
      }
      #expect(
        lines.map { $0["outcome"] as? String } == ["recorded", "duplicate", "meter_event_invalid_value", "500_before"])
      #expect(lines.map { $0["key"] as? String } == ["idem-1", "idem-1", "b", "c"])
      #expect(lines[0]["customer"] as? String == "cus_1" && lines[0]["meter"] as? String == "api")
      #expect(lines[0]["value"] as? String == "42" && lines[2]["value"] as? String == "x\"\n")
      #expect(lines[0]["timestamp"] as? String == "2027-01-15T08:00:00.000Z")
      #expect(lines[0]["at"] as? String == "2027-01-15T08:00:00.000Z")
      #expect(lines[3]["timestamp"] is NSNull)
      #expect(Set(lines[0].keys) == ["at", "customer", "meter", "value", "timestamp", "key", "outcome"])
    }
  }

  @Test func aRecordThatCannotBeWrittenStopsTheFake() async throws {
    #expect(throws: RecordFileError.self) {
      try StripeFake(server: FakeServerOptions(recordFile: "/no/such/folder/record.jsonl"))
    }
    try await withStripe("", record: "/dev/full") { fake, client, _ in
      _ = await client.send(stripeEvent(fake))
      #expect(fake.effects.recordFailure != nil)
      #expect(await client.send(stripeEvent(fake, [("identifier", "b")])).status == 503)
    }
  }

  @Test func whatWasBookedOutlivesAStop() async throws {
    try await withStripe("") { fake, client, _ in
      _ = await client.send(stripeEvent(fake))
      let port = fake.port
      let request = stripeEvent(fake)
      fake.stop()
      #expect(fake.port == 0)
      let down = await client.send(request)
      #expect(down.response == nil)
      try fake.start(listen: "127.0.0.1:\(port)")
      #expect(await client.send(request).status == 400)
      #expect(total(fake, "cus_1", "api") == "42")
    }
  }

  @Test func theCatalogKnowsItsFakes() throws {
    for provider in FakeCatalog.providers {
      #expect(try FakeCatalog.make(provider: provider, server: FakeServerOptions()) != nil)
    }
    #expect(try FakeCatalog.make(provider: "orb", server: FakeServerOptions()) == nil)
  }
}
