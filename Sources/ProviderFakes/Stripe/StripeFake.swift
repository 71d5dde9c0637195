/// One meter of Stripe's fake.
public struct StripeMeter: Sendable {
  /// How a meter makes one number of its events.
  public enum Formula: String, Sendable { case sum, count, last }
  /// Pre-aggregated ingestion: events of equal timestamp replace each other.
  public enum EventTimeWindow: String, Sendable { case day, hour }

  public var id: String
  public var eventName: String
  public var formula: Formula
  public var eventTimeWindow: EventTimeWindow?
  /// The payload's key that holds the customer.
  public var customerKey: String
  /// The payload's key that holds the value.
  public var valueKey: String
  /// An inactive meter takes no events.
  public var isActive: Bool

  public init(
    eventName: String, id: String? = nil, formula: Formula = .sum, eventTimeWindow: EventTimeWindow? = nil,
    customerKey: String = "stripe_customer_id", valueKey: String = "value", isActive: Bool = true
  ) {
    self.eventName = eventName
    self.id = id ?? "mtr_fake_" + eventName
    self.formula = formula
    self.eventTimeWindow = eventTimeWindow
    self.customerKey = customerKey
    self.valueKey = valueKey
    self.isActive = isActive
  }
}

/// How Stripe's fake behaves. The defaults are the documented facts.
public struct StripeFakeOptions: Sendable {
  /// What an event whose identifier is known gets.
  public enum DuplicateReply: Sendable {
    /// 400 `invalid_request_error`, "An event already exists with identifier …".
    case error
    /// 200, as if it had been taken.
    case silent
  }

  /// The only key that is taken; nil: any of the form `sk_test_…`, `sk_live_…`, `rk_test_…`, `rk_live_…`.
  public var secretKey: String?
  /// What `GET /v1/account` says.
  public var accountID: String
  /// Empty: every event name has a meter that sums.
  public var meters: [StripeMeter]
  /// Known customers; nil: all. An unknown one's events are accepted and never booked (an asynchronous error).
  public var customers: Set<String>?
  public var duplicateReply: DuplicateReply
  /// How long identifiers are remembered, from their first arrival.
  public var identifierWindow: Duration
  /// Events that may be sent in a second, by the fake's clock; one second's worth may come at once. Live: 1000,
  /// sandboxes: 25.
  public var requestsPerSecond: Int
  /// Whether values may have a fraction: accounts differ; by default they may not.
  public var allowsFractions: Bool
  /// How far read-back lags behind acceptance.
  public var summaryLag: Duration

  public init(
    secretKey: String? = nil, accountID: String = "acct_fake", meters: [StripeMeter] = [],
    customers: Set<String>? = nil, duplicateReply: DuplicateReply = .error,
    identifierWindow: Duration = .seconds(86_400), requestsPerSecond: Int = 1000, allowsFractions: Bool = false,
    summaryLag: Duration = .zero
  ) {
    self.secretKey = secretKey
    self.accountID = accountID
    self.meters = meters
    self.customers = customers
    self.duplicateReply = duplicateReply
    self.identifierWindow = identifierWindow
    self.requestsPerSecond = requestsPerSecond
    self.allowsFractions = allowsFractions
    self.summaryLag = summaryLag
  }
}

/// What Stripe would tell later, by an event of type `v1.billing.meter.error_report_triggered` or
/// `v1.billing.meter.no_meter_found`: an accepted event that was not booked.
public struct StripeAsyncError: Sendable, Equatable {
  public let code: String
  public let identifier: String
}

/// Stripe's meter events, first version, with its read-back paths.
public final class StripeFake: ProviderFake {
  public let host: FakeHost
  private let rules: StripeRules

  public init(
    _ options: StripeFakeOptions = StripeFakeOptions(), server: FakeServerOptions = FakeServerOptions()
  ) throws(RecordFileError) {
    (host, rules) = try FakeHost.make(server) { StripeRules(options, $0, $1) }
  }

  deinit { host.stop() }

  /// Accepted events that were not booked, oldest first.
  public var asyncErrors: [StripeAsyncError] { rules.asyncErrors }
}
