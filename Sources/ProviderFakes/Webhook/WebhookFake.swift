internal import Foundation
internal import HTTP

/// How the receiver of meterd's signed webhook behaves.
public struct WebhookFakeOptions: Sendable {
  /// The signing secret's text; its UTF-8 bytes are the HMAC key. nil: a signature has to be there, well formed and
  /// fresh, but any secret will do.
  public var secret: String?
  /// How long keys are remembered, from their first arrival.
  public var idempotencyWindow: Duration
  /// How far a signature's time may be from now, either way.
  public var freshness: Duration
  /// Rows of these customers are refused.
  public var refusedCustomers: Set<String>
  /// The status of a refusal: 400 or 422.
  public var refusalStatus: Int

  /// Where none is given.
  public static let defaultSecret = "whsec_fake"

  public init(
    secret: String? = WebhookFakeOptions.defaultSecret, idempotencyWindow: Duration = .seconds(7 * 86_400),
    freshness: Duration = .seconds(300), refusedCustomers: Set<String> = [], refusalStatus: Int = 422
  ) {
    self.secret = secret
    self.idempotencyWindow = idempotencyWindow
    self.freshness = freshness
    self.refusedCustomers = refusedCustomers
    self.refusalStatus = refusalStatus
  }
}

/// A receiver of meterd's signed webhook, on any path: verifies the signature and its age, drops rows whose key it
/// knows, sums exact values. A batch with a refused row has no effect at all; the reply names the refused rows.
public final class WebhookFake: ProviderFake {
  public let host: FakeHost
  private let rules: WebhookRules

  public init(
    _ options: WebhookFakeOptions = WebhookFakeOptions(), server: FakeServerOptions = FakeServerOptions()
  ) throws(RecordFileError) {
    (host, rules) = try FakeHost.make(server) { WebhookRules(options, $0, $1) }
  }

  deinit { host.stop() }

  /// Changes whose rows are refused.
  public func setRefusedCustomers(_ customers: Set<String>) { rules.setRefusedCustomers(customers) }
}

/// The receiver's rules.
final class WebhookRules: ProviderRules {
  private struct Body: Decodable {
    struct Row: Decodable {
      let key: String
      let customer: String
      let meter: String
      let value: String
      let timestamp: String
      let unixMilliseconds: Int64

      private enum CodingKeys: String, CodingKey {
        case key, customer, meter, value, timestamp
        case unixMilliseconds = "unix_ms"
      }
    }
    let meterd: Int
    let account: String
    let rows: [Row]
  }

  private struct State {
    var refusedCustomers: Set<String>
    /// When each key first arrived.
    var firstSeen: [String: Int64] = [:]
  }

  private enum Judgement {
    case new(ExactDecimal)
    case duplicate
    case refused(String)
  }

  private let options: WebhookFakeOptions
  private let effects: EffectLedger
  private let clock: @Sendable () -> Int64
  private let state: Locked<State>

  init(_ options: WebhookFakeOptions, _ effects: EffectLedger, _ clock: @escaping @Sendable () -> Int64) {
    self.options = options
    self.effects = effects
    self.clock = clock
    state = Locked(State(refusedCustomers: options.refusedCustomers))
  }

  func setRefusedCustomers(_ customers: Set<String>) { state.withLock { $0.refusedCustomers = customers } }

  func enter(_ request: ServerRequest) -> FakeEntry {
    guard request.method == "POST" else { return .refused(error(405, "send rows by POST"), outcome: "method") }
    guard let problem = signatureProblem(request) else { return .entered(token: "") }
    return .refused(error(401, problem), outcome: "unauthorized")
  }

  func leave(_ token: String) {}

  func apply(_ request: ServerRequest) -> ServerResponse {
    let now = clock()
    guard let body = parse(request) else {
      effects.refuse(nil, at: now, outcome: "malformed")
      return error(400, "the body is not of the form {\"meterd\":1,\"account\":…,\"rows\":[…]}")
    }
    guard body.meterd == 1 else {
      effects.refuse(nil, at: now, outcome: "version")
      return error(400, "version \(body.meterd) of the format is not known")
    }
    // One lock over the whole batch: two copies of it that meet must not both be new.
    return state.withLock { state in
      var judged: [(FakeRow, Judgement)] = []
      var inBatch: [String: FakeRow] = [:]
      for row in body.rows {
        let content = FakeRow(
          key: row.key, customer: row.customer, meter: row.meter, value: row.value, timestamp: row.unixMilliseconds)
        let earlier = inBatch[row.key] != nil
        judged.append((content, judge(row, now, state, earlier)))
        inBatch[row.key] = content
      }
      var refused: [JSONText] = []
      for (row, judgement) in judged {
        guard case .refused(let reason) = judgement else { continue }
        effects.refuse(row, at: now, outcome: reason)
        refused.append(.object([("key", .string(row.key)), ("reason", .string(reason))]))
      }
      guard refused.isEmpty else {
        return .json(options.refusalStatus, JSONText.object([("rejected", .array(refused))]).bytes)
      }
      var accepted = 0
      var duplicates = 0
      for (row, judgement) in judged {
        if case .new(let value) = judgement {
          state.firstSeen[row.key] = now
          effects.book(row, delta: value, at: now)
          accepted += 1
        } else {
          effects.duplicate(row, at: now)
          duplicates += 1
        }
      }
      return .json(200, JSONText.object([("accepted", .int(accepted)), ("duplicates", .int(duplicates))]).bytes)
    }
  }

  private func judge(_ row: Body.Row, _ now: Int64, _ state: State, _ isEarlierInBatch: Bool) -> Judgement {
    if row.key.isEmpty { return .refused("invalid_key") }
    if row.customer.isEmpty || row.meter.isEmpty { return .refused("invalid_name") }
    guard let value = ExactDecimal(row.value) else { return .refused("invalid_value") }
    guard RFC3339.parse(row.timestamp) == row.unixMilliseconds else { return .refused("invalid_timestamp") }
    if state.refusedCustomers.contains(row.customer) { return .refused("customer_refused") }
    if isEarlierInBatch { return .duplicate }
    if let first = state.firstSeen[row.key], now - first < options.idempotencyWindow.components.seconds * 1000 {
      return .duplicate
    }
    return .new(value)
  }

  func rows(_ request: ServerRequest) -> [FakeRow] {
    parse(request)?.rows.map {
      FakeRow(key: $0.key, customer: $0.customer, meter: $0.meter, value: $0.value, timestamp: $0.unixMilliseconds)
    } ?? []
  }

  func tooManyRequests(retryAfterSeconds: Int) -> ServerResponse {
    var reply = error(429, "too many requests")
    reply.headers.append(("Retry-After", String(retryAfterSeconds)))
    return reply
  }

  func internalError() -> ServerResponse { error(500, "internal error") }
  func unavailable() -> ServerResponse { error(503, "down for maintenance") }

  private func parse(_ request: ServerRequest) -> Body? {
    try? JSONDecoder().decode(Body.self, from: Data(request.body))
  }

  /// Why the signature is not to be trusted; nil where it is.
  private func signatureProblem(_ request: ServerRequest) -> String? {
    guard let header = request.header("Meterd-Signature") else { return "no Meterd-Signature header" }
    var time: Int64?
    var signatures: [String] = []
    for part in header.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1)
      guard pair.count == 2 else { return "the signature is not of the form t=…,v1=…" }
      if pair[0] == "t" { time = Int64(pair[1]) }
      if pair[0] == "v1" { signatures.append(String(pair[1])) }
    }
    guard let time, !signatures.isEmpty else { return "the signature is not of the form t=…,v1=…" }
    let now = clock() / 1000
    guard abs(now - time) <= options.freshness.components.seconds else {
      return "the signature's time is \(abs(now - time)) s from now"
    }
    guard let secret = options.secret else { return nil }
    let code = Crypto.hmacSHA256(key: Array(secret.utf8), Array("\(time).".utf8) + request.body)
    let expected = Array(Crypto.hex(code).utf8)
    guard signatures.contains(where: { Crypto.constantTimeEqual(Array($0.utf8), expected) }) else {
      return "the signature does not match"
    }
    return nil
  }

  private func error(_ status: Int, _ text: String) -> ServerResponse {
    .json(status, JSONText.object([("error", .string(text))]).bytes)
  }
}
