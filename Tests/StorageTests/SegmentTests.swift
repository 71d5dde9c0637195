import Foundation
import LMDB
import Metering
import Storage
import Testing

@Suite struct SegmentTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func store(faults: FaultPoints = FaultPoints()) throws -> PartitionStore {
    try PartitionStore(folder: folder.path, faults: faults)
  }

  /// Counts a stream of four buckets, with a cut at its end that is read back, and returns store and counter.
  private func counted(
    _ stream: TestStream, _ count: Int, faults: FaultPoints = FaultPoints()
  ) throws -> (PartitionStore, FrozenRange, [SegmentToSeal]) {
    let store = try store(faults: faults)
    var restored = try store.counter()
    #expect(stream.count(&restored.counter, to: count).stop == .batchEnd)
    let cut = restored.counter.beginRange(at: Int64(count))
    try store.commit(
      restored.counter.takeCommit(), state: storeState(head: Int64(count), clock: cut.clockAtEnd))
    return (store, cut, restored.counter.segmentsToSeal(head: Int64(count), early: true))
  }

  @Test func aSealedSegmentHoldsExactlyItsEntries() throws {
    let stream = TestStream(seed: 1, count: 30_000, keys: 60_000, buckets: 2)
    let (store, _, segments) = try counted(stream, 30_000)
    #expect(segments.count >= 2 && segments.contains { $0.count > 8000 })
    for segment in segments {
      let sealed = try store.seal(segment)
      #expect(sealed.count == segment.count)
      segment.forEachSorted { entry in
        guard case .present(entry.check) = sealed.look(up: entry.fingerprint) else {
          Issue.record("\(entry) is missing")
          return
        }
        #expect(sealed.filter.mayContain(entry.fingerprint))
        let other = Fingerprint(first: entry.fingerprint.head ^ 1, second: UInt64(entry.fingerprint.tail))
        if case .absent = sealed.look(up: other) { return }
        Issue.record("\(other) was never there")
      }
      for edge in [Fingerprint(first: 0, second: 0), Fingerprint(first: .max, second: .max)] {
        guard case .absent = sealed.look(up: edge) else {
          Issue.record("\(edge) was never there")
          return
        }
      }
    }
    #expect(store.segments.map(\.count) == segments.map(\.count))
    #expect(store.diskBytes.segments >= segments.reduce(0) { $0 + $1.count } * 16)
  }

  @Test func sealedChunksLeaveTheJournalAndDecisionsStay() throws {
    let stream = TestStream(seed: 2, count: 4000, keys: 2500, buckets: 4)
    var straight = PartitionCounter(
      rules: TestStream.rules, partition: 0, fingerprintKey: TestStream.key, start: counterStart(), memoryLimit: .max)
    _ = stream.count(&straight, to: 3000)
    _ = straight.beginRange(at: 3000)
    _ = stream.count(&straight, to: 4000)
    let expected = straight.beginRange(at: 4000)
    do {
      let store = try store()
      var restored = try store.counter()
      for end in stride(from: 500, through: 3000, by: 500) {
        _ = stream.count(&restored.counter, to: end)
        try store.commit(restored.counter.takeCommit(), state: storeState(head: 0))
      }
      _ = restored.counter.beginRange(at: 3000)
      try store.commit([], state: storeState(head: 3000))
      for segment in restored.counter.segmentsToSeal(head: 3000) {
        restored.counter.install(try store.seal(segment))
      }
      _ = stream.count(&restored.counter, to: 4000)
      #expect(restored.counter.beginRange(at: 4000) == expected)
      #expect(restored.counter.sealedLookups.total > 0)
    }
    let store = try store()
    #expect(store.segments.count >= 2)
    var restored = try store.counter()
    #expect(restored.counter.nextOffset == 3000)
    _ = stream.count(&restored.counter, to: 4000)
    #expect(restored.counter.beginRange(at: 4000) == expected)
    #expect(restored.counter.totals.duplicate > 0)
  }

  @Test func littleMemoryDecidesAsMuchMemory() throws {
    let stream = TestStream(seed: 3, count: 30_000, keys: 25_000, buckets: 3)
    var straight = PartitionCounter(
      rules: TestStream.rules, partition: 0, fingerprintKey: TestStream.key, start: counterStart(), memoryLimit: .max)
    _ = stream.count(&straight, to: 30_000)
    let expected = straight.beginRange(at: 30_000)
    let store = try store()
    var restored = try store.counter(memoryLimit: 1)
    var rows: RangeCounters = .init()
    var stops = 0
    while restored.counter.nextOffset < 30_000 {
      let outcome = stream.count(&restored.counter, to: 30_000)
      if outcome.stop == .batchEnd { break }
      #expect(outcome.stop == .memoryFull)
      stops += 1
      let head = restored.counter.nextOffset
      let cut = restored.counter.beginRange(at: head)
      rows.add(cut.counters)
      try store.commit(
        restored.counter.takeCommit(), state: storeState(head: head, clock: cut.clockAtEnd))
      for segment in restored.counter.segmentsToSeal(head: head, early: true) {
        restored.counter.install(try store.seal(segment))
      }
    }
    rows.add(restored.counter.beginRange(at: 30_000).counters)
    #expect(rows == expected.counters && stops > 3)
  }

  @Test func nothingBeyondTheDurableHeadIsSealed() throws {
    let stream = TestStream(seed: 4, count: 1000, keys: 900, buckets: 2)
    let store = try store()
    var restored = try store.counter()
    _ = stream.count(&restored.counter, to: 1000)
    _ = restored.counter.beginRange(at: 1000)
    try store.commit(restored.counter.takeCommit(), state: storeState(head: 0))
    let segment = try #require(restored.counter.segmentsToSeal(head: 1000).first)
    #expect(throws: StorageError.beyondDurableHead(throughOffset: 1000, durableOffset: 0)) {
      try store.seal(segment)
    }
    #expect(folder.segmentFiles.isEmpty)
    try store.commit([], state: storeState(head: 1000))
    _ = try store.seal(segment)
    #expect(folder.segmentFiles.count == 1)
  }

  @Test func expiryUnlinksAndTheManifestForgets() throws {
    let stream = TestStream(seed: 5, count: 2000, keys: 1900, buckets: 3)
    let (store, _, segments) = try counted(stream, 2000)
    for segment in segments { _ = try store.seal(segment) }
    let last = try #require(segments.map(\.bucket).max())
    try store.expire(before: last)
    #expect(store.segments.map(\.bucket).allSatisfy { $0 == last } && !store.segments.isEmpty)
    #expect(folder.segmentFiles.count == store.segments.count)
  }

  @Test func aFileWithoutAnEntryIsRemoved() throws {
    _ = try store()
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: folder.path + "/segment-1-1.mdb"))
    _ = try store()
    #expect(folder.segmentFiles.isEmpty)
  }

  @Test func aMissingTruncatedOrForeignSegmentIsCorrupt() throws {
    let stream = TestStream(seed: 6, count: 2000, keys: 1900, buckets: 3)
    do {
      let (store, _, segments) = try counted(stream, 2000)
      for segment in segments { _ = try store.seal(segment) }
    }
    let names = folder.segmentFiles
    let first = URL(fileURLWithPath: folder.path + "/" + names[0])
    let good = try Data(contentsOf: first)
    func expectCorrupt() {
      let error = #expect(throws: StorageError.self) { try store() }
      #expect(error?.needsRebuild == true)
    }
    try good.dropLast(4096).write(to: first)
    expectCorrupt()
    try FileManager.default.removeItem(at: first)
    expectCorrupt()
    var padded = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + names[1]))
    padded.count = good.count
    try padded.write(to: first)
    expectCorrupt()
    try good.write(to: first)
    _ = try store()
  }

  @Test func adamagedBlockIsUnreadableRatherThanWrong() throws {
    let stream = TestStream(seed: 7, count: 20_000, keys: 1 << 40, buckets: 1)
    var fingerprints: [DedupEntry] = []
    do {
      let (store, _, segments) = try counted(stream, 20_000)
      let segment = try #require(segments.first)
      segment.forEachSorted { fingerprints.append($0) }
      _ = try store.seal(segment)
    }
    // In the middle of the file lie blocks.
    let name = try #require(folder.segmentFiles.first)
    let size = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + name)).count
    try folder.flip(name, at: size / 2)
    let store = try store()
    let sealed = store.openSegments
    var unreadable = 0
    for entry in fingerprints {
      switch sealed[0].look(up: entry.fingerprint) {
      case .present(let check): #expect(check == entry.check)
      case .absent: Issue.record("\(entry) is missing")
      case .unreadable: unreadable += 1
      }
    }
    #expect(unreadable > 0 && sealed[0].failure?.needsRebuild == true)
  }

  @Test(arguments: [FaultPoint.segmentWrite, .segmentSync, .manifestSync])
  func aFailedSealLeavesNoSegment(point: FaultPoint) throws {
    let stream = TestStream(seed: 8, count: 2000, keys: 1900, buckets: 3)
    let faults = FaultPoints()
    do {
      let (store, _, segments) = try counted(stream, 2000, faults: faults)
      faults.set { $0 == point ? .noSpace : nil }
      let error = #expect(throws: StorageError.self) { try store.seal(segments[0]) }
      guard case .diskFull = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(store.segments.isEmpty)
      faults.set(nil)
    }
    let store = try store()
    #expect(store.segments.isEmpty && folder.segmentFiles.isEmpty)
    #expect(try store.counter().counter.nextOffset == 2000)
  }
}
