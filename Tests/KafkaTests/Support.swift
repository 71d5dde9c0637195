import Foundation
import Kafka
import Synchronization
import Testing

/// The broker that a test runs against: always librdkafka's mock cluster, and a real Kafka where one is named.
enum Backend: String, CaseIterable, CustomTestStringConvertible {
  case mock
  case real

  static var available: [Backend] { realServers == nil ? [.mock] : [.mock, .real] }
  /// `METERD_TEST_KAFKA`: the bootstrap servers of a real Kafka.
  static let realServers = ProcessInfo.processInfo.environment["METERD_TEST_KAFKA"].flatMap { $0.isEmpty ? nil : $0 }

  var testDescription: String { rawValue }
}

/// One test's cluster, with topics of its own.
final class TestCluster {
  let servers: String
  let mock: MockCluster?
  private var topics: [String] = []

  init(_ backend: Backend, brokers: Int32 = 1) throws {
    switch backend {
    case .mock:
      let cluster = try MockCluster(brokers: brokers)
      mock = cluster
      servers = cluster.bootstrapServers
    case .real:
      mock = nil
      servers = try #require(Backend.realServers)
    }
  }

  var properties: ClientProperties { ["bootstrap.servers": servers] }

  func topic(partitions: Int32, _ configuration: [String: String] = [:]) throws -> String {
    let name = uniqueName("topic")
    if let mock {
      try mock.createTopic(name, partitions: partitions)
    } else {
      let admin = try Admin(properties: properties)
      defer { admin.close() }
      try admin.createTopic(name, partitions: partitions, replicationFactor: 1, configuration: configuration)
      topics.append(name)
    }
    return name
  }

  /// Removes what the test has made on a real Kafka.
  func close() throws {
    if !topics.isEmpty {
      let admin = try Admin(properties: properties)
      defer { admin.close() }
      for topic in topics { try admin.deleteTopic(topic) }
    }
    mock?.close()
  }
}

func uniqueName(_ prefix: String) -> String { "test-\(prefix)-\(UUID().uuidString.prefix(8).lowercased())" }

/// Values from other threads, and a way to wait for them.
final class Collector<Value: Sendable>: Sendable {
  private let values = Mutex<[Value]>([])

  func add(_ value: Value) { values.withLock { $0.append(value) } }
  func add(contentsOf more: [Value]) { values.withLock { $0.append(contentsOf: more) } }
  var all: [Value] { values.withLock { $0 } }

  /// Waits until the values meet a condition; a time-out is a failure of the test.
  func wait(
    seconds: Double = 30, _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
    until condition: ([Value]) -> Bool
  ) throws {
    try waitUntil(seconds: seconds, what, sourceLocation: sourceLocation) { condition(all) }
  }
}

func waitUntil(
  seconds: Double = 30, _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () throws -> Bool
) throws {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while try !condition() {
    try #require(ContinuousClock.now < deadline, "waited \(seconds) s for: \(what)", sourceLocation: sourceLocation)
    Thread.sleep(forTimeInterval: 0.01)
  }
}

/// A record, copied out of its batch.
struct Record: Equatable {
  var offset: Int64
  var key: String?
  var value: String?
  var timestamp: Int64 = -1
}

extension Message {
  var copy: Record {
    Record(
      offset: offset, key: isKeyNull ? nil : String(decoding: key, as: UTF8.self),
      value: isValueNull ? nil : String(decoding: value, as: UTF8.self), timestamp: timestampMilliseconds)
  }
}

extension PartitionStream {
  /// Reads until there are `count` records; an entry that is an error fails the test.
  func records(_ count: Int, batch: Int = 1000, seconds: Double = 20) throws -> [Record] {
    var records: [Record] = []
    var batch = MessageBatch(capacity: batch)
    let deadline = ContinuousClock.now + .seconds(seconds)
    while records.count < count {
      try #require(ContinuousClock.now < deadline, "\(records.count) of \(count) records of \(place) in time")
      try read(into: &batch, timeoutMilliseconds: 100)
      for index in 0..<batch.count {
        if let error = batch[index].error { throw error }
        records.append(batch[index].copy)
      }
    }
    return records
  }

  /// Reads until the partition's end is said (`enable.partition.eof`): the records before it, and its offset.
  func recordsToEnd(seconds: Double = 20) throws -> (records: [Record], end: Int64) {
    var records: [Record] = []
    var batch = MessageBatch(capacity: 1000)
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
      try #require(ContinuousClock.now < deadline, "the end of \(place) in time")
      try read(into: &batch, timeoutMilliseconds: 100)
      for index in 0..<batch.count {
        let message = batch[index]
        if message.code == .partitionEOF { return (records, message.offset) }
        if let error = message.error { throw error }
        records.append(message.copy)
      }
    }
  }
}

/// Produces values "0", "1", … with keys "k0", … into one partition, and waits until all are delivered.
func fill(_ cluster: TestCluster, _ topic: String, partition: Int32 = 0, _ numbers: Range<Int>) throws {
  let reports = Collector<DeliveryReport>()
  let producer = try Producer(properties: cluster.properties) { reports.add(contentsOf: $0) }
  defer { producer.close() }
  for number in numbers {
    try producer.produce(
      topic: topic, partition: partition, key: Array("k\(number)".utf8), value: Array("\(number)".utf8),
      timestampMilliseconds: 1_700_000_000_000 + Int64(number), token: UInt64(number))
  }
  try producer.flush(timeoutMilliseconds: 20_000)
  try #require(reports.all.count == numbers.count)
  for report in reports.all { try #require(report.error == nil) }
}
