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

  /// What is wrong with a map, without the folder's name.
  private func problem(ofMap text: String) throws -> String? {
    let folder = FileManager.default.temporaryDirectory.appending(path: "map-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let map = folder.appending(path: "m.csv")
    try Data(text.utf8).write(to: map)
    let file = folder.appending(path: "m.yaml")
    try Data(
      """
      kafka: { bootstrap_servers: embedded, topic: usage }
      storage: { path: \(folder.path) }
      sinks: [ { name: a, provider: log, customers: { map: \(map.path) } } ]
      """.utf8
    ).write(to: file)
    guard case .command(let command) = try CommandLineParser.parse(["check", "--offline", "--config", file.path]) else {
      return nil
    }
    do {
      try CheckCommand.run(command)
      return nil
    } catch let failure as CommandFailure {
      #expect(failure.exitCode == .configuration)
      return failure.description.replacing(folder.path + "/", with: "")
    }
  }

  @Test func aCustomerMapSaysWhichLineIsWrong() throws {
    #expect(try problem(ofMap: "# who\na,cus_1\r\n\"b,c\",\"cus_\"\"2\"\na,cus_1\n") == nil)
    #expect(try problem(ofMap: "a,cus_1\nb\n") == "sinks: sink a: customers.map: m.csv:2: not customer,name")
    #expect(
      try problem(ofMap: "a,cus_1\n\nb,cus_2\na,cus_3\n")
        == "sinks: sink a: customers.map: m.csv:4: the customer has another name on a line before")
  }
}
#endif
