import HTTP
import TestSupport
import Testing

/// A provider that books a request and then closes the connection without a reply must not get that request again
/// from the library: it would be billed twice, in silence.
@Suite struct NeverTwiceTests {
  @Test(arguments: ["POST", "GET", "POST without a body"])
  func aReusedConnectionThatClosesWithoutAReplyIsAmbiguousAfterOneSending(_ form: String) async throws {
    let server = RawServer { $0 == 1 ? .close : .reply(ok()) }
    defer { server.stop() }
    let client = try HTTPClient()
    defer { client.close() }
    let request = HTTPRequest(
      method: String(form.prefix { $0 != " " }), url: server.url, headers: [("Content-Type", "text/plain")],
      body: form == "POST" ? Array("usage=1".utf8) : [])

    let first = await client.send(request)
    #expect(first.response?.status == 200)
    let second = await client.send(request)
    #expect(second.failure == .ambiguous(.closed))

    #expect(server.requests.count == 2)
    // The case is only met on a reused connection.
    #expect(server.requests.map(\.connection) == [0, 0])
    let third = await client.send(request)
    #expect(third.response?.status == 200)
    #expect(server.requests.count == 3)
  }

  @Test func aResetOnAReusedConnectionIsAmbiguousAfterOneSending() async throws {
    let server = RawServer { $0 == 1 ? .reset : .reply(ok()) }
    defer { server.stop() }
    let client = try HTTPClient()
    defer { client.close() }
    let request = HTTPRequest(method: "POST", url: server.url, body: Array("usage=1".utf8))
    #expect(await client.send(request).response?.status == 200)
    let second = await client.send(request)
    guard case .ambiguous = second.failure else {
      Issue.record("expected an ambiguous failure, got \(second)")
      return
    }
    #expect(server.requests.map(\.connection) == [0, 0])
  }

  @Test func manyAtOnceOverReusedConnectionsArriveOnceEach() async throws {
    // Every third request takes effect and loses its reply.
    let server = RawServer { $0 % 3 == 2 ? .close : .reply(ok()) }
    defer { server.stop() }
    let client = try HTTPClient(HTTPClientOptions(maxConnectionsPerHost: 4))
    defer { client.close() }
    let url = server.url
    let results = await withTaskGroup(of: HTTPResult.self) { group in
      for number in 0..<300 {
        group.addTask {
          await client.send(HTTPRequest(method: "POST", url: url, body: Array("row=\(number)".utf8)))
        }
      }
      return await group.reduce(into: [HTTPResult]()) { $0.append($1) }
    }
    #expect(results.count == 300)
    let bodies = server.requests.map { String(decoding: $0.body, as: UTF8.self) }
    #expect(Set(bodies).count == bodies.count)
    // What was not sent did not arrive, all else arrived exactly once.
    let notSent = results.count { if case .notSent = $0.failure { true } else { false } }
    #expect(bodies.count == 300 - notSent)
    #expect(results.count { $0.response?.status == 200 } == 200)
  }
}
