import Daemon
import Dispatch
import Foundation
import Kafka
import Metering
import Synchronization
import Testing

/// The real broker of a test run (`METERD_TEST_KAFKA`, host:port); the tests that need one say so where there is none.
enum RealKafka {
  static let bootstrap = ProcessInfo.processInfo.environment["METERD_TEST_KAFKA"]
  static var isThere: Bool { bootstrap != nil }
}

/// A name that no other test, and no earlier run, uses.
func freshName(_ prefix: String) -> String { "\(prefix)-\(UInt64.random(in: 0...UInt64.max))" }

/// What callbacks brought, in order; a test waits for what it expects instead of sleeping.
final class Collected<Element: Sendable>: Sendable {
  private let state = Mutex<[Element]>([])
  private let changed = DispatchSemaphore(value: 0)

  func add(_ element: Element) {
    state.withLock { $0.append(element) }
    changed.signal()
  }

  var all: [Element] { state.withLock { $0 } }

  /// Waits until the elements satisfy `condition`; false when they do not in time.
  func wait(seconds: Int = 20, until condition: ([Element]) -> Bool) -> Bool {
    let deadline = DispatchTime.now() + .seconds(seconds)
    while !condition(all) {
      if changed.wait(timeout: deadline) == .timedOut { return condition(all) }
    }
    return true
  }
}

/// An embedded broker with one topic.
struct MockTopic {
  let cluster: MockCluster
  let topic: String
  let properties: ClientProperties

  init(partitions: Int32 = 1) throws {
    cluster = try MockCluster()
    topic = "usage"
    try cluster.createTopic(topic, partitions: partitions)
    properties = ["bootstrap.servers": cluster.bootstrapServers]
  }

  /// Produces values, in order, and waits until they are acknowledged.
  func produce(_ values: [String], partition: Int32 = 0, headers: [Header] = []) throws {
    let reports = Collected<DeliveryReport>()
    let producer = try Producer(properties: properties) { for report in $0 { reports.add(report) } }
    for value in values {
      try producer.produce(
        topic: topic, partition: partition, key: Array("k".utf8), value: Array(value.utf8), headers: headers,
        timestampMilliseconds: 1_790_000_000_000)
    }
    #expect(reports.wait { $0.count == values.count })
    #expect(reports.all.allSatisfy { $0.error == nil })
    producer.close()
  }
}
