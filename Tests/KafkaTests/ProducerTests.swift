import Foundation
import Kafka
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct ProducerTests {
  @Test(arguments: Backend.available) func reportsComeInOrderWithOffsets(_ backend: Backend) throws {
    let cluster = try TestCluster(backend)
    let topic = try cluster.topic(partitions: 2)
    let reports = Collector<DeliveryReport>()
    let producer = try Producer(properties: cluster.properties) { reports.add(contentsOf: $0) }
    for token in 0..<1000 {
      try producer.produce(
        topic: topic, partition: Int32(token % 2), key: nil, value: Array("\(token)".utf8), token: UInt64(token))
    }
    try producer.flush(timeoutMilliseconds: 20_000)
    #expect(producer.unreported == 0)
    for partition in 0..<2 {
      let own = reports.all.filter { $0.partition == Int32(partition) }
      #expect(own.map(\.token) == stride(from: partition, to: 1000, by: 2).map { UInt64($0) })
      #expect(own.map(\.outcome) == (0..<500).map { .delivered(offset: Int64($0)) })
    }
    producer.close()
    producer.close()
    try cluster.close()
  }

  @Test func aFullQueueIsAnErrorAndLosesNothing() throws {
    let cluster = try TestCluster(.mock)
    let topic = try cluster.topic(partitions: 1)
    let reports = Collector<DeliveryReport>()
    let producer = try Producer(
      properties: cluster.properties.overridden(by: ["queue.buffering.max.messages": "100", "linger.ms": "5"])
    ) { reports.add(contentsOf: $0) }
    var refusals = 0
    for token in 0..<2000 {
      try waitUntil("room for record \(token)") {
        do {
          try producer.produce(topic: topic, partition: 0, key: nil, value: [1], token: UInt64(token))
          return true
        } catch let error as KafkaError where error.code == .queueFull {
          #expect(error.isRetriable)
          refusals += 1
          return false
        }
      }
    }
    try producer.flush(timeoutMilliseconds: 20_000)
    #expect(refusals > 0)
    #expect(reports.all.map(\.token) == (0..<2000).map { UInt64($0) })
    #expect(reports.all.map(\.outcome) == (0..<2000).map { .delivered(offset: $0) })
    producer.close()
    try cluster.close()
  }

  @Test func whatNeverLeftIsNotSent() throws {
    let reports = Collector<DeliveryReport>()
    // Port 1 of loopback refuses connections.
    let producer = try Producer(properties: ["bootstrap.servers": "127.0.0.1:1"]) { reports.add(contentsOf: $0) }
    try producer.produce(topic: "nowhere", partition: 0, key: nil, value: [1], token: 7)
    let late = #expect(throws: KafkaError.self) { try producer.flush(timeoutMilliseconds: 50) }
    #expect(late?.code == .timedOut)
    producer.close()
    #expect(reports.all.map(\.outcome) == [.notSent])
    #expect(reports.all.first?.token == 7)
    #expect(reports.all.first?.error?.code == .purgedFromQueue)
  }

  @Test func whatLeftAndWasNotAnsweredIsUnknown() throws {
    let cluster = try TestCluster(.mock)
    let topic = try cluster.topic(partitions: 1)
    let reports = Collector<DeliveryReport>()
    let producer = try Producer(properties: cluster.properties) { reports.add(contentsOf: $0) }
    try producer.produce(topic: topic, partition: 0, key: nil, value: [1], token: 1)
    try producer.flush(timeoutMilliseconds: 10_000)
    // The answer takes longer than anybody waits; the record is on its way.
    try #require(cluster.mock).setRoundTripTime(4000, broker: 1)
    try producer.produce(topic: topic, partition: 0, key: nil, value: [2], token: 2)
    let late = #expect(throws: KafkaError.self) { try producer.flush(timeoutMilliseconds: 500) }
    #expect(late?.code == .timedOut)
    producer.purge()
    try reports.wait("both reports") { $0.count == 2 }
    #expect(reports.all.map(\.outcome) == [.delivered(offset: 0), .unknown])
    #expect(reports.all.last?.error?.code == .purgedInFlight)
    producer.close()
    try cluster.close()
  }

  @Test func aRetriedRecordIsAppendedOnce() throws {
    let cluster = try TestCluster(.mock)
    let topic = try cluster.topic(partitions: 1)
    try #require(cluster.mock).pushErrors([.notLeader, .requestTimedOut, .notEnoughReplicas], for: .produce)
    try fill(cluster, topic, 0..<5)
    let reader = try ReaderHandle(properties: cluster.properties.overridden(by: ["enable.partition.eof": "true"]))
    defer { reader.close() }
    let stream = try reader.start(topic: topic, partition: 0, offset: .beginning)
    #expect(try stream.recordsToEnd().records.map(\.value) == ["0", "1", "2", "3", "4"])
    stream.stop()
    try cluster.close()
  }

  @Test(.enabled(if: Backend.realServers != nil)) func aRecordThatIsTooLargeIsNotSent() throws {
    let cluster = try TestCluster(.real)
    let topic = try cluster.topic(partitions: 1, ["max.message.bytes": "1000"])
    let reports = Collector<DeliveryReport>()
    let producer = try Producer(
      properties: cluster.properties.overridden(by: ["compression.codec": "none"])
    ) { reports.add(contentsOf: $0) }
    try producer.produce(topic: topic, partition: 0, key: nil, value: [UInt8](repeating: 7, count: 5000), token: 1)
    try producer.flush(timeoutMilliseconds: 10_000)
    #expect(reports.all.first?.outcome == .notSent)
    #expect(reports.all.first?.error?.code == .messageTooLarge)
    // A record that librdkafka itself refuses has no report.
    let refused = #expect(throws: KafkaError.self) {
      try producer.produce(topic: topic, partition: 0, key: nil, value: [UInt8](repeating: 7, count: 2_000_000))
    }
    #expect(refused?.code == .messageTooLarge)
    producer.close()
    try cluster.close()
  }

  @Test func errorsAndStatisticsAreToldBesideTheReports() throws {
    let statistics = Collector<Statistics>()
    let errors = Collector<KafkaError>()
    let observer = ClientObserver(
      error: { errors.add($0) }, statistics: { if let read = try? Statistics(json: $0) { statistics.add(read) } })
    let producer = try Producer(
      properties: ["bootstrap.servers": "127.0.0.1:1", "statistics.interval.ms": "100"], observer: observer
    ) { _ in }
    defer { producer.close() }
    try waitUntil("both have come") { !statistics.all.isEmpty && errors.all.contains { $0.code == .transport } }
    #expect(statistics.all.first?.client.contains("#producer-") == true)
  }
}
