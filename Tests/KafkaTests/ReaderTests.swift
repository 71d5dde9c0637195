import Foundation
import Kafka
import Testing

@Suite(.timeLimit(.minutes(2))) struct ReaderTests {
  @Test(arguments: Backend.available) func readsWhatWasProduced(_ backend: Backend) throws {
    let cluster = try TestCluster(backend)
    let topic = try cluster.topic(partitions: 2)
    try fill(cluster, topic, partition: 1, 0..<500)
    let reader = try ReaderHandle(properties: cluster.properties)
    defer { reader.close() }
    let stream = try reader.start(topic: topic, partition: 1, offset: .beginning)
    let records = try stream.records(500, batch: 64)
    #expect(
      records
        == (0..<500).map {
          Record(offset: Int64($0), key: "k\($0)", value: "\($0)", timestamp: 1_700_000_000_000 + Int64($0))
        })
    #expect(stream.cachedWatermarks()?.high == 500)
    #expect(
      try reader.queryWatermarks(topic: topic, partition: 1, timeoutMilliseconds: 5000) == Watermarks(low: 0, high: 500)
    )
    stream.stop()
    try cluster.close()
  }

  @Test(arguments: Backend.available) func aSeekIsExactAndBringsNothingStale(_ backend: Backend) throws {
    let cluster = try TestCluster(backend)
    let topic = try cluster.topic(partitions: 1)
    try fill(cluster, topic, 0..<3000)
    let reader = try ReaderHandle(properties: cluster.properties)
    defer { reader.close() }
    var generator = SystemRandomNumberGenerator()
    for round in 0..<40 {
      let start = Int64.random(in: 0..<2990, using: &generator)
      let stream = try reader.start(topic: topic, partition: 0, offset: .offset(start))
      // Some rounds stop before anything came, some in the middle, some with a full queue behind them.
      let wanted = round % 4 == 0 ? 0 : Int.random(in: 1...Int(3000 - start), using: &generator)
      let records = try stream.records(wanted, batch: 37)
      #expect(records.map(\.offset) == (0..<Int64(records.count)).map { start + $0 })
      stream.stop()
    }
    try cluster.close()
  }

  @Test(arguments: Backend.available) func partitionsAreIndependent(_ backend: Backend) throws {
    let cluster = try TestCluster(backend)
    let topic = try cluster.topic(partitions: 3)
    for partition in 0..<3 { try fill(cluster, topic, partition: Int32(partition), 0..<200) }
    let reader = try ReaderHandle(properties: cluster.properties)
    defer { reader.close() }
    let streams = try (0..<3).map { try reader.start(topic: topic, partition: Int32($0), offset: .beginning) }
    #expect(try streams[0].records(200).count == 200)
    streams[0].stop()
    // Another one goes on, and the stopped one can be started elsewhere.
    #expect(try streams[1].records(200).last?.offset == 199)
    let again = try reader.start(topic: topic, partition: 0, offset: .offset(150))
    #expect(try again.records(50).first?.offset == 150)
    #expect(try streams[2].records(200).count == 200)
    for stream in streams + [again] { stream.stop() }
    try cluster.close()
  }

  @Test func aPartitionHasOneStreamInAHandle() throws {
    let cluster = try TestCluster(.mock)
    let topic = try cluster.topic(partitions: 1)
    let reader = try ReaderHandle(properties: cluster.properties)
    defer { reader.close() }
    let stream = try reader.start(topic: topic, partition: 0, offset: .beginning)
    let error = #expect(throws: KafkaError.self) {
      try reader.start(topic: topic, partition: 0, offset: .beginning)
    }
    #expect(error?.code == .wrongState)
    stream.stop()
    stream.stop()
    let refused = #expect(throws: KafkaError.self) { _ = try stream.nextBatch(max: 1, timeoutMilliseconds: 0).count }
    #expect(refused?.code == .wrongState)
    try reader.start(topic: topic, partition: 0, offset: .beginning).stop()
    try cluster.close()
  }

  @Test(arguments: Backend.available) func theEndIsSaidAndGoesOn(_ backend: Backend) throws {
    let cluster = try TestCluster(backend)
    let topic = try cluster.topic(partitions: 1)
    try fill(cluster, topic, 0..<10)
    let reader = try ReaderHandle(properties: cluster.properties.overridden(by: ["enable.partition.eof": "true"]))
    defer { reader.close() }
    let stream = try reader.start(topic: topic, partition: 0, offset: .offset(4))
    let (records, end) = try stream.recordsToEnd()
    #expect(records.map(\.offset) == Array(4..<10))
    #expect(end == 10)
    try fill(cluster, topic, 10..<12)
    #expect(try stream.recordsToEnd().records.map(\.value) == ["10", "11"])
    stream.stop()
    try cluster.close()
  }

  @Test(arguments: Backend.available) func anOffsetThatIsGoneIsAnError(_ backend: Backend) throws {
    let cluster = try TestCluster(backend)
    let topic = try cluster.topic(partitions: 1)
    try fill(cluster, topic, 0..<10)
    let reader = try ReaderHandle(properties: cluster.properties)
    defer { reader.close() }
    let stream = try reader.start(topic: topic, partition: 0, offset: .offset(500))
    let error = #expect(throws: KafkaError.self) { try stream.records(1) }
    #expect(error?.code == .autoOffsetReset)
    stream.stop()
    try cluster.close()
  }

  @Test(arguments: Backend.available) func nullsEmptiesAndHeaders(_ backend: Backend) throws {
    let cluster = try TestCluster(backend)
    let topic = try cluster.topic(partitions: 1)
    let producer = try Producer(properties: cluster.properties) { _ in }
    defer { producer.close() }
    let headers = [
      Header(name: "ce_id", value: Array("7".utf8)), Header(name: "empty", value: []), Header(name: "null", value: nil),
      Header(name: "ce_id", value: [0, 255]),
    ]
    try producer.produce(topic: topic, partition: 0, key: nil, value: nil)
    try producer.produce(topic: topic, partition: 0, key: [], value: [])
    try producer.produce(topic: topic, partition: 0, key: nil, value: Array("v".utf8), headers: headers)
    try producer.produce(topic: topic, partition: 0, key: Array("k".utf8), value: nil, headers: headers)
    try producer.produce(topic: topic, partition: 0, key: Array("k".utf8), value: [], headers: headers)
    try producer.flush(timeoutMilliseconds: 10_000)
    let reader = try ReaderHandle(properties: cluster.properties)
    defer { reader.close() }
    let stream = try reader.start(topic: topic, partition: 0, offset: .beginning)
    var seen = 0
    try waitUntil("five records") {
      let batch = try stream.nextBatch(max: 10, timeoutMilliseconds: 100)
      for index in 0..<batch.count {
        let message = batch[index]
        #expect(message.isRecord)
        #expect(message.timestampMilliseconds > 1_700_000_000_000)
        #expect(!message.isAppendTime)
        switch seen {
        case 0:
          #expect(message.isKeyNull && message.isValueNull && message.value.isEmpty)
          #expect(try message.headers() == [])
        case 1:
          #expect(!message.isKeyNull && !message.isValueNull && message.value.isEmpty && message.key.isEmpty)
          #expect(try message.headers() == [])
        default:
          #expect(message.hasHeaders)
          #expect(try message.headers() == headers)
        }
        seen += 1
      }
      return seen == 5
    }
    stream.stop()
    try cluster.close()
  }

  @Test func aReadIsInterrupted() throws {
    let cluster = try TestCluster(.mock)
    let topic = try cluster.topic(partitions: 1)
    let reader = try ReaderHandle(properties: cluster.properties)
    defer { reader.close() }
    let stream = try reader.start(topic: topic, partition: 0, offset: .beginning)
    let ended = Collector<Int>()
    let thread = Thread {
      while (try? ended.add(stream.nextBatch(max: 1, timeoutMilliseconds: 600_000).count)) != nil {}
    }
    thread.start()
    // An interrupt that comes between two reads is not lost: the next read returns at once.
    stream.interrupt()
    try ended.wait("an interrupted read") { $0 == [0] }
    stream.stop()
    try cluster.close()
  }

  @Test(arguments: Backend.available) func aFullQueueDoesNotStandStill(_ backend: Backend) throws {
    let cluster = try TestCluster(backend)
    let topic = try cluster.topic(partitions: 1)
    try fill(cluster, topic, 0..<5000)
    // So small a queue that it is full nearly always.
    let reader = try ReaderHandle(
      properties: cluster.properties.overridden(by: [
        "queued.min.messages": "500", "fetch.message.max.bytes": "20000", "fetch.max.bytes": "1000000",
      ]))
    defer { reader.close() }
    let stream = try reader.start(topic: topic, partition: 0, offset: .beginning)
    let records = try stream.records(5000, batch: 400, seconds: 60)
    #expect(records.map(\.offset) == Array(0..<5000))
    stream.stop()
    try cluster.close()
  }

  /// librdkafka 2.0.2's own watermark query waits for ever here, and a reader could then not be closed.
  @Test func aBrokerThatGoesAwayHoldsNothingUp() throws {
    let cluster = try TestCluster(.mock)
    let topic = try cluster.topic(partitions: 1)
    try fill(cluster, topic, 0..<10)
    let reader = try ReaderHandle(properties: cluster.properties)
    let stream = try reader.start(topic: topic, partition: 0, offset: .beginning)
    #expect(try stream.records(10).count == 10)
    let mock = try #require(cluster.mock)
    // The request is on its way, and the answer never comes.
    try mock.setRoundTripTime(60_000, broker: 1)
    let late = #expect(throws: KafkaError.self) {
      try reader.queryWatermarks(topic: topic, partition: 0, timeoutMilliseconds: 200)
    }
    #expect(late?.code == .timedOut)
    stream.wake()
    try cluster.close()
    stream.stop()
    reader.close()
  }

  @Test(.enabled(if: Backend.realServers != nil)) func offsetsForATime() throws {
    let cluster = try TestCluster(.real)
    let topic = try cluster.topic(partitions: 2)
    try fill(cluster, topic, 0..<100)
    let reader = try ReaderHandle(properties: cluster.properties)
    defer { reader.close() }
    let offsets = try reader.offsetsForTime(
      topic: topic, partitions: [0, 1], unixMilliseconds: 1_700_000_000_040, timeoutMilliseconds: 5000)
    #expect(offsets == [0: 40, 1: nil])
    try cluster.close()
  }
}
