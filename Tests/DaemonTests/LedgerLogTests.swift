import Daemon
import Kafka
import Metering
import Synchronization
import Testing

@Suite struct LedgerLogTests {
  struct Fixture {
    let cluster: MockCluster
    let log: LedgerLog

    init() throws {
      cluster = try MockCluster()
      try cluster.createTopic("g.ledger", partitions: 2)
      log = try LedgerLog(
        topic: "g.ledger", properties: ["bootstrap.servers": cluster.bootstrapServers], isEmbedded: true)
    }

    func close() {
      log.close()
      cluster.close()
    }

    /// Appends and waits for the outcome: nil is success.
    func append(_ records: [String], partition: Int32 = 0) -> (error: KafkaError, isUnknown: Bool)? {
      let outcomes = Collected<LedgerAppendOutcome>()
      log.append(partition: partition, records: records.map { Array($0.utf8) }) { outcomes.add($0) }
      #expect(outcomes.wait { !$0.isEmpty })
      guard case .failed(let error, let isUnknown)? = outcomes.all.first else { return nil }
      return (error, isUnknown)
    }
  }

  static func entries(_ events: [LedgerTailEvent]) -> [LedgerEntry] {
    events.flatMap { event -> [LedgerEntry] in
      if case .entries(let entries) = event { entries } else { [] }
    }
  }

  static func texts(_ events: [LedgerTailEvent]) -> [String] {
    entries(events).map { String(decoding: $0.bytes, as: UTF8.self) }
  }

  static func ends(_ events: [LedgerTailEvent]) -> [Int64] {
    events.compactMap { event in
      if case .caughtUp(let end) = event { end } else { nil }
    }
  }

  @Test func whatIsAppendedIsReadBackInOrderWithOffsetsTimesAndTheEnd() throws {
    let fixture = try Fixture()
    defer { fixture.close() }
    #expect(fixture.append(["a", "b", "c"]) == nil)
    let events = Collected<LedgerTailEvent>()
    let tail = try fixture.log.read(partition: 0, from: 0) { events.add($0) }
    #expect(events.wait { Self.ends($0).contains(3) })
    #expect(Self.texts(events.all) == ["a", "b", "c"])
    #expect(Self.entries(events.all).map(\.offset) == [0, 1, 2])
    #expect(Self.entries(events.all).allSatisfy { $0.appendMilliseconds > 1_600_000_000_000 })
    // It goes on as records come, and says again where the end is.
    #expect(fixture.append(["d"]) == nil)
    #expect(events.wait { Self.ends($0).contains(4) })
    #expect(Self.texts(events.all) == ["a", "b", "c", "d"])
    tail.stop()
    let count = events.all.count
    #expect(fixture.append(["e"]) == nil)
    #expect(events.all.count == count)
    #expect(try fixture.log.watermarks(partition: 0).high == 5)
  }

  @Test func anEmptyPartitionsEndIsReached() throws {
    let fixture = try Fixture()
    defer { fixture.close() }
    let events = Collected<LedgerTailEvent>()
    let tail = try fixture.log.read(partition: 1, from: 0) { events.add($0) }
    #expect(events.wait { Self.ends($0) == [0] })
    tail.stop()
  }

  @Test func readingBeginsWhereItIsToldTo() throws {
    let fixture = try Fixture()
    defer { fixture.close() }
    #expect(fixture.append(["a", "b", "c"]) == nil)
    let events = Collected<LedgerTailEvent>()
    let tail = try fixture.log.read(partition: 0, from: 2) { events.add($0) }
    #expect(events.wait { Self.ends($0).contains(3) })
    #expect(Self.texts(events.all) == ["c"])
    tail.stop()
  }

  @Test func manyAppendsOfTwoPartitionsKeepTheirOrder() throws {
    let fixture = try Fixture()
    defer { fixture.close() }
    let done = Collected<Int>()
    for index in 0..<200 {
      fixture.log.append(
        partition: Int32(index % 2), records: [Array("\(index)a".utf8), Array("\(index)b".utf8)]
      ) { outcome in
        if case .appended = outcome { done.add(index) }
      }
    }
    #expect(done.wait { $0.count == 200 })
    for partition in Int32(0)...1 {
      let events = Collected<LedgerTailEvent>()
      let tail = try fixture.log.read(partition: partition, from: 0) { events.add($0) }
      #expect(events.wait { Self.ends($0).contains(200) })
      let expected = (0..<200).filter { $0 % 2 == Int(partition) }.flatMap { ["\($0)a", "\($0)b"] }
      #expect(Self.texts(events.all) == expected)
      tail.stop()
    }
  }

  @Test func aRefusedAppendFailsAndTheNextOneWorks() throws {
    let fixture = try Fixture()
    defer { fixture.close() }
    #expect(fixture.append(["a"]) == nil)
    fixture.cluster.pushErrors([.messageTooLarge], for: .produce)
    let failure = fixture.append(["b"])
    #expect(failure?.error.code == .messageTooLarge)
    #expect(failure?.isUnknown == false)
    #expect(fixture.append(["c"]) == nil)
    let events = Collected<LedgerTailEvent>()
    let tail = try fixture.log.read(partition: 0, from: 0) { events.add($0) }
    #expect(events.wait { Self.ends($0).contains(2) })
    #expect(Self.texts(events.all) == ["a", "c"])
    tail.stop()
  }

  @Test func aRecordThatIsTooLargeIsRefusedAtOnce() throws {
    let fixture = try Fixture()
    defer { fixture.close() }
    let outcomes = Collected<LedgerAppendOutcome>()
    fixture.log.append(partition: 0, records: [[1], [UInt8](repeating: 0, count: 2_000_000)]) { outcomes.add($0) }
    #expect(outcomes.wait { !$0.isEmpty })
    guard case .failed(let error, let isUnknown)? = outcomes.all.first else {
      Issue.record("an append that is too large succeeded")
      return
    }
    #expect(error.code == .messageTooLarge)
    // Its first record was handed over: whoever reads the ledger may find it.
    #expect(isUnknown)
    #expect(fixture.append(["next"]) == nil)
  }

  @Test func closingReportsWhatIsUnderWay() throws {
    let fixture = try Fixture()
    try fixture.cluster.setBrokerDown(1)
    let outcomes = Collected<LedgerAppendOutcome>()
    fixture.log.append(partition: 0, records: [[1]]) { outcomes.add($0) }
    fixture.log.close()
    #expect(outcomes.wait(seconds: 5) { $0.count == 1 })
    guard case .failed? = outcomes.all.first else {
      Issue.record("an append to a broker that is down succeeded")
      return
    }
    fixture.cluster.close()
  }
}
