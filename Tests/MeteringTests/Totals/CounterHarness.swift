import Metering
import TestSupport
import Testing

/// A sealed segment as a dictionary.
final class DictionarySegment: SealedSegment {
  let identifier: UInt64
  let bucket: Int64
  let throughOffset: Int64
  let filter: SegmentFilter
  private let checks: [Fingerprint: UInt32]
  var count: Int { checks.count }

  init(_ segment: SegmentToSeal) {
    identifier = segment.identifier
    bucket = segment.bucket
    throughOffset = segment.throughOffset
    let filter = SegmentFilter(keys: segment.count)
    var checks: [Fingerprint: UInt32] = [:]
    segment.forEachSorted { entry in
      checks[entry.fingerprint] = entry.check
      filter.insert(entry.fingerprint)
    }
    self.checks = checks
    self.filter = filter
  }

  func look(up fingerprint: Fingerprint) -> SegmentAnswer {
    checks[fingerprint].map { .present(check: $0) } ?? .absent
  }
}

/// Runs a stream through counters that are lost, restored, cut back, rebuilt and short of memory, and collects what the
/// ledger would have: one frozen range for each cut.
struct CounterHarness {
  /// What is done to the counter, in percent of steps.
  struct Troubles {
    var commit = 30
    var crash = 0
    /// Of the crashes: cuts that another owner has made meanwhile, so that state must be cut back and replayed.
    var foreignCuts = 0
    /// Of the crashes: all local state is lost.
    var lostDisk = 0
    var seal = 0
    var memoryLimit = Int.max
  }

  private let stream: UsageStream
  private let oracle: Oracle
  private var random: SeededRandom
  private let troubles: Troubles

  /// The ledger: cuts that stand.
  private(set) var ledger: [FrozenRange] = []
  private(set) var quarantined: [Int64: QuarantineReason] = [:]
  /// How often each thing happened, so that a test can say that it did.
  private(set) var crashes = 0
  private(set) var cutBacks = 0
  private(set) var rebuilds = 0
  private(set) var seals = 0
  private(set) var memoryStops = 0

  // Local state on "disk".
  private var chunks: [[UInt8]] = []
  private var sealed: [DictionarySegment] = []
  /// The head that local state names: it is committed with the chunks.
  private var head: Int64
  /// The head that the process has read back.
  private var readBack: Int64
  /// Of its own, so that the runs are what they were without.
  private var expectation: SeededRandom

  init(_ stream: UsageStream, _ oracle: Oracle, seed: UInt64, _ troubles: Troubles) {
    self.stream = stream
    self.oracle = oracle
    self.troubles = troubles
    random = SeededRandom(seed: seed)
    expectation = SeededRandom(seed: seed &+ 1)
    head = stream.first
    readBack = stream.first
  }

  private var ledgerHead: Int64 { ledger.last?.to ?? stream.first }

  mutating func run() throws {
    var counter = fresh(at: stream.first, clock: 0)
    while ledgerHead < stream.end {
      let end = try #require(stream.cuts.first { $0 > ledgerHead })
      let from = index(of: counter.nextOffset)
      let to = min(index(of: end), from + Int.random(in: 1...100, using: &random))
      try count(&counter, from..<to)
      if to == index(of: end) {
        let frozen = counter.beginRange(at: end)
        if random.chance(troubles.crash) {
          // The append is lost with the process; local state may or may not know the frozen range.
          if random.chance(50) { commit(&counter) }
        } else {
          ledger.append(frozen)
          if random.chance(50) { commit(&counter) }
          counter.setCap(stream.caps[end] ?? 0)
          if random.chance(80) { readBack = end }
        }
      }
      if random.chance(troubles.commit) { commit(&counter) }
      if random.chance(troubles.seal) { seal(&counter, early: false) }
      if random.chance(troubles.crash) { counter = try restarted() }
      if counter.nextOffset > ledgerHead, counter.rangeFrom != ledgerHead { counter = try restarted() }
    }
  }

  /// The clock that the cut of ``head`` states.
  private var clockAtHead: Int64 { oracle.ranges.first { $0.to == head }?.clockAtEnd ?? 0 }

  private func index(of offset: Int64) -> Int {
    stream.records.firstIndex { $0.offset >= offset } ?? stream.records.count
  }

  private mutating func fresh(at offset: Int64, clock: Int64) -> PartitionCounter {
    var counter = PartitionCounter(
      rules: UsageStream.rules, partition: 3, fingerprintKey: UsageStream.key,
      start: CounterStart(nextOffset: offset, clockMilliseconds: clock, capMilliseconds: stream.caps[offset] ?? 0),
      sealed: sealed, memoryLimit: troubles.memoryLimit)
    counter.capTimestamps = true
    // Too few, enough, or far too many: speed only.
    if expectation.chance(50) { counter.expect(records: Int64.random(in: -1...30_000, using: &expectation)) }
    return counter
  }

  private mutating func count(
    _ counter: inout PartitionCounter, _ range: Range<Int>, mode: CountMode = .count
  ) throws {
    var at = range.lowerBound
    while at < range.upperBound {
      var refused: [Int64: QuarantineReason] = [:]
      let outcome = withViews(stream.records[at..<range.upperBound]) { views in
        counter.count(views, mode: mode) { record, reason, detail in
          #expect(!detail.description.isEmpty)
          refused[record.offset] = reason
        }
      }
      quarantined.merge(refused) { before, now in
        #expect(before == now)
        return now
      }
      at += outcome.consumed
      switch outcome.stop {
      case .batchEnd: #expect(at == range.upperBound)
      case .memoryFull:
        // A cut comes first; here the seal only pretends that it was made, since where it is made is free.
        memoryStops += 1
        seal(&counter, early: true)
      default: Issue.record("unexpected stop \(outcome.stop)")
      }
    }
  }

  private mutating func commit(_ counter: inout PartitionCounter) {
    for chunk in counter.takeCommit() {
      var bytes = [UInt8](repeating: 0, count: chunk.byteCount)
      bytes.withUnsafeMutableBytes { chunk.encode(into: $0) }
      chunks.append(bytes)
    }
    head = readBack
  }

  private mutating func seal(_ counter: inout PartitionCounter, early: Bool) {
    commit(&counter)
    for segment in counter.segmentsToSeal(head: early ? counter.nextOffset : head, early: early) {
      seals += 1
      let made = DictionarySegment(segment)
      #expect(made.count == segment.count)
      counter.install(made)
      // Only what lies below the head may be sealed in local state that outlives the process.
      if segment.throughOffset <= head { sealed.append(made) }
    }
  }

  /// What an owner does after a crash.
  private mutating func restarted() throws -> PartitionCounter {
    crashes += 1
    if random.chance(troubles.lostDisk) { return try rebuilt() }
    if random.chance(troubles.foreignCuts), ledger.count < stream.cuts.count {
      // Another owner has made the next cut, and decided as the oracle does.
      ledger.append(oracle.ranges[ledger.count])
      for (offset, reason) in oracle.quarantined where offset < ledgerHead { quarantined[offset] = reason }
    }
    if head != ledgerHead {
      cutBacks += 1
      chunks.removeAll { chunk in chunk.withUnsafeBytes { (try? JournalChunkView($0).from >= head) ?? false } }
    }
    return try restored()
  }

  private mutating func restored() throws -> PartitionCounter {
    let first = try chunks.first?.withUnsafeBytes { try JournalChunkView($0) }
    var counter = fresh(at: first?.from ?? head, clock: first?.clockAtStart ?? clockAtHead)
    var frozen: [FrozenRange] = []
    for chunk in chunks {
      try chunk.withUnsafeBytes { bytes in
        if let range = try counter.restore(try JournalChunkView(bytes), head: head) { frozen.append(range) }
      }
    }
    let standing = ledger.last?.to ?? stream.first
    if head == standing {
      // A range that was frozen before the crash is the one that is cut now.
      for range in frozen {
        #expect(range == oracle.ranges[ledger.count])
        ledger.append(range)
      }
    } else {
      #expect(counter.nextOffset <= head)
      try replay(&counter, to: standing)
    }
    readBack = ledgerHead
    counter.setCap(stream.caps[ledgerHead] ?? 0)
    return counter
  }

  /// Makes the sightings of what is in cuts already, under each cut's own cap.
  private mutating func replay(_ counter: inout PartitionCounter, to end: Int64) throws {
    for range in oracle.ranges where range.from < end && range.to > counter.nextOffset {
      counter.setCap(stream.caps[range.from] ?? 0)
      let before = counter.totals
      try count(&counter, index(of: max(range.from, counter.nextOffset))..<index(of: range.to), mode: .sightingsOnly)
      #expect(counter.totals == before)
      counter.restartRange(at: range.to)
      #expect(counter.clockMilliseconds == range.clockAtEnd)
    }
    #expect(counter.openRows == 0 && counter.rangeFrom == end)
  }

  /// Rebuilds the window from the records: from the first offset whose bucket is within reach of the head's clock.
  private mutating func rebuilt() throws -> PartitionCounter {
    rebuilds += 1
    chunks = []
    sealed = []
    head = ledgerHead
    readBack = head
    guard head > stream.first, let clock = ledger.last?.clockAtEnd else { return fresh(at: stream.first, clock: 0) }
    let bucket = UsageStream.rules.bucketMilliseconds
    let first = stream.records.first { record in
      (oracle.clockAfter[record.offset] ?? 0) / bucket >= clock / bucket - 8
    }
    let start = min(head, first?.offset ?? head)
    var counter = fresh(at: start, clock: start == head ? clock : oracle.clockBefore[start] ?? 0)
    try replay(&counter, to: head)
    counter.setCap(stream.caps[head] ?? 0)
    // The journal of the lost disk is gone: it begins with the rebuilt state.
    return counter
  }
}
