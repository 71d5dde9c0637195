import Foundation
import Glibc
import HTTP
import Kafka
import ProviderFakes

/// One topic and group, with the fakes that are billed to, and a folder for all that the daemons of a test write.
final class DaemonRig {
  let topic: String
  let group: String
  let folder: String
  /// The brokers: Kafka's that all tests share, unless a test has its own.
  var servers: String
  let stripe: StripeFake
  let webhook: WebhookFake
  let client: HTTPClient
  /// What the configuration says beside places: changed by tests.
  var version = 1
  var featureLines = ["tokens: { aggregate: sum, dimensions: [model] }", "exports: { aggregate: sum }"]
  var flushLines = ["interval: 1s", "time_slot: 1h"]
  var sinks: Set<String> = ["stripe", "webhook"]
  var eventLines: [String] = []
  var kafkaLines: [String] = []
  /// Whether the webhook is said to recognise repeats.
  var webhookKeepsKeys = true
  /// More lines of the Stripe sink, and of the file as a whole.
  var stripeLines: [String] = []
  var moreLines: [String] = []
  static let partitions: Int32 = 4
  private static let secret = "whsec_end_to_end"

  init(_ name: String, createTopic: Bool = true) throws {
    guard let servers = Surroundings.kafka else { throw EndToEndFailure(description: "\(Surroundings.comment)") }
    self.servers = servers
    let unique = "\(name)-\(UUID().uuidString.prefix(8).lowercased())"
    topic = "e2e-\(unique)"
    group = "e2e-\(unique)-group"
    folder = NSTemporaryDirectory() + "meterd-e2e-\(unique)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    client = try HTTPClient()
    stripe = try StripeFake()
    webhook = try WebhookFake(WebhookFakeOptions(secret: Self.secret))
    try stripe.start(listen: "127.0.0.1:0")
    try webhook.start(listen: "127.0.0.1:0")
    if createTopic {
      try withAdmin {
        try $0.createTopic(
          topic, partitions: Self.partitions, replicationFactor: 1, configuration: ["retention.ms": "-1"])
      }
    }
  }

  var properties: ClientProperties { ["bootstrap.servers": servers] }
  func configurationPath(_ instance: String) -> String { "\(folder)/\(instance).yaml" }
  func storage(_ instance: String) -> String { "\(folder)/storage-\(instance)" }

  /// Writes the configuration of one instance; its path.
  func writeConfiguration(
    _ instance: String, port: Int, servers: String? = nil, startTimeout: String = "20s"
  ) throws -> String {
    var lines = [
      "version: \(version)", "kafka:", "  bootstrap_servers: \(servers ?? self.servers)", "  topic: \(topic)",
      "  group: \(group)", "  start_timeout: \(startTimeout)",
    ]
    lines += kafkaLines.map { "  \($0)" } + ["storage:", "  path: \(storage(instance))", "flush:"]
    lines += flushLines.map { "  \($0)" } + ["features:"] + featureLines.map { "  \($0)" }
    if !eventLines.isEmpty { lines += ["events:"] + eventLines.map { "  \($0)" } }
    lines += ["http:", "  listen: 127.0.0.1:\(port)", "log: { level: info, format: text }", "sinks:"]
    if sinks.contains("stripe") {
      // It is told about three features, one under another name; what it does not list is not its own.
      lines += [
        "  - name: stripe-e2e", "    provider: stripe", "    secret_key: sk_live_end_to_end",
        "    base_url: \(stripe.baseURL)", "    other_features: skip", "    features:",
        "      api_calls: { event_name: api_requests }", "      tokens: { event_name: tokens }",
        "      gpu_hours: { event_name: gpu_hours }",
      ]
      lines += stripeLines.map { "    \($0)" }
    }
    if sinks.contains("webhook") {
      lines += [
        "  - name: books", "    provider: webhook", "    url: \(webhook.baseURL)/usage",
        "    secret: \(Self.secret)",
      ]
      if webhookKeepsKeys { lines.append("    idempotency_window: 7d") }
    }
    lines += moreLines
    let path = configurationPath(instance)
    try (lines.joined(separator: "\n") + "\n").write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  /// Runs the body of a test with its daemons and its publisher, and closes everything. What the body throws kills the
  /// daemons and stops the publisher; topics and files are then left, so that they can be looked at.
  func run(_ instances: [Instance], _ publisher: UsagePublisher? = nil, _ body: () throws -> Void) throws {
    do {
      defer { for instance in instances { instance.kill() } }
      try body()
    } catch {
      // Why the test failed matters more than what its publisher says to being stopped.
      try? publisher?.stop()
      throw error
    }
    publisher?.close()
    try close()
  }

  /// Stops the fakes and removes topics and files.
  func close() throws {
    stripe.stop()
    webhook.stop()
    try withAdmin { admin in
      for name in [topic, "\(group).ledger", "\(group).quarantine"] where try admin.topic(name) != nil {
        try admin.deleteTopic(name)
      }
    }
    try FileManager.default.removeItem(atPath: folder)
    client.close()
  }
}
