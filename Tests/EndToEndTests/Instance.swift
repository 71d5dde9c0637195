import Foundation
import Glibc
import HTTP

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

  /// Starts it; `killAt` is the moment at which it is to die by itself, `diskFault` how its disk is to fail.
  func start(killAt: String? = nil, diskFault: String? = nil, in namespace: MountNamespace? = nil) throws {
    let path = try rig.writeConfiguration(name, port: port)
    var environment: [String: String] = [:]
    environment["METERD_KILL_AT"] = killAt
    environment["METERD_DISK_FAULT"] = diskFault
    process = try MeterdProcess(
      arguments: ["run", "--config", path], environment: environment, logPath: logPath,
      through: namespace?.entry ?? [])
  }

  /// Runs another command of the binary to its end; what it exited with, and all that it printed.
  func run(_ arguments: [String], seconds: Double = 30) throws -> (MeterdProcess.End, String) {
    let log = "\(rig.folder)/command-\(UUID().uuidString.prefix(8)).log"
    let process = try MeterdProcess(arguments: arguments, logPath: log)
    let end = try process.wait(seconds: seconds)
    return (end, (try? String(contentsOfFile: log, encoding: .utf8)) ?? "")
  }

  /// All that it has logged.
  var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

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

/// What `/v1/status` says, as far as the tests look.
struct ShownStatus: Decodable {
  struct Stop: Decodable, Equatable {
    var reason: String
    var offset: Int64
    var detail: String
    var remedy: String
  }
  struct Partition: Decodable {
    var partition: Int32
    var state: String
    var position: Int64
    var head: Int64
    var lag_records: Int64
    var stop: Stop?
  }
  struct Sink: Decodable {
    struct Rows: Decodable { var in_flight, parked, uncertain, deferred: Int64 }
    var name: String
    var circuit: String
    var rows: Rows
  }
  var ready: Bool
  var reasons: [String]
  var partitions: [Partition]
  var sinks: [Sink]
}

extension Instance {
  /// The status now; nil where it does not answer.
  func status() -> ShownStatus? {
    guard let body = get("http://127.0.0.1:\(port)/v1/status", rig.client)?.body else { return nil }
    return try? JSONDecoder().decode(ShownStatus.self, from: Data(body.utf8))
  }

  /// Waits until the status is so.
  func waitUntil(_ what: String, seconds: Double = 40, _ condition: (ShownStatus) -> Bool) throws {
    let came = try poll(seconds: seconds) {
      try requireAlive("it was waited for: \(what)")
      return status().map(condition) ?? false
    }
    guard came else {
      throw EndToEndFailure(description: "not within \(seconds) s: \(what)\n\(explanation())")
    }
  }

  /// Waits for a stop of these partitions by that reason; the stops.
  @discardableResult
  func waitUntilStopped(_ reason: String, partitions: Set<Int32>, seconds: Double = 40) throws -> [ShownStatus.Stop] {
    try waitUntil("partitions \(partitions.sorted()) are stopped by \(reason)", seconds: seconds) { status in
      partitions.isSubset(of: status.partitions.filter { $0.stop?.reason == reason }.map(\.partition))
    }
    return status()?.partitions.filter { partitions.contains($0.partition) }.compactMap(\.stop) ?? []
  }

  /// Runs the line that a stop names as its way out, word for word; a person types yes by `--yes`.
  func follow(_ stop: ShownStatus.Stop) throws {
    let words = stop.remedy.split(separator: " ").map(String.init)
    guard words.first == "meterd" else {
      throw EndToEndFailure(description: "the remedy is no command: \(stop.remedy)")
    }
    let (end, text) = try run(Array(words.dropFirst()) + ["--yes"])
    guard end == .exited(0) else { throw EndToEndFailure(description: "\(stop.remedy): \(end)\n\(text)") }
  }
}
