import Foundation

/// A Kafka of a test's own, by the script that METERD_TEST_KAFKA_SCRIPT names; it goes when the test does.
final class OwnKafka {
  let folder: String
  /// Its bootstrap servers.
  private(set) var servers = ""
  private let script: String
  private let log: String
  private let heap: String

  /// Starts one; nil where there is no script. `words` are more arguments of the script's `up`.
  init?(_ words: [String] = [], brokers: Int = 1, heap: String = "256m") throws {
    guard let script = Surroundings.kafkaScript else { return nil }
    self.script = script
    self.heap = heap
    folder = NSTemporaryDirectory() + "meterd-e2e-kafka-\(UUID().uuidString.prefix(8).lowercased())"
    log = folder + ".log"
    // The brokers', and a hundred further on their controllers'.
    let port = try freePort(with: (0..<brokers).flatMap { [$0, 100 + $0] })
    try control("up", ["--brokers", "\(brokers)", "--port", "\(port)"] + words)
    servers = (0..<brokers).map { "127.0.0.1:\(port + $0)" }.joined(separator: ",")
  }

  deinit {
    _ = try? run("down", [])
    for path in [folder, log] { try? FileManager.default.removeItem(atPath: path) }
  }

  private func run(_ verb: String, _ words: [String]) throws -> MeterdProcess.End {
    try MeterdProcess(
      words: [script, verb] + words, environment: ["KAFKA_DIR": folder, "KAFKA_HEAP": heap], logPath: log
    ).wait(seconds: 120)
  }

  /// Runs one of the script's verbs.
  func control(_ verb: String, _ words: [String]) throws {
    let end = try run(verb, words)
    guard end == .exited(0) else {
      throw EndToEndFailure(description: "kafka \(verb) \(words) ended with \(end)\n\(MeterdProcess.tail(log))")
    }
  }
}
