import Foundation
import Glibc
import HTTP
import Testing

/// What the tests of the whole binary need from outside. Without it they are skipped, and say so.
enum Surroundings {
  /// The path of the `meterd` binary that is tested.
  static let binary = variable("METERD_TEST_BINARY")
  /// The bootstrap servers of a real Kafka.
  static let kafka = variable("METERD_TEST_KAFKA")

  /// The script that controls such a Kafka: with it some tests start one of their own.
  static let kafkaScript = variable("METERD_TEST_KAFKA_SCRIPT")

  static var areComplete: Bool { binary != nil && kafka != nil }
  static let comment: Comment =
    "needs METERD_TEST_BINARY (the path of meterd) and METERD_TEST_KAFKA (bootstrap servers of a real Kafka)"

  /// The same seed gives the same events and the same plan of kills (not the same moments: the machine decides those).
  static let seed: UInt64 = variable("METERD_E2E_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 1...999_999_999)
  /// How often the kill test kills: 30 or more is its long version.
  static let kills = variable("METERD_E2E_KILLS").flatMap { Int($0) } ?? 6
  /// How long the provider of the outage test is down, seconds.
  static let outageSeconds = variable("METERD_E2E_OUTAGE").flatMap { Double($0) } ?? 30

  /// How many keys the measurement of take-overs fills the window with; nil: it is not made.
  static let keys = variable("METERD_E2E_KEYS").flatMap { Int($0) }

  private static func variable(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }
}

/// Tests that run the real binary against a real Kafka, one after the other: each wants the machine for itself.
@Suite("The whole binary", .serialized, .enabled(if: Surroundings.areComplete, Surroundings.comment))
enum WholeBinary {}

/// What went wrong in a whole run, with all that is needed to see why.
struct EndToEndFailure: Error, CustomStringConvertible {
  let description: String
}

/// Elapsed time since the tests' start, for lines that people read.
func note(_ text: String) {
  let seconds = (ContinuousClock.now - startOfTests).components.seconds
  print("[e2e \(seconds)s] \(text)")
  fflush(nil)
}
private let startOfTests = ContinuousClock.now

/// Looks every 50 ms until it is so.
func poll(seconds: Double, _ condition: () throws -> Bool) rethrows -> Bool {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while true {
    if try condition() { return true }
    if ContinuousClock.now >= deadline { return false }
    Thread.sleep(forTimeInterval: 0.05)
  }
}

/// A port of the loopback that was free a moment ago, as are those at these distances behind it.
///
/// Below the range that the kernel gives to connections: a port of that range, on which nobody listens while its server is
/// down, is taken by somebody's connection sooner or later, even by one to that very port.
func freePort(with distances: [Int] = []) throws -> Int {
  for _ in 0..<1_000 {
    let port = Int.random(in: 10_000..<32_000)
    if ([0] + distances).allSatisfy({ isFree(port + $0) }) { return port }
  }
  throw EndToEndFailure(description: "no free port from 10000 to 32000")
}

private func isFree(_ port: Int) -> Bool {
  let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(handle) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = UInt16(port).bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(handle, $0, UInt32(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}

/// The body of a GET, or `nil` where there is no answer: the daemon may just be dead.
func get(_ url: String, _ client: HTTPClient) -> (status: Int, body: String)? {
  let done = DispatchSemaphore(value: 0)
  let answer = Answer()
  client.send(HTTPRequest(method: "GET", url: url, connectTimeout: .seconds(2), timeout: .seconds(5))) { result in
    if case .response(let response) = result {
      answer.set((response.status, String(decoding: response.body, as: UTF8.self)))
    }
    done.signal()
  }
  done.wait()
  return answer.value
}

/// `@unchecked Sendable`: a lock guards its one value.
private final class Answer: @unchecked Sendable {
  private let lock = NSLock()
  private var stored: (status: Int, body: String)?
  var value: (status: Int, body: String)? { lock.withLock { stored } }
  func set(_ value: (status: Int, body: String)) { lock.withLock { stored = value } }
}
