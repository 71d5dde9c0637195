public import Daemon
public import HTTP

/// What operators and their programs may ask over HTTP: metrics, health, the status page and its JSON. All of it is
/// reading; nothing here changes anything, and no customer is named.
///
/// Concurrency: called by the server's threads, several at a time; it holds no state of its own.
public struct OperatorRoutes: Sendable {
  private let status: any StatusSource
  private let metrics: MeterdMetrics

  public init(status: any StatusSource, metrics: MeterdMetrics) {
    self.status = status
    self.metrics = metrics
  }

  /// Answers one request, at once: `HTTPServer(listen: address) { routes.handle($0, $1) }`.
  public func handle(_ request: ServerRequest, _ responder: Responder) {
    responder.respond(response(method: request.method, path: request.path))
  }

  /// The answer to one method and path.
  package func response(method: String, path: String) -> ServerResponse {
    guard let answer = Self.paths[path] else {
      return plain(404, "There is nothing here. There is: \(Self.paths.keys.sorted().joined(separator: ", "))\n")
    }
    guard method == "GET" || method == "HEAD" else {
      var refused = plain(405, "Only GET is answered here.\n")
      refused.headers.append(("Allow", "GET, HEAD"))
      return refused
    }
    return answer(self)
  }

  private static let paths: [String: @Sendable (OperatorRoutes) -> ServerResponse] = [
    "/": { $0.page() },
    "/metrics": { routes in
      routes.reply(200, "text/plain; version=0.0.4; charset=utf-8", routes.metrics.registry.render())
    },
    "/healthz/live": { $0.plain(200, "ok\n") },
    "/healthz/ready": { $0.ready() },
    "/v1/status": { routes in routes.reply(200, "application/json", routes.status.status().json) },
  ]

  private func ready() -> ServerResponse {
    let status = status.status()
    var text = JSONText()
    text.object { text in
      text.member("ready", status.ready)
      text.name("reasons")
      text.array { text in for reason in status.reasons { text.value(reason) } }
    }
    return reply(status.ready ? 200 : 503, "application/json", text.bytes)
  }

  private func page() -> ServerResponse {
    // A nonce of this reply allows the page's own style and script, and no other that could slip into a name.
    var generator = SystemRandomNumberGenerator()
    let nonce = (0..<2).map { _ in String(UInt64.random(in: .min ... .max, using: &generator), radix: 16) }.joined()
    var page = reply(200, "text/html; charset=utf-8", Array(StatusPage(status.status(), nonce: nonce).html.utf8))
    page.headers.append(
      (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'nonce-\(nonce)'; script-src 'nonce-\(nonce)'; connect-src 'self'; "
          + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
      ))
    page.headers.append(("Referrer-Policy", "no-referrer"))
    return page
  }

  private func plain(_ status: Int, _ text: String) -> ServerResponse {
    reply(status, "text/plain; charset=utf-8", Array(text.utf8))
  }

  private func reply(_ status: Int, _ type: String, _ body: [UInt8]) -> ServerResponse {
    ServerResponse(
      status: status,
      headers: [("Content-Type", type), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")],
      body: body)
  }
}
