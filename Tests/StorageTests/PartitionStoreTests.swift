import Foundation
import LMDB
import Metering
import Storage
import Testing

@Suite struct PartitionStoreTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func store(discarding: Bool = false, faults: FaultPoints = FaultPoints()) throws -> PartitionStore {
    try PartitionStore(folder: folder.path, discarding: discarding, faults: faults)
  }

  @Test func aNewFolderIsEmpty() throws {
    let store = try store()
    #expect(store.state == nil && store.nextOffset == nil && store.segments.isEmpty)
    let restored = try store.counter(counterStart(42))
    #expect(restored.counter.nextOffset == 42 && restored.frozen.isEmpty)
  }

  @Test func theFolderIsLockedUntilItsStoreIsGone() throws {
    do {
      let store = try store()
      #expect(throws: StorageError.inUse(path: folder.path)) { try self.store() }
      #expect(store.path == folder.path)
    }
    _ = try store()
  }

  @Test func whatIsCommittedIsThereAfterOpeningAgain() throws {
    let stream = TestStream(seed: 1, count: 4000, keys: 3000, buckets: 3)
    let expected: FrozenRange
    do {
      let store = try store()
      var restored = try store.counter()
      for end in [1000, 1800, 2500] {
        #expect(stream.count(&restored.counter, to: end).stop == .batchEnd)
        try store.commit(restored.counter.takeCommit(), state: storeState(head: 0))
      }
      expected = restored.counter.beginRange(at: 2500)
      // What was not committed is lost with the process.
      #expect(stream.count(&restored.counter, to: 3000).stop == .batchEnd)
    }
    let store = try store()
    #expect(store.state == storeState(head: 0))
    #expect(store.nextOffset == 2500)
    var restored = try store.counter()
    #expect(restored.counter.nextOffset == 2500)
    #expect(restored.counter.beginRange(at: 2500) == expected)
  }

  @Test func frozenRangesComeBackUntilTheirHeadIsReadBack() throws {
    let stream = TestStream(seed: 2, count: 900, keys: 500, buckets: 1)
    var frozen: [FrozenRange] = []
    do {
      let store = try store()
      var restored = try store.counter()
      for end in [300, 600] {
        _ = stream.count(&restored.counter, to: end)
        frozen.append(restored.counter.beginRange(at: Int64(end)))
      }
      _ = stream.count(&restored.counter, to: 900)
      try store.commit(restored.counter.takeCommit(), state: storeState(head: 0))
    }
    do {
      let store = try store()
      let restored = try store.counter()
      #expect(restored.frozen == frozen)
      #expect(restored.counter.rangeFrom == 600 && restored.counter.nextOffset == 900)
      try store.commit([], state: storeState(head: 300))
    }
    let restored = try store().counter()
    #expect(restored.frozen == [frozen[1]])
  }

  @Test func cutBackGoesToTheHeadOfTheState() throws {
    let stream = TestStream(seed: 3, count: 900, keys: 500, buckets: 3)
    let straight: FrozenRange
    do {
      let store = try store()
      var restored = try store.counter()
      for end in [150, 300] {
        _ = stream.count(&restored.counter, to: end)
        try store.commit(restored.counter.takeCommit(), state: storeState(head: 0))
      }
      let cut = restored.counter.beginRange(at: 300)
      _ = stream.count(&restored.counter, to: 500)
      try store.commit(
        restored.counter.takeCommit(), state: storeState(head: 300, clock: cut.clockAtEnd))
      _ = stream.count(&restored.counter, to: 700)
      _ = restored.counter.beginRange(at: 700)
      _ = stream.count(&restored.counter, to: 900)
      straight = restored.counter.beginRange(at: 900)
    }
    let store = try store()
    #expect(store.nextOffset == 500)
    #expect(try store.cutBack() == 300)
    var restored = try store.counter()
    #expect(restored.counter.nextOffset == 300 && restored.counter.openRows == 0)
    #expect(stream.count(&restored.counter, to: 700, mode: .sightingsOnly).stop == .batchEnd)
    restored.counter.restartRange(at: 700)
    _ = stream.count(&restored.counter, to: 900)
    #expect(restored.counter.beginRange(at: 900) == straight)
  }

  @Test func aGapBetweenChunksIsRefused() throws {
    let stream = TestStream(seed: 4, count: 300, keys: 100, buckets: 1)
    let store = try store()
    var restored = try store.counter()
    _ = stream.count(&restored.counter, to: 100)
    try store.commit(restored.counter.takeCommit(), state: storeState(head: 0))
    _ = stream.count(&restored.counter, to: 200)
    _ = restored.counter.takeCommit()
    _ = stream.count(&restored.counter, to: 300)
    let late = restored.counter.takeCommit()
    #expect(throws: StorageError.discontinuous(expected: 100, found: 200)) {
      try store.commit(late, state: storeState(head: 0))
    }
  }

  @Test func anotherWindowNeedsARebuild() throws {
    let stream = TestStream(seed: 4, count: 300, keys: 100, buckets: 1)
    let store = try store()
    var restored = try store.counter()
    _ = stream.count(&restored.counter, to: 100)
    try store.commit(restored.counter.takeCommit(), state: storeState(head: 0))
    var rules = TestStream.rules
    rules.windowMilliseconds *= 2
    let error = #expect(throws: StorageError.self) {
      _ = try store.makeCounter(
        rules: rules, partition: 0, fingerprintKey: TestStream.key, start: counterStart(), memoryLimit: .max)
    }
    #expect(error?.needsRebuild == true)
    try store.wipe()
    #expect(store.state == nil && store.nextOffset == nil)
  }

  // MARK: Damage

  @Test func adamagedJournalIsFoundAndCanBeDiscarded() throws {
    let stream = TestStream(seed: 5, count: 6000, keys: 6000, buckets: 1)
    do {
      let store = try store()
      var restored = try store.counter()
      _ = stream.count(&restored.counter, to: 6000)
      try store.commit(restored.counter.takeCommit(), state: storeState(head: 0))
    }
    // In the middle of the chunk, which is by far the largest thing in the file.
    let size = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/journal.mdb")).count
    try folder.flip("journal.mdb", at: size / 2)
    let error = #expect(throws: StorageError.self) { _ = try store().counter() }
    #expect(error?.needsRebuild == true)
    let fresh = try store(discarding: true)
    #expect(fresh.nextOffset == nil)
  }

  @Test func rubbishInsteadOfAJournalIsCorrupt() throws {
    _ = try store()
    try Data(repeating: 9, count: 32_768).write(to: URL(fileURLWithPath: folder.path + "/journal.mdb"))
    let error = #expect(throws: StorageError.self) { try store() }
    #expect(error?.needsRebuild == true)
  }

  // MARK: Faults

  @Test(arguments: [FaultPoint.journalWrite, .journalSync])
  func afterAFailedCommitTheStoreTakesNoMore(point: FaultPoint) throws {
    let stream = TestStream(seed: 6, count: 300, keys: 100, buckets: 1)
    let faults = FaultPoints()
    do {
      let store = try store(faults: faults)
      var restored = try store.counter()
      _ = stream.count(&restored.counter, to: 100)
      try store.commit(restored.counter.takeCommit(), state: storeState(head: 0))
      _ = stream.count(&restored.counter, to: 200)
      let chunks = restored.counter.takeCommit()
      faults.set { $0 == point ? .inputOutput : nil }
      #expect(
        throws: StorageError.system(
          path: folder.path, operation: "fault point \(point.rawValue)", code: .inputOutput)
      ) { try store.commit(chunks, state: storeState(head: 0)) }
      faults.set(nil)
      let again = #expect(throws: StorageError.self) { try store.commit(chunks, state: storeState(head: 0)) }
      guard case .failedBefore = again else {
        Issue.record("the store went on: \(String(describing: again))")
        return
      }
      #expect(store.nextOffset == 100)
    }
    #expect(try store().nextOffset == 100)
  }

  @Test func aFullDiskIsTyped() throws {
    let stream = TestStream(seed: 7, count: 100, keys: 100, buckets: 1)
    let faults = FaultPoints()
    let store = try store(faults: faults)
    var restored = try store.counter()
    _ = stream.count(&restored.counter, to: 100)
    faults.set { $0 == .journalSync ? .noSpace : nil }
    #expect(throws: StorageError.diskFull(path: folder.path, operation: "fault point journalSync")) {
      try store.commit(restored.counter.takeCommit(), state: storeState(head: 0))
    }
  }

  @Test func aPlanOfFaultsBeginsAtItsNumber() throws {
    let faults = FaultPoints()
    for wrong in ["", "journalSync", "journalSync:ENOSPC", "journalSync:ENOSPC:0", "journal:EIO:1", "journalSync:EX:1"]
    {
      #expect(!faults.set(plan: wrong))
    }
    #expect(faults.set(plan: "journalSync:EROFS:2"))
    let stream = TestStream(seed: 9, count: 100, keys: 100, buckets: 1)
    let store = try store(faults: faults)
    var restored = try store.counter()
    _ = stream.count(&restored.counter, to: 50)
    try store.commit(restored.counter.takeCommit(), state: storeState(head: 0))
    _ = stream.count(&restored.counter, to: 100)
    #expect(throws: StorageError.readOnly(path: folder.path, operation: "fault point journalSync")) {
      try store.commit(restored.counter.takeCommit(), state: storeState(head: 0))
    }
  }

  @Test func aLookFromOutsideSeesTheStateAndChangesNothing() throws {
    #expect(try PartitionStore.look(into: folder.path + "/none") == nil)
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/none"))
    do {
      let store = try store()
      try store.commit([], state: storeState(head: 5))
      #expect(throws: StorageError.inUse(path: folder.path)) { try PartitionStore.look(into: folder.path) }
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    #expect(try PartitionStore.look(into: folder.path) == storeState(head: 5))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == files)
    #expect(try store().state == storeState(head: 5))
    // Damage is said, as a store says it.
    let journal = folder.path + "/journal.mdb"
    try Data(repeating: 7, count: 8_192).write(to: URL(filePath: journal))
    #expect(throws: StorageError.self) { try PartitionStore.look(into: folder.path) }
  }

  @Test func theJournalGrowsBeyondItsFirstMap() throws {
    let stream = TestStream(seed: 8, count: 60_000, keys: 1 << 40, buckets: 1)
    var sightings = 0
    do {
      let store = try store()
      var restored = try store.counter()
      for end in stride(from: 10_000, through: 60_000, by: 10_000) {
        _ = stream.count(&restored.counter, to: end)
        let chunks = restored.counter.takeCommit()
        sightings += chunks.reduce(0) { $0 + $1.sightings }
        try store.commit(chunks, state: storeState(head: 0))
      }
      #expect(store.diskBytes.journal > sightings * 16 && sightings * 16 > 900_000)
      #expect(sightings == restored.counter.dedupKeys)
    }
    #expect(try store().counter().counter.dedupKeys == sightings)
  }
}
