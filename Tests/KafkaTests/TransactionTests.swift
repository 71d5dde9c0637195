import Foundation
import Kafka
import Testing

/// What transactional producers leave in a log: offsets that no reader of committed records ever sees.
@Suite(.timeLimit(.minutes(2)), .enabled(if: Backend.realServers != nil)) struct TransactionTests {
  private func transactionalProducer(_ cluster: TestCluster) throws -> Producer {
    let producer = try Producer(
      properties: cluster.properties.overridden(by: ["transactional.id": uniqueName("transaction")])
    ) { _ in }
    try producer.initTransactions()
    return producer
  }

  private func produce(_ producer: Producer, _ topic: String, _ value: String) throws {
    try producer.produce(topic: topic, partition: 0, key: nil, value: Array(value.utf8))
  }

  @Test func markersAndAbortedRecordsAreHoles() throws {
    let cluster = try TestCluster(.real)
    let topic = try cluster.topic(partitions: 1)
    let producer = try transactionalProducer(cluster)
    defer { producer.close() }
    for number in 0..<20 {
      try producer.beginTransaction()
      try produce(producer, topic, "\(number)")
      if number % 3 == 2 {
        // An abort purges what has not left, so the record has to be in the log first.
        try producer.flush(timeoutMilliseconds: 10_000)
        try producer.abortTransaction()
      } else {
        try producer.commitTransaction()
      }
    }
    let reader = try ReaderHandle(properties: cluster.properties.overridden(by: ["enable.partition.eof": "true"]))
    defer { reader.close() }
    let stream = try reader.start(topic: topic, partition: 0, offset: .beginning)
    let (records, end) = try stream.recordsToEnd()
    stream.stop()
    // Each transaction has a record and a marker; of the aborted ones neither is seen.
    let expected = (0..<20).filter { $0 % 3 != 2 }
    #expect(records.map(\.offset) == expected.map { Int64(2 * $0) })
    #expect(records.map(\.value) == expected.map { "\($0)" })
    #expect(end == 40)
    #expect(stream.cachedWatermarks()?.high == 40)
    // A start inside a hole goes on at the next record.
    let inside = try reader.start(topic: topic, partition: 0, offset: .offset(3))
    #expect(try inside.records(1).first?.offset == 6)
    inside.stop()
    // A reader that is told so sees the aborted records too.
    let all = try ReaderHandle(
      properties: cluster.properties.overridden(by: [
        "enable.partition.eof": "true", "isolation.level": "read_uncommitted",
      ]))
    defer { all.close() }
    let uncommitted = try all.start(topic: topic, partition: 0, offset: .beginning)
    #expect(try uncommitted.recordsToEnd().records.map(\.offset) == (0..<20).map { Int64(2 * $0) })
    uncommitted.stop()
    try cluster.close()
  }

  @Test func anOpenTransactionHoldsTheRecordsBehindIt() throws {
    let cluster = try TestCluster(.real)
    let topic = try cluster.topic(partitions: 1)
    let producer = try transactionalProducer(cluster)
    defer { producer.close() }
    try producer.beginTransaction()
    try produce(producer, topic, "open")
    try producer.flush(timeoutMilliseconds: 10_000)
    try fill(cluster, topic, 0..<5)
    let reader = try ReaderHandle(properties: cluster.properties)
    defer { reader.close() }
    let stream = try reader.start(topic: topic, partition: 0, offset: .beginning)
    #expect(try stream.nextBatch(max: 10, timeoutMilliseconds: 500).isEmpty)
    // The high watermark tells it from an empty partition; a reader of committed records is told where it must wait.
    #expect(try reader.queryWatermarks(topic: topic, partition: 0, timeoutMilliseconds: 5000).high == 0)
    try waitUntil("the high watermark is known") { stream.cachedWatermarks()?.high == 6 }
    let admin = try Admin(properties: cluster.properties)
    defer { admin.close() }
    #expect(try admin.watermarks(topic: topic, partition: 0) == Watermarks(low: 0, high: 6))
    try producer.commitTransaction()
    #expect(try stream.records(6).map(\.offset) == [0, 1, 2, 3, 4, 5])
    stream.stop()
    try cluster.close()
  }
}
