public import Metering

/// A sink that is ready to be run.
public struct ConfiguredSink: Sendable {
  public var configuration: SinkConfiguration
  public var adapter: any ProviderAdapter
  /// The part that belongs to the log.
  public var rules: SinkRules
}

/// The providers by the name that a configuration gives them.
public enum ProviderRegistry {
  public static let providers = ["stripe", "webhook", "log"]

  /// Makes a sink of its configuration.
  ///
  /// - Parameter log: takes the lines of `log` sinks; false where they could not be written.
  /// - Throws: the first thing that cannot work, with its key.
  public static func make(
    _ configuration: SinkConfiguration, log: @escaping @Sendable ([UInt8]) -> Bool
  ) throws(SinkConfigurationError) -> ConfiguredSink {
    let adapter = try adapter(configuration, log: log)
    let rules = SinkRules(
      name: configuration.name, provider: configuration.provider, account: account(configuration, adapter),
      featureNames: configuration.featureNames, takesOtherFeatures: configuration.takesOtherFeatures,
      contractVersion: adapter.contract.version, rowRules: adapter.contract.rowRules, start: configuration.start,
      isRetired: configuration.isRetired)
    return ConfiguredSink(configuration: configuration, adapter: adapter, rules: rules)
  }

  private static func adapter(
    _ configuration: SinkConfiguration, log: @escaping @Sendable ([UInt8]) -> Bool
  ) throws(SinkConfigurationError) -> any ProviderAdapter {
    func problem(_ key: String, _ text: String) -> SinkConfigurationError {
      SinkConfigurationError(sink: configuration.name, key: key, problem: text)
    }
    if let rate = configuration.requestsPerSecond, rate < 1 {
      throw problem("rate.requests_per_second", "found \(rate); at least 1")
    }
    if let window = configuration.idempotencyWindowMilliseconds {
      guard configuration.provider == "webhook" else {
        throw problem("idempotency_window", "only a webhook declares it; \(configuration.provider) has its own")
      }
      // Less than the margin that is kept from it would make every ambiguous attempt uncertain at once.
      guard window >= 3_600_000 else { throw problem("idempotency_window", "at least 1h") }
    }
    switch configuration.provider {
    case "stripe":
      guard let secret = configuration.secret, !secret.isEmpty else { throw problem("secret_key", "(required)") }
      return StripeAdapter(
        baseURL: try base(configuration, otherwise: StripeAdapter.defaultBaseURL), secret: secret,
        account: configuration.account, requestsPerSecond: configuration.requestsPerSecond)
    case "webhook":
      guard let secret = configuration.secret, !secret.isEmpty else { throw problem("secret", "(required)") }
      guard configuration.url != nil else { throw problem("url", "(required)") }
      return WebhookAdapter(
        url: try url(configuration, key: "url", otherwise: ""), secret: secret, account: configuration.account,
        idempotencyWindowMilliseconds: configuration.idempotencyWindowMilliseconds,
        requestsPerSecond: configuration.requestsPerSecond)
    case "log": return LogAdapter(name: configuration.name, write: log)
    default:
      throw problem("provider", "found \(configuration.provider); one of \(providers.joined(separator: ", "))")
    }
  }

  private static func account(_ configuration: SinkConfiguration, _ adapter: any ProviderAdapter) -> String {
    if let account = configuration.account { return account }
    if case .fixed(let account) = adapter.accountSource { return account }
    return ""
  }

  private static func base(
    _ configuration: SinkConfiguration, otherwise: String
  ) throws(SinkConfigurationError) -> String {
    var text = try url(configuration, key: "base_url", otherwise: otherwise)
    while text.hasSuffix("/") { text.removeLast() }
    return text
  }

  private static func url(
    _ configuration: SinkConfiguration, key: String, otherwise: String
  ) throws(SinkConfigurationError) -> String {
    let text = configuration.url ?? otherwise
    let rest = ["https://", "http://"].first(where: text.hasPrefix).map { text.dropFirst($0.count) }
    let host = rest?.split(separator: "/", omittingEmptySubsequences: false).first ?? ""
    guard !host.isEmpty, !host.contains("@"), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw SinkConfigurationError(
        sink: configuration.name, key: key,
        problem: "found \(text); an absolute http or https URL, percent-encoded, without credentials")
    }
    return text
  }
}
