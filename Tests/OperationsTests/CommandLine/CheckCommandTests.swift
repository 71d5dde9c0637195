import Foundation
import ProviderFakes
import Testing

#if COMMAND_LINE_TESTS
@testable import meterd

@Suite struct CheckCommandTests {
  private func check(_ fake: StripeFake, key: String, _ more: String = "") throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "check-\(UUID().uuidString).yaml")
    defer { try? FileManager.default.removeItem(at: file) }
    let text = """
      kafka: { bootstrap_servers: embedded, topic: usage }
      sinks:
        - name: live
          provider: stripe
          secret_key: \(key)
          base_url: \(fake.baseURL)
      """
    try Data(text.utf8).write(to: file)
    let line = ["check", "--config", file.path] + more.split(separator: " ").map(String.init)
    guard case .command(let command) = try CommandLineParser.parse(line) else { return }
    try CheckCommand.run(command)
  }

  @Test func theStripeKeyIsTriedUnlessOffline() throws {
    let fake = try StripeFake(StripeFakeOptions(secretKey: "sk_test_right"))
    try fake.start(listen: "127.0.0.1:0")
    defer { fake.stop() }
    try check(fake, key: "sk_test_right")
    #expect(fake.effects.requests > 0)
    let failure = #expect(throws: CommandFailure.self) { try check(fake, key: "sk_test_wrong") }
    #expect(failure?.exitCode == .configuration)
    #expect(failure?.description.contains("sink live: secret_key: ") == true)
    let asked = fake.effects.requests
    try check(fake, key: "sk_test_wrong", "--offline")
    #expect(fake.effects.requests == asked)
  }
}
#endif
