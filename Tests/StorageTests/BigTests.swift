import Foundation
import Metering
import Storage
import Testing

/// Twenty million keys in 64 MiB of active tables, against a run that had all the memory it wanted. Minutes long: run it
/// in release mode with METERD_BIG=1.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["METERD_BIG"] == "1"), .serialized)
struct BigTests {
  private static let keys = 20_000_000
  private static let batch = 50_000

  /// Calls `body` with batches of events; every fiftieth repeats an earlier key, far back.
  private func forEachBatch(_ body: (UnsafeBufferPointer<RecordView>) throws -> Void) rethrows {
    let head = Array("{\"idempotencyKey\":\"k".utf8)
    var bytes: [UInt8] = []
    var places: [Range<Int>] = []
    for first in stride(from: 0, to: Self.keys, by: Self.batch) {
      bytes.removeAll(keepingCapacity: true)
      places.removeAll(keepingCapacity: true)
      for offset in first..<(first + Self.batch) {
        // Every other repeat says something else than the first did.
        let number = offset % 50 == 49 ? (offset &* 2_654_435_761) % (offset + 1) : offset
        let start = bytes.count
        bytes += head
        var digits = number + 1_000_000_000
        let at = bytes.count
        bytes += repeatElement(0, count: 10)
        for place in (0..<10).reversed() {
          bytes[at + place] = UInt8(48 + digits % 10)
          digits /= 10
        }
        let customer = UInt8(65 + number % 26)
        let amount = UInt8(offset % 100 == 99 ? 57 : 49 + number % 8)
        bytes += Array("\",\"customerId\":\"".utf8)
        bytes.append(customer)
        bytes += Array("\",\"featureId\":\"f\",\"amount\":".utf8)
        bytes.append(amount)
        bytes.append(125)
        places.append(start..<bytes.count)
      }
      try bytes.withUnsafeBytes { all in
        let views = places.enumerated().map { index, place in
          RecordView(
            value: UnsafeRawBufferPointer(rebasing: all[place]), offset: Int64(first + index),
            timestampMilliseconds: TestStream.start)
        }
        try views.withUnsafeBufferPointer(body)
      }
    }
  }

  private struct Totals: Equatable {
    var counters = RangeCounters()
    var rows: [[UInt8]: Int128] = [:]
    var conflicts = 0

    mutating func add(_ range: FrozenRange) {
      counters.add(range.counters)
      for row in range.rows { rows[row.customer, default: 0] += row.quantity.units }
    }
  }

  @Test func littleMemoryDecidesAsMuchMemory() throws {
    let clock = ContinuousClock()
    var began = clock.now
    var wide = Totals()
    var straight = PartitionCounter(
      rules: TestStream.rules, partition: 0, fingerprintKey: TestStream.key, start: counterStart(), memoryLimit: .max)
    forEachBatch { views in
      #expect(straight.count(views) { _, _, _ in wide.conflicts += 1 }.consumed == views.count)
      _ = straight.takeCommit()
    }
    wide.add(straight.beginRange(at: Int64(Self.keys)))
    print("in memory: \(clock.now - began), \(straight.dedupMemoryBytes >> 20) MiB, \(straight.dedupKeys) keys")
    began = clock.now
    let folder = try TemporaryFolder()
    let store = try PartitionStore(folder: folder.path)
    var narrow = Totals()
    var restored = try store.counter(memoryLimit: 64 << 20)
    var sealing = Duration.zero
    try forEachBatch { views in
      var at = 0
      while at < views.count {
        let rest = UnsafeBufferPointer(rebasing: views[at...])
        let outcome = restored.counter.count(rest) { _, _, _ in narrow.conflicts += 1 }
        at += outcome.consumed
        #expect(restored.counter.dedupActiveBytes <= 64 << 20)
        if outcome.stop == .batchEnd { continue }
        #expect(outcome.stop == .memoryFull)
        let start = clock.now
        let head = restored.counter.nextOffset
        let cut = restored.counter.beginRange(at: head)
        narrow.add(cut)
        try store.commit(restored.counter.takeCommit(), state: storeState(head: head, clock: cut.clockAtEnd))
        for segment in restored.counter.segmentsToSeal(head: head, early: true) {
          restored.counter.install(try store.seal(segment))
        }
        sealing += clock.now - start
      }
    }
    narrow.add(restored.counter.beginRange(at: Int64(Self.keys)))
    let lookups = restored.counter.sealedLookups
    print(
      "64 MiB: \(clock.now - began), of which cut, commit and seal \(sealing); \(store.segments.count) segments,",
      "\(restored.counter.dedupMemoryBytes >> 20) MiB with filters, \(lookups.total) look-ups, \(lookups.missed) missed"
    )
    #expect(narrow == wide)
    #expect(wide.counters.duplicate > 100_000 && wide.conflicts > 100_000)
  }
}
