/// One HTTP request to send.
public struct HTTPRequest: Sendable {
  /// `GET`, `POST`, … in upper case.
  public var method: String
  /// An absolute `http` or `https` URL, already percent-encoded, without credentials in it.
  public var url: String
  /// Sent as given and in this order. Neither names nor values may hold a line break or NUL.
  public var headers: [(String, String)]
  /// The body's bytes; empty for none.
  public var body: [UInt8]
  /// How long resolving, connecting and the TLS handshake may take together. At least 1 ms.
  public var connectTimeout: Duration
  /// How long the whole exchange may take, waiting for a free connection included. At least 1 ms.
  public var timeout: Duration

  /// A request that is complete but for what is left at its default.
  public init(
    method: String, url: String, headers: [(String, String)] = [], body: [UInt8] = [],
    connectTimeout: Duration = .seconds(10), timeout: Duration = .seconds(30)
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.connectTimeout = connectTimeout
    self.timeout = timeout
  }
}

/// A reply whose status line and headers arrived in full.
public struct HTTPResponse: Sendable {
  /// 200 … 599. Interim (1xx) replies are skipped.
  public var status: Int
  /// In the order received, names as the server spelled them, values trimmed.
  public var headers: [(String, String)]
  /// The body, or its first bytes where ``bodyIsComplete`` is false.
  public var body: [UInt8]
  /// False where the body was cut: by a lost connection, by the time-out, or by the client's limit. The status stands.
  public var bodyIsComplete: Bool
  /// From handing the request over to the last byte.
  public var duration: Duration

  public init(
    status: Int, headers: [(String, String)] = [], body: [UInt8] = [], bodyIsComplete: Bool = true,
    duration: Duration = .zero
  ) {
    self.status = status
    self.headers = headers
    self.body = body
    self.bodyIsComplete = bodyIsComplete
    self.duration = duration
  }

  /// The first header of this name, in any case.
  public func header(_ name: String) -> String? { firstHeader(headers, name) }
}

/// Why there is no reply, and whether the request can have had an effect.
public struct HTTPFailure: Error, Sendable, CustomStringConvertible {
  /// Whether any byte of the request may have been written.
  public enum Kind: Sendable, Equatable {
    /// Proven: no byte was written. Sending it again is always safe.
    case notSent(NotSentReason)
    /// Some of it may have been written, so it may have had its effect.
    case ambiguous(AmbiguousReason)
  }

  /// Why nothing was written.
  public enum NotSentReason: String, Sendable, CaseIterable {
    /// The host's name could not be resolved.
    case dns
    /// No connection: refused, unreachable, no route.
    case connect
    /// The TLS handshake failed: certificate, name, protocol.
    case tls
    /// The time was over before a connection stood (or was free).
    case timeout
    /// The client was closed.
    case cancelled
    /// The request itself cannot be sent: URL, method, headers.
    case invalidRequest
    /// Anything else, before the first byte.
    case other
  }

  /// What ended the exchange after the request was begun.
  public enum AmbiguousReason: String, Sendable, CaseIterable {
    /// No reply in time.
    case timeout
    /// The connection was reset, or failed in the middle.
    case reset
    /// The server closed the connection without a reply.
    case closed
    /// What came is not an HTTP reply.
    case malformedReply
    /// The client was closed.
    case cancelled
    /// Anything else, after the first byte.
    case other
  }

  public var kind: Kind
  /// libcurl's own words, for people.
  public var detail: String
  /// From handing the request over to the failure.
  public var duration: Duration

  public init(_ kind: Kind, detail: String, duration: Duration = .zero) {
    self.kind = kind
    self.detail = detail
    self.duration = duration
  }

  /// Whether the request may have had an effect.
  public var isAmbiguous: Bool {
    if case .ambiguous = kind { true } else { false }
  }

  public var description: String {
    switch kind {
    case .notSent(let reason): "not sent (\(reason.rawValue)): \(detail)"
    case .ambiguous(let reason): "outcome unknown (\(reason.rawValue)): \(detail)"
    }
  }
}

/// The outcome of one request.
public enum HTTPResult: Sendable {
  /// A reply, whatever its status.
  case response(HTTPResponse)
  /// No reply.
  case failure(HTTPFailure)

  /// How long the exchange took.
  public var duration: Duration {
    switch self {
    case .response(let response): response.duration
    case .failure(let failure): failure.duration
    }
  }
}

/// The first value of the named header, in any case of its ASCII letters.
package func firstHeader(_ headers: [(String, String)], _ name: String) -> String? {
  headers.first { sameHeaderName($0.0, name) }?.1
}

/// Header names compare by ASCII letters without case (RFC 9110).
package func sameHeaderName(_ left: String, _ right: String) -> Bool {
  let a = left.utf8
  let b = right.utf8
  return a.count == b.count && zip(a, b).allSatisfy { lowercased($0) == lowercased($1) }
}

private func lowercased(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }
