import Billing
import Metering

/// A billing provider as its contract says: idempotent by key within a window, also under concurrency or not, or not at
/// all. It remembers every effect.
final class SimulatedProvider {
  struct Line {
    var account: String
    var key: String
    var booked: BilledKey
    var units: Int128
    var timestamp: Int64
    /// All of it: one key never comes with two values.
    var text: String
  }

  private let sink: SimulatedSink
  private let name: String
  private(set) var effects: [Line] = []
  private(set) var effectsByKey: [String: Int] = [:]
  /// When a key was seen last, by account and key.
  private var known: [String: Int64] = [:]
  private(set) var values: [String: Set<String>] = [:]
  /// Customers that it does not know for now: their rows are refused.
  var refused: Set<String> = []

  init(_ sink: SimulatedSink) {
    self.sink = sink
    name = sink.name
  }

  static func lines(of request: ProviderRequest) -> [Line] {
    String(decoding: request.body, as: UTF8.self).split(separator: "\n").map { text in
      let fields = text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
      return Line(
        account: fields[0], key: fields[1], booked: BilledKey(customer: fields[2], meter: fields[3]),
        units: Int128(fields[4]) ?? 0, timestamp: Int64(fields[5]) ?? 0, text: fields[1...].joined(separator: "|"))
    }
  }

  /// Takes a request; the body of the reply has a byte for each row: 0 booked, 1 known already, 2 refused.
  func take(_ request: ProviderRequest, in world: World) -> ProviderReply.Response {
    let lines = Self.lines(of: request)
    if lines.count > sink.contract.batch.records { world.fail("\(name): a request of \(lines.count) rows") }
    if sink.refusesWholeBatches, lines.contains(where: { refused.contains($0.booked.customer) }) {
      return ProviderReply.Response(status: 400)
    }
    let verdicts = lines.map { line -> UInt8 in
      values[line.key, default: []].insert(line.text)
      judgeTerms(line, world)
      if isKnown(line, now: world.now) { return 1 }
      if refused.contains(line.booked.customer) { return 2 }
      book(line, world)
      return 0
    }
    return ProviderReply.Response(status: 200, body: verdicts)
  }

  private func isKnown(_ line: Line, now: Int64) -> Bool {
    guard sink.contract.idempotency.allowsRepetition, let last = known[line.account + line.key] else { return false }
    return sink.contract.idempotency.windowMilliseconds.map { now - last < $0 } ?? true
  }

  private func book(_ line: Line, _ world: World) {
    guard case .racyKey = sink.contract.idempotency else { return effect(line, world) }
    // While it works on the first request it does not know the key yet.
    world.after(world.delay(500)) { [self] in effect(line, world) }
  }

  private func effect(_ line: Line, _ world: World) {
    if known[line.account + line.key] == nil { known[line.account + line.key] = world.now }
    effects.append(line)
    effectsByKey[line.key, default: 0] += 1
    if effectsByKey[line.key, default: 0] > 1 { world.fail("\(name): \(line.key) took effect twice") }
  }

  /// What the contract says of a row is kept.
  private func judgeTerms(_ line: Line, _ world: World) {
    let rules = sink.contract.rowRules
    let fits =
      line.units % rules.stepUnits == 0 && (rules.allowsNegative || line.units >= 0)
      && (rules.greatestUnits.map { line.units.magnitude <= $0.magnitude } ?? true) && line.units != 0
    if !fits { world.fail("\(name): \(line.key) has a value that the contract does not take: \(line.units)") }
    // The broker's clock, by which the sender judges, is within two seconds of the truth.
    if let ahead = sink.contract.timestamps.newestAheadMilliseconds, line.timestamp > world.now + ahead + 2_000 {
      world.fail("\(name): \(line.key) has a timestamp \(line.timestamp - world.now) ms ahead")
    }
  }
}

/// Writes rows so that the provider can read them; everything else is the contract's.
struct SimulatedAdapter: ProviderAdapter {
  let contract: Contract

  init(_ sink: SimulatedSink) { contract = sink.contract }

  var transport: ProviderTransport { .http }
  var accountSource: AccountSource { .fixed("account-1") }

  func refusal(of row: SinkRow) -> RowRefusal? { nil }
  func bodyBytes(of row: SinkRow) -> Int { 200 }
  func authorize(_ request: ProviderRequest, unixSeconds: Int64) -> ProviderRequest { request }

  func request(for rows: [SinkRow], account: String) -> ProviderRequest {
    let lines = rows.map { row in
      let customer = String(decoding: row.customer, as: UTF8.self)
      let meter = String(decoding: row.meter, as: UTF8.self)
      return "\(account)|\(row.key)|\(customer)|\(meter)|\(row.value.units)|\(row.timestampMilliseconds)"
    }
    return ProviderRequest(method: "POST", url: "sim:", body: Array(lines.joined(separator: "\n").utf8))
  }

  func interpret(_ reply: ProviderReply, rows: [SinkRow]) -> BatchVerdict {
    switch reply {
    case .response(let response) where response.status == 200:
      return .each(
        response.body.map { verdict in
          switch verdict {
          case 0: .delivered
          case 1: .alreadyDelivered
          default: .rejected(code: "customer_unknown", detail: "no such customer")
          }
        })
    case .response(let response) where response.status == 400:
      return .all(.split(code: "customer_unknown", detail: "no such customer"))
    case .response(let response) where response.status == 429:
      return .all(.rateLimited(waitMilliseconds: 1_000, scope: .sink))
    case .response(let response): return .all(.ambiguous(code: "http_\(response.status)"))
    case .notSent(let code):
      return .all(.retryLater(code: code, waitMilliseconds: nil, provenWithoutEffect: true, scope: .sink))
    case .ambiguous(let code): return .all(.ambiguous(code: code))
    }
  }
}
