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
  let servers: String
  let stripe: StripeFake
  let webhook: WebhookFake
  let client: HTTPClient
  /// What the configuration says beside places: changed by tests.
  var version = 1
  var featureLines = ["tokens: { aggregate: sum, dimensions: [model] }", "exports: { aggregate: sum }"]
  var flushLines = ["interval: 1s", "time_slot: 1h"]
  var sinks: Set<String> = ["stripe", "webhook"]
  var eventLines: [String] = []
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
      let admin = try Admin(properties: properties)
      defer { admin.close() }
      try admin.createTopic(
        topic, partitions: Self.partitions, replicationFactor: 1, configuration: ["retention.ms": "-1"])
    }
  }

  var properties: ClientProperties { ["bootstrap.servers": servers] }
  func storage(_ instance: String) -> String { "\(folder)/storage-\(instance)" }

  /// Writes the configuration of one instance; its path.
  func writeConfiguration(_ instance: String, port: Int, servers: String? = nil) throws -> String {
    var lines = [
      "version: \(version)", "kafka:", "  bootstrap_servers: \(servers ?? self.servers)", "  topic: \(topic)",
      "  group: \(group)", "  start_timeout: \(servers == nil ? "20s" : "2s")", "storage:",
      "  path: \(storage(instance))", "flush:",
    ]
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
    }
    if sinks.contains("webhook") {
      lines += [
        "  - name: books", "    provider: webhook", "    url: \(webhook.baseURL)/usage",
        "    secret: \(Self.secret)", "    idempotency_window: 7d",
      ]
    }
    let path = "\(folder)/\(instance).yaml"
    try (lines.joined(separator: "\n") + "\n").write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  /// Stops the fakes and removes topics and files. Left out where a test failed, so that they can be looked at.
  func close() throws {
    stripe.stop()
    webhook.stop()
    let admin = try Admin(properties: properties)
    defer { admin.close() }
    for name in [topic, "\(group).ledger", "\(group).quarantine"] where try admin.topic(name) != nil {
      try admin.deleteTopic(name)
    }
    try FileManager.default.removeItem(atPath: folder)
    client.close()
  }
}

/// One place where a daemon runs, again and again: its storage, its port, its log.
final class Instance {
  let rig: DaemonRig
  let name: String
  let port: Int
  private(set) var process: MeterdProcess?

  init(_ rig: DaemonRig, _ name: String) throws {
    self.rig = rig
    self.name = name
    port = try freePort()
  }

  var storage: String { rig.storage(name) }
  var logPath: String { "\(rig.folder)/\(name).log" }

  /// Starts it; `killAt` is the moment at which it is to die by itself.
  func start(killAt: String? = nil) throws {
    let path = try rig.writeConfiguration(name, port: port)
    process = try MeterdProcess(
      arguments: ["run", "--config", path], environment: killAt.map { ["METERD_KILL_AT": $0] } ?? [:],
      logPath: logPath)
  }

  /// Fails where it has ended though nobody killed it.
  func requireAlive(_ doing: String) throws {
    guard let process else { return }
    if let ended = process.ended {
      throw EndToEndFailure(description: "\(name) ended by itself (\(ended)) while \(doing)\n\(process.tail())")
    }
  }

  func isReady() -> Bool { get("http://127.0.0.1:\(port)/healthz/ready", rig.client)?.status == 200 }

  func waitUntilReady(seconds: Double = 40) throws {
    let ready = try poll(seconds: seconds) {
      try requireAlive("it was waited for")
      return isReady()
    }
    guard ready else {
      throw EndToEndFailure(description: "\(name) was not ready in \(seconds) s\n\(explanation())")
    }
  }

  func kill() { _ = process?.kill() }

  /// SIGTERM must end it with 0.
  func stopGracefully(seconds: Double = 45) throws {
    process?.send(SIGTERM)
    guard let end = try process?.wait(seconds: seconds) else { return }
    guard end == .exited(0) else {
      throw EndToEndFailure(description: "SIGTERM ended \(name) with \(end), not 0\n\(explanation())")
    }
  }

  /// The samples of `/metrics`: name and labels as printed, and value.
  func metrics() -> [String: Double] {
    guard let text = get("http://127.0.0.1:\(port)/metrics", rig.client)?.body else { return [:] }
    var samples: [String: Double] = [:]
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      guard let space = line.lastIndex(of: " ") else { continue }
      samples[String(line[..<space])] = Double(line[line.index(after: space)...])
    }
    return samples
  }

  /// The sum of one metric's samples whose labels hold all of these.
  func metric(_ name: String, _ labels: String...) -> Double {
    metrics().filter { sample in
      (sample.key == name || sample.key.hasPrefix(name + "{")) && labels.allSatisfy { sample.key.contains($0) }
    }.values.reduce(0, +)
  }

  /// Conservation as it is published: what is not 0, or what is missing.
  func imbalances() -> [String] {
    let samples = metrics().filter { $0.key.hasPrefix("meterd_conservation_imbalance{") }
    var problems = samples.filter { $0.value != 0 }.map { "\($0.key) is \($0.value)" }
    if !samples.keys.contains(where: { $0.contains("equation=\"events\"") }) { problems.append("no events equation") }
    for sink in rig.sinks.map({ $0 == "stripe" ? "stripe-e2e" : "books" })
    where !samples.keys.contains(where: { $0.contains("sink=\"\(sink)\"") }) {
      problems.append("no quantity equation for \(sink)")
    }
    return problems.sorted()
  }

  /// What a person needs to see why.
  func explanation() -> String {
    let status = get("http://127.0.0.1:\(port)/v1/status", rig.client)?.body ?? "(no status)"
    return "seed \(Surroundings.seed), files in \(rig.folder)\nstatus: \(status)\n\(MeterdProcess.tail(logPath))"
  }
}
