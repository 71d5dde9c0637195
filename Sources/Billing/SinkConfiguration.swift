public import Metering

/// One sink of the configuration, as it was written, checked only for types.
public struct SinkConfiguration: Sendable {
  /// Its name in ledger, metrics and pages.
  public var name: String
  /// `stripe`, `webhook` or `log`.
  public var provider: String
  /// `base_url` (or a webhook's `url`); nil: the provider's own.
  public var url: String?
  /// The provider's credential; nil where it has none.
  public var secret: Secret?
  /// `rate.requests_per_second`: at most the contract's.
  public var requestsPerSecond: Int64?
  /// `idempotency_window` of a webhook, in milliseconds: how long its receiver keeps the keys.
  public var idempotencyWindowMilliseconds: Int64?
  /// `account`, where the provider cannot tell it.
  public var account: String?
  /// Our feature → the provider's name of it.
  public var featureNames: [String: String]
  /// `other_features: same_name` (true) or `skip`.
  public var takesOtherFeatures: Bool
  /// `from_cut`.
  public var start: SinkStart
  public var isRetired: Bool

  public init(
    name: String, provider: String, url: String? = nil, secret: Secret? = nil, requestsPerSecond: Int64? = nil,
    idempotencyWindowMilliseconds: Int64? = nil, account: String? = nil, featureNames: [String: String] = [:],
    takesOtherFeatures: Bool = true, start: SinkStart = .present, isRetired: Bool = false
  ) {
    self.name = name
    self.provider = provider
    self.url = url
    self.secret = secret
    self.requestsPerSecond = requestsPerSecond
    self.idempotencyWindowMilliseconds = idempotencyWindowMilliseconds
    self.account = account
    self.featureNames = featureNames
    self.takesOtherFeatures = takesOtherFeatures
    self.start = start
    self.isRetired = isRetired
  }
}

/// A sink's configuration that cannot work: which key, what was found, what is allowed.
public struct SinkConfigurationError: Error, Hashable, CustomStringConvertible {
  public var sink: String
  /// The key under the sink, as in the file: `provider`, `url`, `secret_key`, …
  public var key: String
  public var problem: String

  public init(sink: String, key: String, problem: String) {
    self.sink = sink
    self.key = key
    self.problem = problem
  }

  public var description: String { "sink \(sink): \(key): \(problem)" }
}
