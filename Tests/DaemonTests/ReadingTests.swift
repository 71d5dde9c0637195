import Kafka
import Metering
import Testing

@testable import Daemon

@Suite struct ReadingTests {
  func properties(_ mock: MockTopic) -> ClientProperties {
    mock.properties.overridden(by: ["enable.partition.eof": "true", "fetch.wait.max.ms": "5"])
  }

  /// Reads a range to its end; the values of its records.
  func read(_ mock: MockTopic, from: Int64, to: Int64) throws -> [String] {
    let reader = try ReaderHandle(properties: properties(mock))
    defer { reader.close() }
    let range = try RangeReader(reader: reader, topic: mock.topic, partition: 0, from: from, to: to, batchSize: 7)
    defer { range.stop() }
    var values: [String] = []
    for _ in 0..<1_000 {
      let isOver = try range.next(timeoutMilliseconds: 200) { views in
        // Takes a part at a time, as a machine does that has to seal in between.
        let some = views.prefix(3)
        for view in some { values.append(String(decoding: view.value, as: UTF8.self)) }
        return some.count
      }
      if isOver {
        #expect(range.position == to)
        return values
      }
    }
    Issue.record("the range was not over after 200 s")
    return values
  }

  @Test func aRangeIsReadOnceAndNoFurther() throws {
    let mock = try MockTopic()
    defer { mock.cluster.close() }
    try mock.produce((0..<50).map(String.init))
    #expect(try read(mock, from: 10, to: 40) == (10..<40).map(String.init))
    #expect(try read(mock, from: 0, to: 50) == (0..<50).map(String.init))
    #expect(try read(mock, from: 20, to: 20) == [])
  }

  @Test func aLogThatEndsInsideTheRangeIsAnError() throws {
    let mock = try MockTopic()
    defer { mock.cluster.close() }
    try mock.produce(["a", "b"])
    let error = #expect(throws: RangeReader.Failure.self) { _ = try read(mock, from: 0, to: 5) }
    guard case .endsBefore(2)? = error else {
      Issue.record("unexpected: \(String(describing: error))")
      return
    }
  }

  @Test func viewsCarryWhatTheRecordsAre() throws {
    let mock = try MockTopic()
    defer { mock.cluster.close() }
    try mock.produce(["plain"])
    try mock.produce(
      ["with"], headers: [Header(name: "ce_id", value: Array("7".utf8)), Header(name: "none", value: nil)])
    let reader = try ReaderHandle(properties: properties(mock))
    defer { reader.close() }
    let stream = try reader.start(topic: mock.topic, partition: 0, offset: .beginning)
    defer { stream.stop() }
    var batch = MessageBatch(capacity: 10)
    var buffer = RecordBuffer(capacity: 10)
    var expected: Int64 = 0
    var seen = 0
    var end: Int64?
    for _ in 0..<100 where end == nil || seen < 2 {
      try stream.read(into: &batch, timeoutMilliseconds: 200)
      let scan = buffer.fill(from: batch, expected: &expected)
      #expect(scan.failure == nil)
      #expect(scan.holes == [])
      end = scan.end ?? end
      for view in buffer.views {
        #expect(view.offset == Int64(seen))
        #expect(view.timestampMilliseconds == 1_790_000_000_000)
        #expect(Array(view.key) == Array("k".utf8))
        if seen == 0 {
          #expect(view.headers.isEmpty)
        } else {
          #expect(view.headers.map { String(decoding: $0.name, as: UTF8.self) } == ["ce_id", "none"])
          #expect(view.headers.map { String(decoding: $0.value, as: UTF8.self) } == ["7", ""])
        }
        seen += 1
      }
      buffer.clear()
    }
    #expect(seen == 2)
    #expect(end == 2)
    #expect(expected == 2)
  }

  @Test func anUnexpectedOffsetIsAHoleOrAFailure() throws {
    let mock = try MockTopic()
    defer { mock.cluster.close() }
    try mock.produce(["a", "b", "c"])
    let reader = try ReaderHandle(properties: properties(mock))
    defer { reader.close() }
    let stream = try reader.start(topic: mock.topic, partition: 0, offset: .offset(2))
    defer { stream.stop() }
    var batch = MessageBatch(capacity: 10)
    #expect(try stream.read(into: &batch, timeoutMilliseconds: 10_000) > 0)
    var buffer = RecordBuffer(capacity: 10)
    var expected: Int64 = 0
    let scan = buffer.fill(from: batch, expected: &expected)
    #expect(scan.holes == [RecordBuffer.Hole(index: 0, from: 0, to: 2)])
    #expect(expected == 3)
    expected = 9
    let back = buffer.fill(from: batch, expected: &expected)
    guard case .wentBack(expected: 9, found: 2)? = back.failure else {
      Issue.record("unexpected: \(String(describing: back.failure))")
      return
    }
    #expect(expected == 9)
    buffer.clear()
  }

  @Test func aHoleWithARecordInItIsFound() throws {
    let mock = try MockTopic()
    defer { mock.cluster.close() }
    try mock.produce((0..<20).map(String.init))
    let gaps = try GapReader(topic: mock.topic, properties: properties(mock), observer: ClientObserver())
    defer { gaps.close() }
    #expect(
      gaps.look(partition: 0, holes: [5..<7, 10..<11], budgetMilliseconds: 20_000) == [.recordFound(5), .unverified])
    #expect(gaps.look(partition: 0, holes: [5..<7], budgetMilliseconds: 0) == [.unverified])
    #expect(gaps.look(partition: 0, holes: [], budgetMilliseconds: 1_000) == [])
  }
}

@Suite(.enabled(if: RealKafka.isThere, "needs METERD_TEST_KAFKA=host:port"))
struct HolesOnKafkaTests {
  @Test func aSecondReaderFindsTheRecordThatAFirstOneSkipped() throws {
    let bootstrap = RealKafka.bootstrap ?? ""
    let topic = freshName("holes")
    let admin = try Admin(properties: ["bootstrap.servers": bootstrap])
    defer { admin.close() }
    try admin.createTopic(topic, partitions: 1)
    let reports = Collected<DeliveryReport>()
    let producer = try Producer(properties: ["bootstrap.servers": bootstrap]) {
      for report in $0 { reports.add(report) }
    }
    for index in 0..<10 { try producer.produce(topic: topic, partition: 0, key: nil, value: [UInt8(index)]) }
    #expect(reports.wait { $0.count == 10 })
    producer.close()
    let gaps = try GapReader(
      topic: topic, properties: ["bootstrap.servers": bootstrap], observer: ClientObserver())
    defer { gaps.close() }
    #expect(gaps.look(partition: 0, holes: [3..<4], budgetMilliseconds: 20_000) == [.recordFound(3)])
  }
}
