import Dispatch
import Foundation
import HTTP
import TestSupport
import Testing

@Suite struct HTTPServerTests {
  private func withServer(
    _ handler: @escaping @Sendable (ServerRequest, Responder) -> Void, options: HTTPServerOptions = HTTPServerOptions(),
    _ body: (HTTPClient, HTTPServer, String) async throws -> Void
  ) async throws {
    let server = try HTTPServer(listen: "127.0.0.1:0", options: options, handler: handler)
    let client = try HTTPClient()
    defer {
      client.close()
      server.stop()
    }
    try await body(client, server, "http://127.0.0.1:\(server.port)")
  }

  @Test func aRequestArrivesAsSent() async throws {
    let seen = Locked<ServerRequest?>(nil)
    try await withServer({ request, responder in
      seen.withLock { $0 = request }
      responder.respond(ServerResponse(status: 202, headers: [("X-Reply", "yes")], body: request.body))
    }) { client, _, base in
      let body = [UInt8](0...255)
      let result = await client.send(
        HTTPRequest(
          method: "POST", url: base + "/a%2Fb/c+d?x=1%202&y=a+b&flag",
          headers: [("X-Lower", "One"), ("x-LOWER", "two")],
          body: body))
      let response = try #require(result.response)
      #expect(response.status == 202)
      #expect(response.header("x-reply") == "yes")
      #expect(response.body == body)
      let request = try #require(seen.withLock { $0 })
      #expect(request.method == "POST")
      #expect(request.path == "/a/b/c+d")
      #expect(request.rawPath == "/a%2Fb/c+d")
      #expect(request.query.map(\.0) == ["x", "y", "flag"])
      #expect(request.query("x") == "1 2" && request.query("y") == "a b" && request.query("flag") == "")
      #expect(request.headers.filter { $0.0.lowercased() == "x-lower" }.map(\.1) == ["One", "two"])
      #expect(request.header("X-LOWER") == "One")
      #expect(request.body == body)
      #expect(request.remote == "127.0.0.1")
    }
  }

  @Test func chunkedBodiesArriveWhole() async throws {
    try await withServer({ request, responder in
      responder.respond(.text(200, String(decoding: request.body, as: UTF8.self)))
    }
    ) { _, server, _ in
      let reply = await rawExchange(
        port: server.port,
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "5\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\n\r\n")
      #expect(reply.hasPrefix("HTTP/1.1 200"))
      #expect(reply.hasSuffix("hello, world"))
    }
  }

  @Test func aBodyBeyondTheLimitIsRefusedUnseen() async throws {
    let handled = Locked(0)
    try await withServer(
      { request, responder in
        handled.withLock { $0 += 1 }
        responder.respond(.text(200, "seen"))
      }, options: HTTPServerOptions(maxBodyBytes: 100)
    ) { client, server, base in
      func status(_ count: Int) async -> Int? {
        await client.send(HTTPRequest(method: "POST", url: base, body: [UInt8](repeating: 1, count: count))).response?
          .status
      }
      #expect(await status(101) == 413)
      #expect(handled.withLock { $0 } == 0)
      let chunk = String(repeating: "x", count: 101)
      let reply = await rawExchange(
        port: server.port,
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n\(chunk)\r\n0\r\n\r\n"
      )
      #expect(reply.hasPrefix("HTTP/1.1 413"))
      #expect(handled.withLock { $0 } == 0)
      #expect(await status(100) == 200)
    }
  }

  @Test func answersMayComeLaterFromAnyThread() async throws {
    try await withServer({ request, responder in
      let body = request.body
      DispatchQueue.global().async { responder.respond(ServerResponse(status: 200, body: body)) }
    }) { client, _, base in
      let results = await withTaskGroup(of: Bool.self) { group in
        for number in 0..<500 {
          group.addTask {
            let body = Array("\(number)".utf8)
            let response = await client.send(HTTPRequest(method: "POST", url: base, body: body)).response
            return response?.status == 200 && response?.body == body
          }
        }
        return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
      }
      #expect(results == 500)
    }
  }

  @Test func onlyTheFirstAnswerCounts() async throws {
    try await withServer({ _, responder in
      responder.respond(.text(201, "first"))
      responder.respond(.text(500, "second"))
      responder.drop()
    }) { client, _, base in
      #expect(await client.send(HTTPRequest(method: "GET", url: base)).response?.status == 201)
    }
  }

  @Test func aForgottenRequestGetsA500() async throws {
    try await withServer({ _, _ in }) { client, _, base in
      #expect(await client.send(HTTPRequest(method: "GET", url: base)).response?.status == 500)
    }
  }

  @Test(arguments: [true, false])
  func aConnectionCanBeClosedWithoutAReply(_ later: Bool) async throws {
    try await withServer({ request, responder in
      let reset = request.path == "/reset"
      if later { DispatchQueue.global().async { responder.drop(reset: reset) } } else { responder.drop(reset: reset) }
    }) { client, _, base in
      func kind(_ path: String) async -> HTTPFailure.Kind? {
        await client.send(HTTPRequest(method: "POST", url: base + path, body: [1])).failure
      }
      #expect(await kind("/close") == .ambiguous(.closed))
      #expect(await kind("/reset") == .ambiguous(.reset))
    }
  }

  @Test func addressesAreCheckedWithReasons() throws {
    func error(_ listen: String) -> HTTPServerError? {
      do throws(HTTPServerError) {
        _ = try HTTPServer(listen: listen) { _, _ in }
        return nil
      } catch { return error }
    }
    let server = try HTTPServer(listen: "127.0.0.1:0") { _, _ in }
    defer { server.stop() }
    #expect(server.port > 0)
    #expect(error("127.0.0.1:\(server.port)") == .addressInUse(listen: "127.0.0.1:\(server.port)"))
    for listen in ["", "9464", "localhost", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:x", "::1:80"] {
      #expect(error(listen) == .invalidAddress(listen: listen))
    }
    guard case .unknownHost = error("no-such-host.invalid:80") else {
      Issue.record("an unknown host must be named as such")
      return
    }
    // 192.0.2.0/24 is for documentation: never this machine's.
    guard case .notPermitted = error("192.0.2.1:9464") else {
      Issue.record("an address of another machine must be named as such")
      return
    }
    let text = HTTPServerError.addressInUse(listen: "127.0.0.1:9464").description
    #expect(text.contains("127.0.0.1:9464") && text.contains("another port"))
  }

  @Test func thePortIsFreeAfterStopping() throws {
    let first = try HTTPServer(listen: "127.0.0.1:0") { _, _ in }
    first.stop()
    let second = try HTTPServer(listen: "127.0.0.1:\(first.port)") { _, _ in }
    second.stop()
    second.stop()
  }

  @Test func stoppingWaitsForAnswersUnderWay() async throws {
    let pending = Locked<[Responder]>([])
    let server = try HTTPServer(listen: "127.0.0.1:0") { _, responder in pending.withLock { $0.append(responder) } }
    let client = try HTTPClient()
    defer { client.close() }
    let url = "http://127.0.0.1:\(server.port)/"
    async let result = client.send(HTTPRequest(method: "GET", url: url))
    while pending.withLock({ $0.isEmpty }) { await Task.yield() }
    let stopped = Locked(false)
    async let stopping: Void = withCheckedContinuation { continuation in
      OwnThread.detach {
        server.stop(grace: .seconds(30))
        stopped.withLock { $0 = true }
        continuation.resume()
      }
    }
    // Once it refuses connections, it is stopping; and it has not ended, for the answers are still out.
    let probe = HTTPRequest(method: "GET", url: url, timeout: .milliseconds(50))
    while await client.send(probe).failure != .notSent(.connect) { await Task.yield() }
    #expect(!stopped.withLock { $0 })
    for responder in pending.withLock({ $0 }) { responder.respond(.text(200, "late but fine")) }
    #expect(await result.response?.status == 200)
    await stopping
  }

  @Test func whatIsStillPendingAfterTheGraceGets503() async throws {
    let pending = Locked<[Responder]>([])
    let server = try HTTPServer(listen: "127.0.0.1:0") { _, responder in pending.withLock { $0.append(responder) } }
    let client = try HTTPClient()
    defer { client.close() }
    async let result = client.send(HTTPRequest(method: "GET", url: "http://127.0.0.1:\(server.port)/"))
    while pending.withLock({ $0.isEmpty }) { await Task.yield() }
    await withCheckedContinuation { continuation in
      OwnThread.detach {
        server.stop(grace: .milliseconds(10))
        continuation.resume()
      }
    }
    #expect(await result.response?.status == 503)
    // Too late, and harmless.
    for responder in pending.withLock({ $0 }) { responder.respond(.text(200, "too late")) }
  }

  @Test func keptConnectionsServeManyRequests() async throws {
    try await withServer({ request, responder in responder.respond(.text(200, request.path)) }) { _, server, _ in
      let one = "GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
      let last = "GET /two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      let reply = await rawExchange(port: server.port, one + last)
      #expect(reply.components(separatedBy: "HTTP/1.1 200").count == 3)
      #expect(reply.contains("/one") && reply.hasSuffix("/two"))
    }
  }
}
