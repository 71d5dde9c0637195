internal import Dispatch
internal import HTTP
internal import Metering

/// What `meterd check` asks a sink's provider before a run, and what it found. Changes nothing there.
public struct ProviderCheck: Sendable {
  /// What would go wrong, and the setting to look at.
  public struct Problem: Hashable, Sendable, CustomStringConvertible {
    /// What kind of trouble it is.
    public enum Kind: Hashable, Sendable {
      /// Something in the configuration, or at the provider, has to be put right.
      case configuration
      /// The provider could not be asked: it may be well.
      case unavailable
    }
    public var kind: Kind
    public var sink: String
    /// The key under the sink, as in the file.
    public var key: String
    public var text: String

    public var description: String { "sink \(sink): \(key): \(text)" }
  }

  /// What was verified, a line each.
  public private(set) var facts: [String] = []
  public private(set) var problems: [Problem] = []
  private let sink: ConfiguredSink
  private let client: HTTPClient
  private let unixSeconds: Int64

  /// Asks the provider of one sink. Blocks until it has answered: for the command line.
  ///
  /// - Parameters:
  ///   - features: the features that the configuration lists.
  ///   - unixSeconds: the wall clock's present.
  /// - Returns: nil where the provider offers nothing that could be asked without an effect.
  /// - Throws: `HTTPClientError` where libcurl cannot be set up.
  public static func run(
    _ sink: ConfiguredSink, features: [String], unixSeconds: Int64
  ) throws -> ProviderCheck? {
    guard let stripe = sink.adapter as? StripeAdapter else { return nil }
    let client = try HTTPClient()
    defer { client.close() }
    var check = ProviderCheck(sink: sink, client: client, unixSeconds: unixSeconds)
    if check.verifyAccount() { check.verifyMeters(of: stripe, features) }
    return check
  }

  private init(sink: ConfiguredSink, client: HTTPClient, unixSeconds: Int64) {
    self.sink = sink
    self.client = client
    self.unixSeconds = unixSeconds
  }

  private mutating func found(_ kind: Problem.Kind, _ key: String, _ text: String) {
    problems.append(Problem(kind: kind, sink: sink.configuration.name, key: key, text: text))
  }

  /// Whether it is worth asking further.
  private mutating func verifyAccount() -> Bool {
    switch sink.adapter.accountSource {
    case .fixed(let account):
      facts.append("account \(account), as the configuration says")
      return true
    case .fetched(let request, let read):
      let reply = ask(request)
      do throws(AccountUnknown) {
        facts.append("the key belongs to account \(try read(reply))")
        return true
      } catch {
        switch reply {
        case .notSent(let code), .ambiguous(let code): found(.unavailable, "base_url", "\(error) (\(code))")
        case .response(let response):
          switch response.status {
          case 401: found(.configuration, "secret_key", error.description)
          case 403: found(.configuration, "account", error.description)
          default: found(.unavailable, "base_url", error.description)
          }
        }
        return false
      }
    }
  }

  private mutating func verifyMeters(of stripe: StripeAdapter, _ features: [String]) {
    var meters: [StripeCheck.Meter] = []
    var after: String?
    repeat {
      let page: StripeCheck.Page
      do throws(StripeCheck.Failure) {
        page = try StripeCheck.read(ask(StripeCheck.metersRequest(baseURL: stripe.baseURL, after: after)))
      } catch {
        switch error.status {
        case 401: found(.configuration, "secret_key", "Stripe refuses the key (401)")
        case 403: facts.append("meters were not looked at: the key may not list them (403)")
        default: found(.unavailable, "base_url", error.description)
        }
        return
      }
      meters += page.meters
      after = page.hasMore ? page.meters.last?.id : nil
    } while after != nil
    let names = eventNames(features)
    let missing = StripeCheck.missing(meters: meters, eventNames: names)
    for name in missing {
      facts.append("warning: no active meter \(name): its rows would be parked until there is one")
    }
    let wrong = StripeCheck.problems(meters: meters, eventNames: names)
    for problem in wrong { found(.configuration, "features", problem) }
    let well = names.filter { !missing.contains($0) }
    if wrong.isEmpty, !well.isEmpty { facts.append("meters that add up: \(well.joined(separator: ", "))") }
    if sink.rules.takesOtherFeatures {
      facts.append("features that are not listed need a meter of their own name (other_features: same_name)")
    }
  }

  /// The names that listed features have at the provider.
  private func eventNames(_ features: [String]) -> [String] {
    var names = Set(sink.rules.featureNames.values)
    if sink.rules.takesOtherFeatures {
      names.formUnion(features.filter { sink.rules.featureNames[$0] == nil })
    }
    return names.sorted()
  }

  private func ask(_ request: ProviderRequest) -> ProviderReply {
    let authorized = sink.adapter.authorize(request, unixSeconds: unixSeconds)
    let contract = sink.adapter.contract
    let reply = Locked<ProviderReply?>(nil)
    let answered = DispatchSemaphore(value: 0)
    client.send(
      HTTPRequest(
        method: authorized.method, url: authorized.url, headers: authorized.headers.map { ($0.name, $0.value) },
        body: authorized.body, connectTimeout: .milliseconds(contract.connectTimeoutMilliseconds),
        timeout: .milliseconds(contract.requestTimeoutMilliseconds))
    ) { result in
      reply.withLock { $0 = ProviderReply(result) }
      answered.signal()
    }
    answered.wait()
    return reply.withLock { $0 } ?? .notSent(code: "no_client")
  }
}
