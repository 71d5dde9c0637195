internal import HTTP
internal import Metering

/// Stripe meter events, version 1: one row a request, deduplicated by `identifier` for at least 24 hours.
///
/// No `Idempotency-Key`: it would replay stored 500s; the identifier protects by itself.
public struct StripeAdapter: ProviderAdapter {
  public let contract: Contract
  public let transport = ProviderTransport.http
  public let accountSource: AccountSource
  let baseURL: String
  private let secret: Secret

  public static let defaultBaseURL = "https://api.stripe.com"
  /// The version of Stripe's API that requests and replies are written for (recorded from its SDK).
  public static let apiVersion = "2026-10-28.endive"

  /// - Parameters:
  ///   - baseURL: without a slash at its end.
  ///   - secret: `sk_live_…`, `sk_test_…`, `rk_live_…` or `rk_test_…`.
  ///   - account: in place of asking `GET /v1/account` (a restricted key may not be allowed to).
  ///   - requestsPerSecond: at most the contract's (live 1,000, sandboxes 25).
  public init(
    baseURL: String = defaultBaseURL, secret: Secret, account: String? = nil, requestsPerSecond: Int64? = nil
  ) {
    self.baseURL = baseURL
    self.secret = secret
    let mode = StripeMode(key: secret)
    let most: Int64 = mode == .live ? 1_000 : 25
    // A shallow bucket: a second's worth on top of a second's rate would break Stripe's limit.
    let rate = RateLimit(count: most, burst: max(1, most / 20))
    contract = Contract(
      endpoint: "POST /v1/billing/meter_events", batch: .init(records: 1),
      idempotency: .key(windowMilliseconds: 24 * 3_600_000),
      rowRules: RowRules(
        stepUnits: Quantity.scale, greatestUnits: Self.greatestWhole * Quantity.scale, allowsNegative: true),
      timestamps: .init(oldestMilliseconds: 35 * 86_400_000, newestAheadMilliseconds: 5 * 60_000),
      rates: [requestsPerSecond.map(rate.limited(toPerSecond:)) ?? rate],
      concurrency: mode == .live ? 100 : 8, isSerialPerCustomerAndMeter: true,
      requestTimeoutMilliseconds: 80_000)
    if let account {
      accountSource = .fixed(account)
    } else {
      let request = ProviderRequest(method: "GET", url: baseURL + "/v1/account")
      accountSource = .fetched(request) { reply throws(AccountUnknown) in
        try StripeReply.account(reply) + mode.suffix
      }
    }
  }

  /// 15 significant digits.
  static let greatestWhole: Int128 = 999_999_999_999_999

  public func refusal(of row: SinkRow) -> RowRefusal? {
    if let refusal = TextRefusal.judge(row) { return refusal }
    guard !row.customer.isEmpty else { return RowRefusal(reason: "invalid_customer", detail: "it is empty") }
    guard row.key.utf8.count <= 100 else {
      return RowRefusal(reason: "invalid_key", detail: "Stripe takes identifiers of up to 100 characters")
    }
    let units = row.value.units
    guard units % Quantity.scale == 0, abs(units / Quantity.scale) <= Self.greatestWhole else {
      return RowRefusal(
        reason: "value_not_taken",
        detail: "Stripe takes whole numbers of up to 15 digits, not \(QuantityText.string(row.value))")
    }
    let reserved = row.dimensions.first { $0.name == "value" || $0.name == "stripe_customer_id" }
    guard reserved == nil else {
      return RowRefusal(
        reason: "dimension_not_taken", detail: "the dimension \(reserved?.name ?? "") is a key of Stripe's own")
    }
    return nil
  }

  public func bodyBytes(of row: SinkRow) -> Int { 0 }

  public func request(for rows: [SinkRow], account: String) -> ProviderRequest {
    precondition(rows.count == 1, "Stripe takes one meter event a request")
    let row = rows[0]
    var form: [(String, String)] = [
      ("event_name", String(decoding: row.meter, as: UTF8.self)),
      ("payload[stripe_customer_id]", String(decoding: row.customer, as: UTF8.self)),
      ("payload[value]", QuantityText.string(row.value)),
    ]
    for dimension in row.dimensions { form.append(("payload[\(dimension.name)]", dimension.text)) }
    form.append(("timestamp", String(floorSeconds(row.timestampMilliseconds))))
    form.append(("identifier", row.key))
    return ProviderRequest(
      method: "POST", url: baseURL + "/v1/billing/meter_events",
      headers: [.init("Content-Type", "application/x-www-form-urlencoded")],
      body: FormEncoding.encode(form, bareBrackets: true))
  }

  private func floorSeconds(_ milliseconds: Int64) -> Int64 {
    milliseconds >= 0 ? milliseconds / 1_000 : (milliseconds - 999) / 1_000
  }

  public func interpret(_ reply: ProviderReply, rows: [SinkRow]) -> BatchVerdict { .all(StripeReply.verdict(reply)) }

  public func authorize(_ request: ProviderRequest, unixSeconds: Int64) -> ProviderRequest {
    var authorized = request
    authorized.headers.append(.init("Authorization", "Bearer " + secret.reveal()))
    authorized.headers.append(.init("Stripe-Version", Self.apiVersion))
    return authorized
  }
}

/// Whether a key belongs to live or test data.
enum StripeMode: Equatable {
  case live, test, unknown

  init(key: Secret) {
    let text = key.reveal()
    if text.hasPrefix("sk_live_") || text.hasPrefix("rk_live_") {
      self = .live
    } else if text.hasPrefix("sk_test_") || text.hasPrefix("rk_test_") {
      self = .test
    } else {
      self = .unknown
    }
  }

  /// Part of the account's name: the same account in another mode is another one.
  var suffix: String {
    switch self {
    case .live: "/live"
    case .test: "/test"
    case .unknown: "/unknown"
    }
  }
}
