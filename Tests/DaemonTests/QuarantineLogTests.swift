import Daemon
import Kafka
import Metering
import Testing

@Suite struct QuarantineLogTests {
  static let topic = "g.quarantine"

  func withLog(_ body: (MockCluster, QuarantineLog) throws -> Void) throws {
    let cluster = try MockCluster()
    defer { cluster.close() }
    try cluster.createTopic(Self.topic, partitions: 2)
    let log = try QuarantineLog(
      topic: Self.topic, usageTopic: "usage", properties: ["bootstrap.servers": cluster.bootstrapServers])
    defer { log.close(timeoutMilliseconds: 1_000) }
    try body(cluster, log)
  }

  func append(_ log: QuarantineLog, value: [UInt8]?, key: [UInt8]?, offset: Int64, partition: Int32 = 1) throws {
    let name = Array("trace".utf8)
    let header = Array("abc".utf8)
    try name.withUnsafeBytes { name in
      try header.withUnsafeBytes { header in
        try [HeaderView(name: name, value: header), HeaderView(name: name, value: .init(start: nil, count: 0))]
          .withUnsafeBufferPointer { headers in
            try (value ?? []).withUnsafeBytes { bytes in
              try (key ?? []).withUnsafeBytes { keyBytes in
                let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
                let record = RecordView(
                  value: value == nil ? nothing : bytes, key: key == nil ? nothing : keyBytes, headers: headers,
                  offset: offset, timestampMilliseconds: 1_234_567_890_123)
                var events = [
                  QuarantinedEvent(record, reason: .quantityNegative, detail: QuarantineDetail("amount is -3"))
                ]
                try log.partition(partition).append(&events)
              }
            }
          }
      }
    }
  }

  @Test func theRecordIsKeptAsItWasWithTheReason() throws {
    try withLog { cluster, log in
      try append(log, value: Array("{\"amount\":-3}".utf8), key: Array("cus_1".utf8), offset: 77)
      try append(log, value: nil, key: nil, offset: 78)
      let acknowledged = Collected<Int32>()
      log.onChange { acknowledged.add($0) }
      #expect(acknowledged.wait { _ in log.acknowledgedThrough(partition: 1) == .max })
      let reader = try ReaderHandle(properties: ["bootstrap.servers": cluster.bootstrapServers])
      defer { reader.close() }
      let stream = try reader.start(topic: Self.topic, partition: 1, offset: .beginning)
      defer { stream.stop() }
      var batch = MessageBatch(capacity: 1)
      try stream.read(into: &batch, timeoutMilliseconds: 10_000)
      #expect(batch.count == 1)
      #expect(Array(batch[0].value) == Array("{\"amount\":-3}".utf8))
      #expect(Array(batch[0].key) == Array("cus_1".utf8))
      #expect(batch[0].timestampMilliseconds == 1_234_567_890_123)
      func header(_ name: String, _ value: String) -> Header { Header(name: name, value: Array(value.utf8)) }
      #expect(
        try batch[0].headers() == [
          header("trace", "abc"), Header(name: "trace", value: nil), header("meterd_reason", "quantity_negative"),
          header("meterd_topic", "usage"), header("meterd_partition", "1"), header("meterd_offset", "77"),
          header("meterd_detail", "amount is -3"),
        ])
      try stream.read(into: &batch, timeoutMilliseconds: 10_000)
      #expect(batch.count == 1)
      #expect(batch[0].isValueNull && batch[0].isKeyNull)
    }
  }

  /// What is delivered gives its headers to what comes next: nothing of the one may show in the other.
  @Test func headersThatServeAgainSayWhatIsNew() throws {
    try withLog { cluster, log in
      let acknowledged = Collected<Int32>()
      log.onChange { acknowledged.add($0) }
      let reasons = QuarantineReason.allCases
      let details = [
        "amount is -3", "time", "amount is -7", "", "customer at byte 5712", "key is longer than 256 bytes",
      ]
      let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
      func detail(_ offset: Int) -> String { details[offset % details.count] }
      func reason(_ offset: Int) -> QuarantineReason { reasons[offset / 7 % reasons.count] }
      // Offsets of many lengths, and waves: each but the first finds lists of the one before.
      let offsets = (0..<6).flatMap { wave in (0..<500).map { wave * 10_007 + $0 } }
      var events: [QuarantinedEvent] = []
      for (index, offset) in offsets.enumerated() {
        if index % 500 == 0 {
          #expect(acknowledged.wait { _ in log.acknowledgedThrough(partition: 1) == .max } || index == 0)
        }
        events.append(
          QuarantinedEvent(
            RecordView(value: nothing, key: nothing, offset: Int64(offset), timestampMilliseconds: 1),
            reason: reason(offset), detail: QuarantineDetail(Self.constant(detail(offset)))))
        // Some at a time, as a worker does: of every number up to 100.
        if events.count > offset % 100 || index % 500 == 499 {
          try log.partition(1).append(&events)
          #expect(events.isEmpty)
        }
        // Now and then one with a header of its own, which must not come back in another record.
        if index % 50 == 0 { try append(log, value: nil, key: nil, offset: Int64(offset), partition: 0) }
      }
      let reader = try ReaderHandle(properties: ["bootstrap.servers": cluster.bootstrapServers])
      defer { reader.close() }
      let stream = try reader.start(topic: Self.topic, partition: 1, offset: .beginning)
      defer { stream.stop() }
      var batch = MessageBatch(capacity: 1_000)
      var seen = 0
      for _ in 0..<200 where seen < offsets.count {
        try stream.read(into: &batch, timeoutMilliseconds: 500)
        for index in 0..<batch.count where batch[index].isRecord {
          let offset = offsets[seen]
          let found = try batch[index].headers().map { String(decoding: $0.value ?? [], as: UTF8.self) }
          #expect(found == ["\(reason(offset).code)", "usage", "1", "\(offset)", detail(offset)])
          seen += 1
        }
      }
      #expect(seen == offsets.count)
    }
  }

  private static func constant(_ text: String) -> StaticString {
    switch text {
    case "amount is -3": "amount is -3"
    case "amount is -7": "amount is -7"
    case "time": "time"
    case "customer at byte 5712": "customer at byte 5712"
    case "key is longer than 256 bytes": "key is longer than 256 bytes"
    default: ""
    }
  }

  @Test func acknowledgementsAreKnownByPartition() throws {
    try withLog { cluster, log in
      let acknowledged = Collected<Int32>()
      log.onChange { acknowledged.add($0) }
      try cluster.setBrokerDown(1)
      try append(log, value: [1], key: nil, offset: 5, partition: 0)
      try append(log, value: [1], key: nil, offset: 9, partition: 0)
      #expect(log.acknowledgedThrough(partition: 0) == 5)
      #expect(log.acknowledgedThrough(partition: 1) == .max)
      try cluster.setBrokerUp(1)
      #expect(acknowledged.wait { _ in log.acknowledgedThrough(partition: 0) == .max })
      #expect(log.failure(partition: 0) == nil)
    }
  }

  @Test func aRefusedRecordIsAFailureOfItsPartitionAndStaysUnacknowledged() throws {
    try withLog { cluster, log in
      let changed = Collected<Int32>()
      log.onChange { changed.add($0) }
      cluster.pushErrors([.topicAuthorizationFailed], for: .produce)
      try append(log, value: [1], key: nil, offset: 5, partition: 0)
      #expect(changed.wait { $0.contains(0) })
      #expect(log.failure(partition: 0)?.code == .topicAuthorizationFailed)
      #expect(log.failure(partition: 1) == nil)
      #expect(log.acknowledgedThrough(partition: 0) == 5)
      #expect(throws: KafkaError.self) { try append(log, value: [1], key: nil, offset: 6, partition: 0) }
      log.forget(partition: 0)
      #expect(log.acknowledgedThrough(partition: 0) == .max)
    }
  }

  /// Those before it are handed over, those after it are not; and none of them can be cut.
  @Test func aRecordThatIsTooLargeIsAFailureOfItsPartition() throws {
    try withLog { cluster, log in
      let acknowledged = Collected<Int32>()
      log.onChange { acknowledged.add($0) }
      let large = UnsafeMutableRawBufferPointer.allocate(byteCount: 60 << 20 | 1, alignment: 1)
      defer { large.deallocate() }
      let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
      var events = (5...7).map { offset in
        QuarantinedEvent(
          RecordView(
            value: offset == 6 ? UnsafeRawBufferPointer(large) : nothing, offset: Int64(offset),
            timestampMilliseconds: 1),
          reason: .recordTooLarge, detail: QuarantineDetail("record"))
      }
      let error = #expect(throws: KafkaError.self) { try log.partition(0).append(&events) }
      #expect(error?.code == .messageTooLarge)
      #expect(events.isEmpty)
      #expect(acknowledged.wait { _ in log.acknowledgedThrough(partition: 0) == 6 })
      #expect(log.failure(partition: 0)?.code == .messageTooLarge)
      let reader = try ReaderHandle(properties: ["bootstrap.servers": cluster.bootstrapServers])
      defer { reader.close() }
      #expect(try reader.queryWatermarks(topic: Self.topic, partition: 0, timeoutMilliseconds: 5_000).high == 1)
    }
  }

  @Test func aFullQueueSlowsTheCallerAndDropsNothing() throws {
    try withLog { cluster, log in
      let changed = Collected<Int32>()
      log.onChange { changed.add($0) }
      // More than the queue of 30,000 holds.
      for offset in Int64(0)..<40_000 { try append(log, value: [1], key: nil, offset: offset, partition: 0) }
      #expect(changed.wait { _ in log.acknowledgedThrough(partition: 0) == .max })
      let reader = try ReaderHandle(properties: ["bootstrap.servers": cluster.bootstrapServers])
      defer { reader.close() }
      #expect(
        try reader.queryWatermarks(topic: Self.topic, partition: 0, timeoutMilliseconds: 5_000).high == 40_000)
    }
  }
}
