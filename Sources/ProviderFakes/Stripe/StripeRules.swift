internal import HTTP

/// Stripe's rules: who may ask, how often, and what becomes of it.
final class StripeRules: ProviderRules {
  /// One event that was accepted.
  struct Event: Sendable {
    var row: FakeRow
    var meter: StripeMeter
    var value: ExactDecimal
    /// Unix seconds.
    var timestamp: Int64
    /// What it added to the total.
    var delta: ExactDecimal
    /// Unix milliseconds of arrival.
    var arrived: Int64
    var isCancelled = false
    var reply: JSONText
  }

  struct State {
    /// All that were accepted, in order of arrival.
    var events: [Event] = []
    /// By identifier: the latest event accepted under it, as an index.
    var identifiers: [String: Int] = [:]
    /// By event name and customer, in order of arrival: booked events, as indexes.
    var booked: [String: [String: [Int]]] = [:]
    /// Customer and meter of calls under way.
    var underWay: Set<String> = []
    var asyncErrors: [StripeAsyncError] = []
    /// The token bucket: tokens at an instant.
    var tokens: Double
    var tokensAt: Int64
  }

  let options: StripeFakeOptions
  let effects: EffectLedger
  let clock: @Sendable () -> Int64
  let state: Locked<State>

  init(_ options: StripeFakeOptions, _ effects: EffectLedger, _ clock: @escaping @Sendable () -> Int64) {
    self.options = options
    self.effects = effects
    self.clock = clock
    state = Locked(State(tokens: Double(options.requestsPerSecond), tokensAt: clock()))
  }

  var asyncErrors: [StripeAsyncError] { state.withLock { $0.asyncErrors } }

  func enter(_ request: ServerRequest) -> FakeEntry {
    if let error = authenticationError(request) { return .refused(error.response, outcome: error.outcome) }
    guard request.method == "POST" else { return .entered(token: "") }
    guard takeToken() else {
      let error = StripeError.rateLimit(retryAfterSeconds: 1)
      return .refused(error.response, outcome: error.outcome)
    }
    guard request.path == StripePath.events, let row = rows(request).first else { return .entered(token: "") }
    // The length makes it one key for one pair of names.
    let token = "\(row.customer.utf8.count):\(row.customer)\(row.meter)"
    guard state.withLock({ $0.underWay.insert(token).inserted }) else {
      return .refused(StripeError.lockTimeout.response, outcome: StripeError.lockTimeout.outcome)
    }
    return .entered(token: token)
  }

  func leave(_ token: String) {
    guard !token.isEmpty else { return }
    state.withLock { _ = $0.underWay.remove(token) }
  }

  func apply(_ request: ServerRequest) -> ServerResponse {
    do throws(StripeError) {
      switch (request.method, request.path) {
      case ("POST", StripePath.events): return try createEvent(request)
      case ("POST", StripePath.adjustments): return try createAdjustment(request)
      case ("GET", StripePath.account): return account()
      case ("GET", StripePath.meters): return try listMeters(request)
      case ("GET", let path) where path.hasPrefix(StripePath.meters + "/"): return try readMeter(request)
      default:
        throw StripeError(
          status: 404, message: "Unrecognized request URL (\(request.method): \(request.path)).")
      }
    } catch {
      if request.method == "POST", !error.isBooked {
        let row = rows(request).first
        effects.refuse(row, at: clock(), outcome: error.outcome)
      }
      return error.response
    }
  }

  func rows(_ request: ServerRequest) -> [FakeRow] {
    guard request.path == StripePath.events, let pairs = FormEncoding.decode(request.body) else { return [] }
    func value(_ name: String) -> String? { pairs.first { $0.0 == name }?.1 }
    let meter = value("event_name").map(meter(named:)) ?? nil
    let customer = value("payload[\(meter?.customerKey ?? "stripe_customer_id")]")
    let quantity = value("payload[\(meter?.valueKey ?? "value")]")
    return [
      FakeRow(
        key: value("identifier") ?? "", customer: customer ?? "", meter: value("event_name") ?? "",
        value: quantity ?? "", timestamp: value("timestamp").flatMap { Int64($0) }.map { $0 * 1000 })
    ]
  }

  func tooManyRequests(retryAfterSeconds: Int) -> ServerResponse {
    StripeError.rateLimit(retryAfterSeconds: retryAfterSeconds).response
  }
  func internalError() -> ServerResponse { StripeError.server(500).response }
  func unavailable() -> ServerResponse { StripeError.server(503).response }

  /// The meter of an event name; nil where meters are configured and none has it.
  func meter(named name: String) -> StripeMeter? {
    options.meters.isEmpty ? StripeMeter(eventName: name) : options.meters.first { $0.eventName == name }
  }

  /// The key, as Bearer token or as Basic user; nil where there is none.
  func secretKey(_ request: ServerRequest) -> String? {
    guard let header = request.header("Authorization") else { return nil }
    let parts = header.split(separator: " ", maxSplits: 1)
    guard parts.count == 2 else { return nil }
    switch parts[0].lowercased() {
    case "bearer": return String(parts[1])
    case "basic":
      return decodeBase64(String(parts[1]))?.split(separator: ":", omittingEmptySubsequences: false).first.map(
        String.init)
    default: return nil
    }
  }

  func isLive(_ request: ServerRequest) -> Bool { secretKey(request)?.dropFirst(2).hasPrefix("_live_") ?? false }

  private func authenticationError(_ request: ServerRequest) -> StripeError? {
    guard let key = secretKey(request), !key.isEmpty else {
      return StripeError(
        status: 401, message: "You did not provide an API key.",
        headers: [("WWW-Authenticate", "Basic realm=\"Stripe\"")])
    }
    let known =
      options.secretKey.map { Crypto.constantTimeEqual(Array($0.utf8), Array(key.utf8)) }
      ?? ["sk_test_", "sk_live_", "rk_test_", "rk_live_"].contains { key.hasPrefix($0) && key.count > $0.count }
    if known { return nil }
    let hidden = key.count > 12 ? key.prefix(8) + "****" + key.suffix(4) : "****"
    return StripeError(status: 401, message: "Invalid API Key provided: \(hidden)")
  }

  private func takeToken() -> Bool {
    let now = clock()
    return state.withLock { state in
      let rate = Double(options.requestsPerSecond)
      state.tokens = min(rate, state.tokens + Double(max(0, now - state.tokensAt)) / 1000 * rate)
      state.tokensAt = max(now, state.tokensAt)
      guard state.tokens >= 1 else { return false }
      state.tokens -= 1
      return true
    }
  }
}

/// The paths that the fake serves.
enum StripePath {
  static let events = "/v1/billing/meter_events"
  static let adjustments = "/v1/billing/meter_event_adjustments"
  static let meters = "/v1/billing/meters"
  static let account = "/v1/account"
}
