import Metering
import Testing

private func record(
  _ offset: Int64, key: String = "", timestamp: Int64 = UsageStream.start, customer: String = "c",
  feature: String = "f", amount: Int64 = 1, isRevert: Bool = false, eventTime: Int64 = UsageStream.start
) -> StreamRecord {
  StreamRecord(
    offset: offset, timestamp: timestamp,
    payload: .init(customer: customer, feature: feature, model: nil, amount: amount, isRevert: isRevert), source: "",
    key: key.isEmpty ? "k\(offset)" : key, eventTime: eventTime)
}

private func counter(
  _ rules: CountingRules = UsageStream.rules, cap: Int64 = .max, memoryLimit: Int = .max, rowLimit: Int = 200_000
) -> PartitionCounter {
  PartitionCounter(
    rules: rules, partition: 0, fingerprintKey: UsageStream.key,
    start: CounterStart(nextOffset: 0, clockMilliseconds: UsageStream.start, capMilliseconds: cap),
    memoryLimit: memoryLimit, rowLimit: rowLimit)
}

@Suite struct CounterTests {
  private func count(
    _ counter: inout PartitionCounter, _ records: [StreamRecord], mode: CountMode = .count
  ) -> CountOutcome {
    withViews(records[...]) { views in counter.count(views, mode: mode) { _, _, _ in } }
  }

  @Test func aRecordBeyondTheCapWaitsForAHigherOne() {
    let start = UsageStream.start
    var counter = counter(cap: start + 1000)
    let records = [record(0), record(1, timestamp: start + 1000), record(2, timestamp: start + 1001), record(3)]
    #expect(
      count(&counter, records)
        == CountOutcome(consumed: 2, stop: .beyondCap(timestampMilliseconds: start + 1001)))
    #expect(counter.nextOffset == 2 && counter.clockMilliseconds == start + 1000)
    #expect(
      count(&counter, Array(records[2...]))
        == CountOutcome(consumed: 0, stop: .beyondCap(timestampMilliseconds: start + 1001)))
    #expect(counter.beginRange(at: 2).counters.counted == 2)
    counter.setCap(start + 2000)
    #expect(count(&counter, Array(records[2...])) == CountOutcome(consumed: 2, stop: .batchEnd))
    #expect(counter.clockMilliseconds == start + 1001)
  }

  @Test func aRecordFromTheFutureIsCappedWhenWaitingIsOver() {
    let start = UsageStream.start
    var counter = counter(cap: start + 1000)
    counter.capTimestamps = true
    #expect(count(&counter, [record(0, timestamp: start + 99_000_000)]).stop == .batchEnd)
    #expect(counter.clockMilliseconds == start + 1000)
    #expect(counter.rangeCounters.counted == 1)
  }

  @Test func aRecordWithoutATimestampLeavesTheClock() {
    var counter = counter()
    #expect(count(&counter, [record(0, timestamp: -1), record(1, timestamp: 5)]).stop == .batchEnd)
    #expect(counter.clockMilliseconds == UsageStream.start)
  }

  @Test func aQuarantinedEventMovesTheClockButLeavesNoSighting() {
    let start = UsageStream.start
    var counter = counter()
    let late = record(0, key: "k", timestamp: start + 500, eventTime: start + 86_400_000)
    #expect(count(&counter, [late]).stop == .batchEnd)
    #expect(counter.clockMilliseconds == start + 500)
    #expect(counter.rangeCounters.quarantined[Int(QuarantineReason.timeTooNew.rawValue)] == 1)
    #expect(counter.dedupKeys == 0)
    #expect(count(&counter, [record(1, key: "k")]).stop == .batchEnd)
    #expect(counter.rangeCounters.counted == 1)
  }

  @Test func rowsBeyondTheLimitAskForACut() {
    var counter = counter(rowLimit: 64)
    let records = (0..<300).map { record(Int64($0), customer: "c\($0)") }
    #expect(count(&counter, records) == CountOutcome(consumed: 64, stop: .rowsFull))
    #expect(counter.beginRange(at: counter.nextOffset).rows.count == 64)
    #expect(count(&counter, Array(records[64...])) == CountOutcome(consumed: 64, stop: .rowsFull))
  }

  @Test func aSumThatDoesNotFitClosesTheCounter() {
    var table = RowTable()
    let hash = RowTable.hash(customer: 0, feature: 0, dimensions: 0, slotStart: 0)
    func add(_ units: Int128) -> Bool {
      table.add(
        units, events: 1, time: 1, customer: 0, feature: 0, dimensions: 0, slotStart: 0, hash: hash)
    }
    #expect(add(.max - 1))
    #expect(add(1))
    #expect(!add(1))
    var sum: Int128 = 0
    table.forEach { sum = $0.units }
    #expect(sum == .max)
  }

  @Test func sightingsOnlyCountNothing() {
    var counter = counter()
    #expect(count(&counter, [record(0, key: "a"), record(1, key: "b")], mode: .sightingsOnly).consumed == 2)
    #expect(counter.rangeCounters == RangeCounters() && counter.openRows == 0 && counter.sightingsOnly == 2)
    counter.restartRange(at: 2)
    #expect(count(&counter, [record(2, key: "a"), record(3, key: "c")]).stop == .batchEnd)
    #expect(counter.rangeCounters.duplicate == 1 && counter.rangeCounters.counted == 1)
    #expect(counter.rangeFrom == 2)
  }

  @Test func aRevertSubtractsAndACountFeatureAddsOne() throws {
    var counter = counter()
    let records = [
      record(0, feature: "f0", amount: 40), record(1, feature: "f0", amount: 40, isRevert: true),
      record(2, feature: "f0", amount: 7), record(3, feature: "f2", amount: 40),
      record(4, feature: "f2", amount: 15, isRevert: true),
    ]
    #expect(count(&counter, records).stop == .batchEnd)
    let rows = counter.beginRange(at: 5).rows
    #expect(rows.map(\.quantity) == [Quantity(1), Quantity(25)])
    #expect(rows.map(\.events) == [3, 2])
  }

  @Test func aRowsTimestampIsItsGreatestEventTime() {
    let start = UsageStream.start
    var counter = counter()
    let slot = start / 3_600_000 * 3_600_000
    let times = [slot + 5, slot + 900, slot + 17]
    #expect(
      count(&counter, times.enumerated().map { record(Int64($0), eventTime: $1) }).stop == .batchEnd)
    let rows = counter.beginRange(at: 3).rows
    #expect(rows.map(\.slotStartMilliseconds) == [slot])
    #expect(rows.map(\.greatestTimeMilliseconds) == [slot + 900])
  }

  @Test func eventsWithoutAKeyAreNotDeduplicatedWhereOffsetsStandIn() {
    var rules = UsageStream.rules
    rules.missingKey = .offset
    var counter = counter(rules)
    let json = Array("{\"customerId\":\"c\",\"featureId\":\"f\",\"amount\":2}".utf8)
    json.withUnsafeBytes { bytes in
      let views = (0..<3).map { RecordView(value: bytes, offset: $0, timestampMilliseconds: UsageStream.start) }
      let outcome = views.withUnsafeBufferPointer { views in counter.count(views) { _, _, _ in } }
      #expect(outcome.stop == .batchEnd)
    }
    #expect(counter.rangeCounters.counted == 3)
    #expect(counter.dedupKeys == 0 && counter.takeCommit().first?.sightings == 0)
  }

  @Test func recordsOfAnotherKeyAreCountedAsMismatches() {
    var rules = UsageStream.rules
    rules.keyCheck = .warn
    var counter = counter(rules)
    #expect(count(&counter, [record(0), record(1)]).stop == .batchEnd)
    #expect(counter.rangeCounters.keyMismatches == 2 && counter.rangeCounters.counted == 2)
  }

  @Test func holesMoveThePlaceAndAreToldApart() {
    var counter = counter()
    #expect(count(&counter, [record(0)]).stop == .batchEnd)
    counter.skipHoles(to: 5, verified: 3, unverified: 1)
    let frozen = counter.beginRange(at: 5)
    #expect(frozen.counters.holesVerified == 3 && frozen.counters.holesUnverified == 1)
    #expect(frozen.counters.isBalanced && frozen.to == 5)
  }

  @Test func aSlicedJournalNeverPasses() throws {
    var counter = counter()
    #expect(count(&counter, (0..<20).map { record($0, customer: "c\($0 % 3)") }).stop == .batchEnd)
    let chunk = try #require(counter.takeCommit().first)
    #expect(counter.takeCommit().isEmpty)
    var bytes = [UInt8](repeating: 0, count: chunk.byteCount)
    bytes.withUnsafeMutableBytes { chunk.encode(into: $0) }
    func read(_ bytes: [UInt8]) throws { _ = try bytes.withUnsafeBytes { try JournalChunkView($0).to } }
    try read(bytes)
    for place in stride(from: 0, to: bytes.count, by: 13) {
      var damaged = bytes
      damaged[place] ^= 0x10
      #expect(throws: JournalCorruption.self) { try read(damaged) }
    }
    for count in [0, 7, 200, bytes.count - 1] {
      #expect(throws: JournalCorruption.self) { try read(Array(bytes[..<count])) }
    }
    #expect(throws: JournalCorruption.self) { try read(bytes + [0]) }
  }

  @Test(arguments: [0, 5_000, 60_000, .max] as [Int64]) func memoryStaysWithinItsLimit(expected: Int64) {
    let limit = 1 << 20
    var counter = counter(memoryLimit: limit)
    counter.expect(records: expected)
    // Half is for what else there is: sealing goes on while counting does.
    #expect(counter.dedupActiveBytes <= limit / 2)
    var records = (0..<60_000).map { record(Int64($0)) }[...]
    var stops = 0
    while !records.isEmpty {
      let outcome = count(&counter, Array(records.prefix(5000)))
      records = records.dropFirst(outcome.consumed)
      #expect(counter.dedupActiveBytes <= limit)
      if outcome.stop == .memoryFull {
        stops += 1
        for segment in counter.segmentsToSeal(head: counter.nextOffset, early: true) {
          counter.install(DictionarySegment(segment))
        }
      }
    }
    #expect(stops > 0 && counter.dedupKeys == 60_000)
    #expect(counter.rangeCounters.counted == 60_000)
  }

  @Test func nothingBeyondTheHeadIsSealed() {
    let bucket = UsageStream.rules.bucketMilliseconds
    var counter = counter()
    #expect(count(&counter, [record(0)]).stop == .batchEnd)
    #expect(count(&counter, [record(7, timestamp: UsageStream.start + 2 * bucket)]).stop == .batchEnd)
    #expect(counter.segmentsToSeal(head: 6).isEmpty)
    #expect(counter.segmentsToSeal(head: 7, early: true).map(\.count) == [1])
    #expect(counter.segmentsToSeal(head: 8).isEmpty)
    #expect(counter.segmentsToSeal(head: 8, early: true).map(\.count) == [1])
  }

  /// Its filter sends every look-up to it, and it cannot be read.
  private final class Broken: SealedSegment {
    let identifier: UInt64 = 1
    let bucket: Int64
    let throughOffset: Int64 = 0
    let count = 1
    let filter = SegmentFilter(keys: 1)

    init(bucketsAgo: Int64) {
      bucket = UsageStream.start / UsageStream.rules.bucketMilliseconds - bucketsAgo
      for bits: UInt64 in 0..<512 {
        filter.insert(Fingerprint(first: bits << 23, second: bits))
        filter.insert(Fingerprint(first: bits | 1 << 63, second: bits << 23))
      }
    }

    func look(up fingerprint: Fingerprint) -> SegmentAnswer { .unreadable }
  }

  private func counting(with segment: any SealedSegment) -> PartitionCounter {
    PartitionCounter(
      rules: UsageStream.rules, partition: 0, fingerprintKey: UsageStream.key,
      start: CounterStart(nextOffset: 0, clockMilliseconds: UsageStream.start, capMilliseconds: .max),
      sealed: [segment], memoryLimit: .max)
  }

  /// A process may end after a bucket has left the window and before its segment is removed from the folder.
  @Test func aSegmentThatHasLeftTheWindowIsNotAsked() {
    let records = (0..<200).map { record(Int64($0)) }
    var within = counting(with: Broken(bucketsAgo: 8))
    guard case .indexUnreadable = count(&within, records).stop else {
      Issue.record("the window's first bucket was not asked")
      return
    }
    var beyond = counting(with: Broken(bucketsAgo: 9))
    #expect(count(&beyond, records).stop == .batchEnd)
    #expect(beyond.dedupKeys > 0)
  }

  @Test func anUnreadableSegmentStopsTheCounter() {
    var counter = counting(with: Broken(bucketsAgo: 0))
    let records = (0..<200).map { record(Int64($0)) }
    let outcome = count(&counter, records)
    guard case .indexUnreadable = outcome.stop else {
      Issue.record("counting went on: \(outcome)")
      return
    }
    #expect(count(&counter, records) == CountOutcome(consumed: 0, stop: outcome.stop))
  }
}
