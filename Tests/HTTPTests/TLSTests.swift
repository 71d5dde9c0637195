import Foundation
import HTTP
import TestSupport
import Testing

/// Against OpenSSL's own test server, with a certificate that nobody has signed.
@Suite struct TLSTests {
  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl"), "there is no openssl command"))
  func certificatesAreVerified() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("meterd-tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let certificate = folder.appendingPathComponent("cert.pem").path
    let key = folder.appendingPathComponent("key.pem").path
    func openssl(_ arguments: [String]) throws -> ChildProcess { try ChildProcess("/usr/bin/openssl", arguments) }
    let maker = try openssl([
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
      "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
    ])
    try #require(maker.wait() == 0)
    let probe = try HTTPServer(listen: "127.0.0.1:0") { _, _ in }
    probe.stop()
    let server = try openssl([
      "s_server", "-accept", "127.0.0.1:\(probe.port)", "-cert", certificate, "-key", key, "-www",
    ])
    defer { server.kill() }

    let trusting = try HTTPClient(HTTPClientOptions(certificateAuthorities: certificate))
    let usual = try HTTPClient()
    defer {
      trusting.close()
      usual.close()
    }
    func get(_ host: String) -> HTTPRequest { HTTPRequest(method: "GET", url: "https://\(host):\(probe.port)/") }
    var result = await trusting.send(get("localhost"))
    for _ in 0..<1000 where result.failure == .notSent(.connect) {
      try await Task.sleep(for: .milliseconds(10))
      result = await trusting.send(get("localhost"))
    }
    #expect(result.response?.status == 200)
    // Not signed by anyone that the system trusts; and signed, but for another name.
    #expect(await usual.send(get("localhost")).failure == .notSent(.tls))
    #expect(await trusting.send(get("127.0.0.1")).failure == .notSent(.tls))
  }
}
