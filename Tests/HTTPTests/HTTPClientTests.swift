import Foundation
import HTTP
import TestSupport
import Testing

@Suite struct HTTPClientTests {
  private func withServer(
    _ script: @escaping @Sendable (Int) -> RawServer.Action, options: HTTPClientOptions = HTTPClientOptions(),
    _ body: (HTTPClient, RawServer) async throws -> Void
  ) async throws {
    let server = RawServer(script)
    let client = try HTTPClient(options)
    defer {
      client.close()
      server.stop()
    }
    try await body(client, server)
  }

  @Test func sendsWhatItIsGivenAndReusesTheConnection() async throws {
    try await withServer({ _ in .reply("HTTP/1.1 201 Made\r\nX-Thing:  a b \r\nContent-Length: 2\r\n\r\nhi") }) {
      client, server in
      let body = [UInt8](0...255)
      let request = HTTPRequest(
        method: "POST", url: server.url + "a%2Fb?c=d", headers: [("X-One", "1"), ("x-two", ""), ("X-One", "again")],
        body: body)
      let result = await client.send(request)
      let response = try #require(result.response)
      #expect(response.status == 201)
      #expect(response.header("x-thing") == "a b")
      #expect(response.body == Array("hi".utf8))
      #expect(response.bodyIsComplete)
      #expect(response.duration > .zero)
      _ = await client.send(request)

      #expect(server.requests.map(\.connection) == [0, 0])
      let seen = try #require(server.requests.first)
      #expect(seen.body == body)
      let lines = seen.head.components(separatedBy: "\r\n")
      #expect(lines.first == "POST /a%2Fb?c=d HTTP/1.1")
      #expect(lines.filter { $0.hasPrefix("X-") || $0.hasPrefix("x-") } == ["X-One: 1", "x-two:", "X-One: again"])
      #expect(lines.contains("Content-Length: 256"))
      #expect(!lines.contains { $0.hasPrefix("Expect") || $0.hasPrefix("Content-Type") || $0.hasPrefix("User-Agent") })
    }
  }

  @Test(arguments: ["PUT", "PATCH", "DELETE", "HEAD", "GET"])
  func methods(_ method: String) async throws {
    try await withServer({ _ in .reply("HTTP/1.1 204 Nothing\r\n\r\n") }) { client, server in
      let result = await client.send(HTTPRequest(method: method, url: server.url))
      #expect(result.response?.status == 204)
      #expect(server.requests.first?.head.hasPrefix("\(method) / HTTP/1.1") == true)
    }
  }

  @Test func aBodyLargerThanAnyBufferArrivesWhole() async throws {
    try await withServer({ _ in .reply(ok()) }) { client, server in
      let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      #expect(await client.send(HTTPRequest(method: "POST", url: server.url, body: body)).response?.status == 200)
      #expect(server.requests.first?.body == body)
    }
  }

  @Test func failuresBeforeTheFirstByteAreNotSent() async throws {
    let client = try HTTPClient()
    defer { client.close() }
    let closed = RawServer { _ in .close }
    closed.stop()
    func kind(_ request: HTTPRequest) async -> HTTPFailure.Kind? { await client.send(request).failure }
    // The port may need a moment until it refuses.
    var refused: HTTPFailure.Kind?
    for _ in 0..<100 {
      refused = await kind(HTTPRequest(method: "POST", url: closed.url, body: [1]))
      if refused == .notSent(.connect) { break }
    }
    #expect(refused == .notSent(.connect))
    #expect(await kind(HTTPRequest(method: "GET", url: "http://no-such-host.invalid/")) == .notSent(.dns))
    #expect(await kind(HTTPRequest(method: "GET", url: "http://")) == .notSent(.invalidRequest))
    #expect(await kind(HTTPRequest(method: "GET", url: "ftp://127.0.0.1/")) == .notSent(.invalidRequest))
    #expect(await kind(HTTPRequest(method: "GET", url: "file:///etc/passwd")) == .notSent(.invalidRequest))
    #expect(await kind(HTTPRequest(method: "GET", url: "http://a:b@127.0.0.1/")) == .notSent(.invalidRequest))
    #expect(await kind(HTTPRequest(method: "GE T", url: "http://127.0.0.1/")) == .notSent(.invalidRequest))
    let smuggled = HTTPRequest(method: "GET", url: "http://127.0.0.1/", headers: [("A", "b\r\nC: d")])
    #expect(await kind(smuggled) == .notSent(.invalidRequest))
  }

  @Test func aPlainServerBehindAnHTTPSAddressIsAFailedHandshake() async throws {
    // A TLS greeting holds no blank line: this server answers once it sees any bytes at all.
    let server = try HTTPServer(listen: "127.0.0.1:0") { _, responder in responder.respond(.text(200, "plain")) }
    defer { server.stop() }
    let client = try HTTPClient()
    defer { client.close() }
    let result = await client.send(
      HTTPRequest(method: "POST", url: "https://127.0.0.1:\(server.port)/", body: [1], timeout: .seconds(5)))
    #expect(result.failure == .notSent(.tls))
  }

  @Test func noReplyInTimeIsAmbiguous() async throws {
    try await withServer({ _ in .hang }) { client, server in
      let request = HTTPRequest(method: "POST", url: server.url, body: [1], timeout: .milliseconds(500))
      #expect(await client.send(request).failure == .ambiguous(.timeout))
      #expect(server.requests.count == 1)
    }
  }

  @Test func lostConnectionsAreAmbiguous() async throws {
    try await withServer({ $0 == 0 ? .close : .reset }) { client, server in
      let request = HTTPRequest(method: "POST", url: server.url, body: [1])
      #expect(await client.send(request).failure == .ambiguous(.closed))
      #expect(await client.send(request).failure == .ambiguous(.reset))
      #expect(server.requests.count == 2)
    }
  }

  @Test func whatIsNotHTTPIsAMalformedReply() async throws {
    try await withServer({ _ in .replyAndClose("what?\r\n\r\n") }) { client, server in
      #expect(
        await client.send(HTTPRequest(method: "POST", url: server.url, body: [1])).failure
          == .ambiguous(.malformedReply))
    }
  }

  @Test(arguments: [301, 302, 303, 307, 308])
  func redirectsAreRepliesLikeOthers(_ status: Int) async throws {
    try await withServer({ _ in .reply("HTTP/1.1 \(status) Go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n") }) {
      client, server in
      let result = await client.send(HTTPRequest(method: "POST", url: server.url, body: [1]))
      #expect(result.response?.status == status)
      #expect(result.response?.header("Location") == "/x")
      #expect(server.requests.count == 1)
    }
  }

  @Test func aStatusStandsThoughItsBodyIsCut() async throws {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes."
    try await withServer({ $0 == 0 ? .replyAndClose(cut) : .reply(cut) }) { client, server in
      for _ in 0..<2 {
        // First the connection ends, then the time does.
        let request = HTTPRequest(method: "POST", url: server.url, body: [1], timeout: .milliseconds(500))
        let response = try #require(await client.send(request).response)
        #expect(response.status == 200)
        #expect(!response.bodyIsComplete)
        #expect(response.body == Array("ten bytes.".utf8))
      }
    }
  }

  @Test func aReplyLongerThanTheLimitIsCut() async throws {
    try await withServer(
      { _ in .reply(ok(String(repeating: "x", count: 5000))) }, options: HTTPClientOptions(maxReplyBytes: 1000)
    ) { client, server in
      let response = try #require(await client.send(HTTPRequest(method: "GET", url: server.url)).response)
      #expect(response.status == 200)
      #expect(response.body.count == 1000)
      #expect(!response.bodyIsComplete)
    }
  }

  @Test func interimRepliesAndTrailersAreNotTheReply() async throws {
    let reply =
      "HTTP/1.1 103 Early\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      + "2\r\nhi\r\n0\r\nX-Late: 1\r\n\r\n"
    try await withServer({ _ in .reply(reply) }) { client, server in
      let response = try #require(await client.send(HTTPRequest(method: "GET", url: server.url)).response)
      #expect(response.status == 200)
      #expect(response.body == Array("hi".utf8))
      #expect(response.headers.map(\.0) == ["Transfer-Encoding"])
    }
  }

  @Test func connectionsToAHostAreBoundedAndTheRestWaits() async throws {
    let gate = DispatchSemaphore(value: 0)
    try await withServer(
      { _ in
        gate.wait()
        return .reply(ok())
      }, options: HTTPClientOptions(maxConnectionsPerHost: 2)
    ) { client, server in
      let url = server.url
      await withTaskGroup(of: Int?.self) { group in
        for _ in 0..<8 { group.addTask { await client.send(HTTPRequest(method: "GET", url: url)).response?.status } }
        for _ in 0..<8 { gate.signal() }
        for await status in group { #expect(status == 200) }
      }
      #expect(server.connectionCount <= 2)
      #expect(server.requests.count == 8)
    }
  }

  @Test func closingEndsEveryExchangeOnce() async throws {
    let server = RawServer { _ in .hang }
    defer { server.stop() }
    let client = try HTTPClient(HTTPClientOptions(maxConnectionsPerHost: 1))
    let kinds = Locked<[HTTPFailure.Kind?]>([])
    for _ in 0..<5 {
      client.send(HTTPRequest(method: "POST", url: server.url, body: [1])) { result in
        kinds.withLock { $0.append(result.failure) }
      }
    }
    while server.requests.isEmpty { await Task.yield() }
    client.close()
    let seen = kinds.withLock { $0 }
    #expect(seen.count == 5)
    #expect(seen.count { $0 == .ambiguous(.cancelled) } == 1)
    #expect(seen.count { $0 == .notSent(.cancelled) } == 4)
    #expect(await client.send(HTTPRequest(method: "GET", url: server.url)).failure == .notSent(.cancelled))
    client.close()
  }

  @Test func aCompletionMaySendAndClose() async throws {
    try await withServer({ _ in .reply(ok()) }) { client, server in
      let url = server.url
      let status: Int? = await withCheckedContinuation { continuation in
        client.send(HTTPRequest(method: "GET", url: url)) { _ in
          client.send(HTTPRequest(method: "GET", url: url)) { result in
            client.close()
            continuation.resume(returning: result.response?.status)
          }
        }
      }
      #expect(status == 200)
    }
  }

  @Test func proxiesOfTheEnvironmentAreForThoseWhoAskForThem() async throws {
    // Nothing listens on port 1: a request that went by the proxy could not succeed. Only this test uses this name.
    setenv("no_proxy", "", 1)
    setenv("http_proxy", "http://127.0.0.1:1", 1)
    defer { unsetenv("http_proxy") }
    try await withServer({ _ in .reply(ok()) }) { client, server in
      #expect(await client.send(HTTPRequest(method: "GET", url: server.url)).response?.status == 200)
    }
    try await withServer({ _ in .reply(ok()) }, options: HTTPClientOptions(proxy: .environment)) { client, server in
      #expect(await client.send(HTTPRequest(method: "GET", url: server.url)).failure == .notSent(.connect))
    }
  }
}
