/// One request to a provider, without its secret: ``ProviderAdapter/authorize(_:unixSeconds:)`` adds that last.
public struct ProviderRequest: Hashable, Sendable {
  public struct Header: Hashable, Sendable {
    public var name: String
    public var value: String
    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }
  public var method: String
  /// Absolute; empty for a local sink.
  public var url: String
  public var headers: [Header]
  public var body: [UInt8]

  public init(method: String, url: String, headers: [Header] = [], body: [UInt8] = []) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
  }
}

/// What became of one request, as far as the transport can tell.
public enum ProviderReply: Hashable, Sendable {
  public struct Response: Hashable, Sendable {
    public var status: Int
    public var headers: [ProviderRequest.Header]
    public var body: [UInt8]
    /// False where the body was cut.
    public var bodyIsComplete: Bool

    public init(
      status: Int, headers: [ProviderRequest.Header] = [], body: [UInt8] = [], bodyIsComplete: Bool = true
    ) {
      self.status = status
      self.headers = headers
      self.body = body
      self.bodyIsComplete = bodyIsComplete
    }

    /// The first header of this name, in any case.
    public func header(_ name: String) -> String? {
      let wanted = name.lowercased()
      return headers.first { $0.name.lowercased() == wanted }?.value
    }
  }
  case response(Response)
  /// Proven: no byte of it was written. The code is bounded (`dns`, `connect`, `tls`, …).
  case notSent(code: String)
  /// Some of it may have been written. The code is bounded (`timeout`, `reset`, …).
  case ambiguous(code: String)
}

/// What a reply means for one row.
public enum Verdict: Hashable, Sendable {
  /// Whether a wait concerns the whole sink or only the row's customer and meter.
  public enum Scope: Hashable, Sendable { case sink, row }

  /// Booked by this attempt (or by one that the provider kept silent about).
  case delivered
  /// The provider knew the key already.
  case alreadyDelivered
  /// Refused for good. `code` is stable and short; `detail` is the provider's sentence.
  case rejected(code: String, detail: String)
  /// Refused as part of a batch that is refused as a whole: it is split to find the row at fault; a single row is
  /// rejected.
  case split(code: String, detail: String)
  /// To be sent again at once, through no fault of its own.
  case sendAgain(provenWithoutEffect: Bool)
  /// A passing failure. `waitMilliseconds`: what the provider asked for; nil: back off.
  case retryLater(code: String, waitMilliseconds: Int64?, provenWithoutEffect: Bool, scope: Scope)
  /// The provider asks for fewer requests: proven without effect, and no fault of the row.
  case rateLimited(waitMilliseconds: Int64?, scope: Scope)
  /// Nobody knows.
  case ambiguous(code: String)
  /// The credentials are refused. `provenWithoutEffect` for a 401.
  case unauthorized(code: String, provenWithoutEffect: Bool)
}

/// The verdicts on the rows of one batch.
public enum BatchVerdict: Hashable, Sendable {
  case all(Verdict)
  /// One for each row, in the batch's order.
  case each([Verdict])
}

/// Why a row cannot be put into a request of this provider at all: it is parked without an attempt.
public struct RowRefusal: Hashable, Sendable {
  /// Stable and short.
  public var reason: String
  public var detail: String

  public init(reason: String, detail: String) {
    self.reason = reason
    self.detail = detail
  }
}

/// How requests travel.
public enum ProviderTransport: Sendable {
  case http
  /// Within the process: the closure has the effect and says what became of it. Called on the sink's queue.
  case local(@Sendable (ProviderRequest) -> ProviderReply)
}

/// Where the name of the account comes from (it includes test or live mode).
public enum AccountSource: Sendable {
  case fixed(String)
  /// A request (to be authorized like any other) and how to read its reply.
  case fetched(ProviderRequest, read: @Sendable (ProviderReply) throws(AccountUnknown) -> String)
}

/// The provider did not say which account the credentials belong to.
public struct AccountUnknown: Error, Hashable, CustomStringConvertible {
  /// What was found, and what to do about it.
  public var description: String
  /// Whether asking again later may help.
  public var isTransient: Bool

  public init(_ description: String, isTransient: Bool) {
    self.description = description
    self.isTransient = isTransient
  }
}

/// A provider's way of writing rows and reading replies. All but ``authorize(_:unixSeconds:)`` are pure functions.
public protocol ProviderAdapter: Sendable {
  var contract: Contract { get }
  var transport: ProviderTransport { get }
  var accountSource: AccountSource { get }

  /// Why this row can never be sent; nil where it can.
  func refusal(of row: SinkRow) -> RowRefusal?
  /// An upper bound of the bytes that this row adds to a body. Only asked where the contract limits bytes.
  func bodyBytes(of row: SinkRow) -> Int
  /// The request for these rows (at most the contract's batch). The same rows give the same bytes.
  func request(for rows: [SinkRow], account: String) -> ProviderRequest
  /// What the reply means for each row.
  func interpret(_ reply: ProviderReply, rows: [SinkRow]) -> BatchVerdict
  /// Adds credentials and signature. `unixSeconds`: the wall clock's present.
  func authorize(_ request: ProviderRequest, unixSeconds: Int64) -> ProviderRequest
}
