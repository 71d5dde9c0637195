/// One request that arrived in full.
public struct ServerRequest: Sendable {
  /// `GET`, `POST`, … as sent.
  public let method: String
  /// The path, percent-decoded, without the query.
  public let path: String
  /// The path as sent: `%2F` is still to be told from `/`.
  public let rawPath: String
  /// The query's pairs in their order, decoded.
  public let query: [(String, String)]
  /// In the order sent, names as spelled by the client.
  public let headers: [(String, String)]
  /// The body, whether it came with a length or chunked.
  public let body: [UInt8]
  /// The client's address, without its port; empty where it is unknown.
  public let remote: String

  package init(
    method: String, path: String, rawPath: String, query: [(String, String)], headers: [(String, String)],
    body: [UInt8], remote: String
  ) {
    self.method = method
    self.path = path
    self.rawPath = rawPath
    self.query = query
    self.headers = headers
    self.body = body
    self.remote = remote
  }

  /// The first header of this name, in any case.
  public func header(_ name: String) -> String? { firstHeader(headers, name) }

  /// The first query value of this name.
  public func query(_ name: String) -> String? { query.first { $0.0 == name }?.1 }
}

/// What a handler answers.
public struct ServerResponse: Sendable {
  /// 200 … 599.
  public var status: Int
  public var headers: [(String, String)]
  public var body: [UInt8]

  public init(status: Int, headers: [(String, String)] = [], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// Plain text in UTF-8.
  public static func text(_ status: Int, _ text: String) -> ServerResponse {
    ServerResponse(status: status, headers: [("Content-Type", "text/plain; charset=utf-8")], body: Array(text.utf8))
  }

  /// JSON that is already written.
  public static func json(_ status: Int, _ body: [UInt8]) -> ServerResponse {
    ServerResponse(status: status, headers: [("Content-Type", "application/json")], body: body)
  }
}

/// The way to answer one request, once, from any thread. Answers after the first are ignored; so is one after the
/// client has gone. Where the last reference is dropped without an answer, the client gets a 500.
public final class Responder: Sendable {
  private let exchange: ServerExchange

  init(_ exchange: ServerExchange) { self.exchange = exchange }

  deinit { exchange.answer(.response(.text(500, "the request was not answered\n"))) }

  /// Sends the reply.
  public func respond(_ response: ServerResponse) { exchange.answer(.response(response)) }

  /// Closes the connection without a reply; with `reset`, by a TCP reset rather than an orderly end.
  public func drop(reset: Bool = false) { exchange.answer(.drop(reset: reset)) }
}

/// Why a server could not start.
public enum HTTPServerError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Not of the form `host:port`.
  case invalidAddress(listen: String)
  /// The host's name is not known.
  case unknownHost(listen: String, detail: String)
  /// Another process listens there.
  case addressInUse(listen: String)
  /// The port may not be used by this user, or the address is not this machine's.
  case notPermitted(listen: String, detail: String)
  /// Anything else.
  case setup(listen: String, detail: String)

  public var description: String {
    switch self {
    case .invalidAddress(let listen):
      "\"\(listen)\" is not a listen address: write host:port, as in 127.0.0.1:9464"
    case .unknownHost(let listen, let detail): "cannot listen on \(listen): the host is not known (\(detail))"
    case .addressInUse(let listen):
      "cannot listen on \(listen): another process does; stop it or choose another port"
    case .notPermitted(let listen, let detail):
      "cannot listen on \(listen): \(detail); choose an address of this machine and a port above 1023"
    case .setup(let listen, let detail): "cannot listen on \(listen): \(detail)"
    }
  }
}
