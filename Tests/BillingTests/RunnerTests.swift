import Billing
import Foundation
import HTTP
import Metering
import ProviderFakes
import Synchronization
import TestSupport
import Testing

/// A partition's ledger that answers a runner: SENDINGs stand at once; outcomes are kept.
final class RunnerLedger: Sendable {
  private struct State {
    var runner: SinkRunner?
    var sequence: UInt64 = 0
    var outcomes: [RowReference: RowOutcome] = [:]
    var parked: [RowReference: String] = [:]
    var events: [SinkEvent] = []
    var isReady: [Int32: Bool] = [:]
  }
  private let state = Mutex(State())

  func attach(_ runner: SinkRunner?) { state.withLock { $0.runner = runner } }
  var outcomes: [RowReference: RowOutcome] { state.withLock { $0.outcomes } }
  var parked: [RowReference: String] { state.withLock { $0.parked } }
  var events: [SinkEvent] { state.withLock { $0.events } }
  var settled: Int { state.withLock { $0.outcomes.count + $0.parked.count } }

  var handlers: SinkRunnerHandlers {
    SinkRunnerHandlers(
      append: { [self] partition, append in land(append, partition) },
      readyForClaim: { [self] partition, isReady in state.withLock { $0.isReady[partition] = isReady } },
      drained: { _ in }, event: { [self] event in state.withLock { $0.events.append(event) } })
  }

  private func land(_ append: SinkAppend, _ partition: Int32) {
    switch append {
    case .sending(let token, _):
      let (runner, sequence) = state.withLock { state in
        state.sequence += 1
        return (state.runner, state.sequence)
      }
      runner?.enqueue(
        .sendingStands(
          partition, token, identity: RecordIdentity(nonce: 1, sequence: sequence), ledgerMilliseconds: wallClock()))
    case .done(let done):
      state.withLock { state in for row in done.rows { state.outcomes[row.reference] = row.outcome } }
    case .park(let park): state.withLock { state in for row in park.rows { state.parked[row] = park.reason } }
    case .unsent: break
    }
  }
}

func wallClock() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }

/// Waits for a condition, at most 30 s.
func eventually(_ condition: () -> Bool) async -> Bool {
  for _ in 0..<3_000 {
    if condition() { return true }
    try? await Task.sleep(for: .milliseconds(10))
  }
  return condition()
}

private func usage(_ count: Int, customers: Int = 20, value: (Int) -> Quantity) -> [SinkRow] {
  (0..<count).map { number in
    SinkRow(
      reference: RowReference(claim: 0, row: UInt32(number)), key: "key.\(number)",
      customer: Array("cus_\(number % customers)".utf8), meter: Array("api_calls".utf8), value: value(number),
      timestampMilliseconds: wallClock() - Int64(number) * 1_000)
  }
}

@Suite("Runner against the fakes", .serialized)
struct RunnerTests {
  private func run(
    _ configuration: SinkConfiguration, _ rows: [SinkRow], log: @escaping @Sendable ([UInt8]) -> Bool = { _ in true }
  ) async throws -> RunnerLedger {
    let ledger = RunnerLedger()
    let runner = try SinkRunner(
      try ProviderRegistry.make(configuration, log: log), partitionCount: 1, seed: 1, handlers: ledger.handlers)
    ledger.attach(runner)
    runner.start()
    let before = SinkRunner.elapsedMilliseconds()
    runner.enqueue(
      .partitionOpened(
        0, rows: SinkRows(rows), anchor: LedgerAnchor(ledgerMilliseconds: wallClock(), elapsedBeforeAppend: before)))
    let isDone = await eventually { ledger.settled == rows.count }
    #expect(isDone, "\(ledger.settled) of \(rows.count) rows; \(runner.status()); \(ledger.events.suffix(5))")
    runner.stop()
    ledger.attach(nil)
    return ledger
  }

  @Test("Stripe's fake with faults: every customer's total is exact, no key has two values or two effects")
  func stripe() async throws {
    let faults = try FaultSpec(
      parsing: "429:0.02@1s,500_before:0.03,500_after:0.04,reset_before:0.02,reset_after:0.03,garbage:0.02,seed:5")
    let fake = try StripeFake(
      StripeFakeOptions(secretKey: "sk_live_fake"), server: FakeServerOptions(faults: faults, latency: .milliseconds(2))
    )
    try fake.start(listen: "127.0.0.1:0")
    defer { fake.stop() }
    let rows = usage(120) { Quantity(Int64($0 % 7) - 1) }.filter { $0.value != .zero }
    let configuration = SinkConfiguration(
      name: "stripe", provider: "stripe", url: fake.baseURL, secret: Secret("sk_live_fake"))
    let ledger = try await run(configuration, rows)
    #expect(ledger.parked.isEmpty)
    #expect(ledger.outcomes.values.allSatisfy { $0 == .delivered || $0 == .alreadyDelivered })
    #expect(fake.effects.violations.isEmpty)
    for customer in 0..<20 {
      let expected = rows.filter { $0.customer == Array("cus_\(customer)".utf8) }.reduce(Int128(0)) {
        $0 + $1.value.units
      }
      let total = fake.totals().first { $0.customer == "cus_\(customer)" }?.value
      #expect(total == ExactDecimal(units: expected))
    }
    #expect(fake.effects.calls.allSatisfy { $0.header("Idempotency-Key") == nil })
  }

  @Test("Stripe's fake: the account is asked for; what it refuses is parked alone")
  func stripeRefusals() async throws {
    let fake = try StripeFake(StripeFakeOptions(accountID: "acct_9"))
    try fake.start(listen: "127.0.0.1:0")
    defer { fake.stop() }
    var rows = usage(5) { _ in Quantity(1) }
    rows[2].meter = []
    let configuration = SinkConfiguration(
      name: "stripe", provider: "stripe", url: fake.baseURL + "/", secret: Secret("sk_test_fake"))
    let ledger = try await run(configuration, rows)
    #expect(ledger.outcomes[RowReference(claim: 0, row: 2)] == .rejected)
    #expect(ledger.outcomes.values.count { $0 == .delivered } == 4)
    #expect(fake.effects.calls.contains { $0.path == "/v1/account" })
  }

  @Test("The webhook's fake with faults: exact decimals, refused rows apart, nothing twice")
  func webhook() async throws {
    let faults = try FaultSpec(parsing: "429:0.05@1s,500_before:0.1,500_after:0.1,reset_after:0.1,garbage:0.1,seed:3")
    let fake = try WebhookFake(
      WebhookFakeOptions(secret: "whsec", refusedCustomers: ["cus_3"]), server: FakeServerOptions(faults: faults))
    try fake.start(listen: "127.0.0.1:0")
    defer { fake.stop() }
    let rows = usage(5_000) { Quantity(units: Int128($0 - 700) * 1_000_001) }
    let configuration = SinkConfiguration(
      name: "books", provider: "webhook", url: fake.baseURL + "/usage", secret: Secret("whsec"),
      idempotencyWindowMilliseconds: 7 * 86_400_000)
    let ledger = try await run(configuration, rows)
    let rejected = ledger.outcomes.filter { $0.value == .rejected }.keys
    #expect(rejected.count == 250)
    #expect(rejected.allSatisfy { $0.row % 20 == 3 })
    #expect(fake.effects.violations.isEmpty)
    for customer in 0..<20 where customer != 3 {
      let expected = rows.filter { $0.customer == Array("cus_\(customer)".utf8) }.reduce(Int128(0)) {
        $0 + $1.value.units
      }
      let total = fake.totals().first { $0.customer == "cus_\(customer)" }?.value
      #expect(total == ExactDecimal(units: expected))
    }
  }

  @Test("A wrong webhook secret is an alarm, and parks nothing")
  func wrongSecret() async throws {
    let fake = try WebhookFake(WebhookFakeOptions(secret: "right"))
    try fake.start(listen: "127.0.0.1:0")
    defer { fake.stop() }
    let ledger = RunnerLedger()
    let sink = try ProviderRegistry.make(
      .init(name: "books", provider: "webhook", url: fake.baseURL + "/u", secret: Secret("wrong"))
    ) { _ in true }
    let runner = try SinkRunner(sink, partitionCount: 1, seed: 1, handlers: ledger.handlers)
    ledger.attach(runner)
    runner.start()
    let anchor = LedgerAnchor(
      ledgerMilliseconds: wallClock(), elapsedBeforeAppend: SinkRunner.elapsedMilliseconds())
    runner.enqueue(.partitionOpened(0, rows: SinkRows(usage(10) { _ in Quantity(1) }), anchor: anchor))
    #expect(await eventually { ledger.events.contains(.unauthorized(code: "http_401")) })
    #expect(runner.status().circuit != .closed)
    #expect(ledger.settled == 0)
    runner.stop()
    ledger.attach(nil)
  }

  @Test("Log: a hundred thousand rows, each line once")
  func log() async throws {
    let lines = Lines()
    let rows = usage(100_000) { Quantity(Int64($0)) }
    let ledger = try await run(.init(name: "out", provider: "log"), rows) { lines.append($0) }
    #expect(ledger.outcomes.count == 100_000)
    #expect(lines.bytes.count { $0 == UInt8(ascii: "\n") } == 100_000)
  }
}

@Suite(
  "Stripe's own mock",
  .enabled(if: environment("METERD_TEST_STRIPE_MOCK") != nil, "METERD_TEST_STRIPE_MOCK names no stripe-mock"))
struct StripeMockTests {
  @Test("Our requests have the shape that Stripe's published API description asks for")
  func shape() async throws {
    let path = try #require(environment("METERD_TEST_STRIPE_MOCK"))
    let port = Int.random(in: 20_000..<40_000)
    let process = try ChildProcess(path, ["-http-port", String(port)])
    defer { process.kill() }
    let client = try HTTPClient()
    defer { client.close() }
    let base = "http://127.0.0.1:\(port)"
    let adapter = StripeAdapter(baseURL: base, secret: Secret("sk_test_123"))

    func exchange(_ request: ProviderRequest) async -> ProviderReply {
      let signed = adapter.authorize(request, unixSeconds: 0)
      for _ in 0..<500 {
        let result = await withCheckedContinuation { continuation in
          client.send(
            HTTPRequest(
              method: signed.method, url: signed.url, headers: signed.headers.map { ($0.name, $0.value) },
              body: signed.body)
          ) { continuation.resume(returning: $0) }
        }
        // It needs a moment to listen.
        if case .failure(let failure) = result, !failure.isAmbiguous {
          try? await Task.sleep(for: .milliseconds(20))
          continue
        }
        switch result {
        case .response(let response):
          return .response(
            .init(
              status: response.status, headers: response.headers.map { .init($0.0, $0.1) }, body: response.body))
        case .failure(let failure): return .ambiguous(code: failure.detail)
        }
      }
      return .notSent(code: "never_up")
    }

    var row = usage(1) { _ in Quantity(-42) }[0]
    row.dimensions = [RowDimension(name: "region", text: "eu & west")]
    let reply = await exchange(adapter.request(for: [row], account: "acct"))
    #expect(adapter.interpret(reply, rows: [row]) == .all(.delivered), "\(reply)")
    var broken = adapter.request(for: [row], account: "acct")
    broken.body = Array("event_name=x&nonsense=1".utf8)
    guard case .all(.rejected) = adapter.interpret(await exchange(broken), rows: [row]) else {
      Issue.record("stripe-mock takes anything")
      return
    }
    guard case .fetched(let request, let read) = adapter.accountSource else {
      Issue.record("the account is not asked for")
      return
    }
    #expect(try read(await exchange(request)).hasSuffix("/test"))
    _ = try StripeCheck.read(await exchange(StripeCheck.metersRequest(baseURL: base)))
  }
}
