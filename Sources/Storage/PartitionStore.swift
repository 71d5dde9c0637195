internal import LMDB
public import Metering
internal import Synchronization

/// The local state of one partition in a folder of its own: the journal, and the sealed segments of the dedup window.
/// A cache of the log, never the truth: it makes a restart fast.
///
/// Threads: every call may come on any queue; a lock makes them follow one another (a segment is written outside of it).
/// Each call that writes is durable on return. After a failed write or sync the store takes no more writes: what a disk
/// holds after a failed sync is not known, and trying again would not tell.
public final class PartitionStore: Sendable {
  /// The folder.
  public let path: String
  let folder: Folder
  let faults: FaultPoints
  let contents: Mutex<StoreContents>

  /// Takes the folder (it is made where it is missing) and reads what is there.
  ///
  /// - Parameters:
  ///   - path: the partition's folder, on a local disk.
  ///   - discarding: throw away what is there, unread: after ``StorageError/corrupt(path:what:)``, or where the caller
  ///     knows that it is of no use.
  ///   - faults: the faults in force.
  /// - Throws: ``StorageError``; `corrupt` says that it must be opened anew with `discarding`, and rebuilt.
  public init(folder path: String, discarding: Bool = false, faults: FaultPoints = .shared) throws(StorageError) {
    self.path = path
    self.faults = faults
    let folder = try Folder(path: path)
    self.folder = folder
    if discarding { try Self.removeAll(in: folder) }
    let contents = try StoreContents(folder: folder)
    self.contents = Mutex(contents)
  }

  private static func removeAll(in folder: Folder) throws(StorageError) {
    for name in try folder.files() where name.hasSuffix(".mdb") { try folder.remove(name) }
    try folder.sync()
  }

  /// Throws away everything, and begins empty. Counters made from this store must be gone.
  public func wipe() throws(StorageError) {
    try contents.withLock { contents throws(StorageError) in
      contents.close()
      try Self.removeAll(in: folder)
      contents = try StoreContents(folder: folder)
    }
  }

  // MARK: What is there

  /// What local state says of the log; `nil` where nothing was committed.
  public var state: StoreState? { contents.withLock { $0.state } }
  /// The offset at which the journal ends; `nil` where it is empty.
  public var nextOffset: Int64? { contents.withLock { $0.chunks.last?.outline.to } }
  /// The sealed segments.
  public var segments: [SegmentDescription] { contents.withLock { $0.segments.map(\.description) } }

  package var openSegments: [SegmentFile] { contents.withLock { $0.segments } }

  /// Bytes on disk, for metrics: the journal's, and the segments'.
  public var diskBytes: (journal: Int, segments: Int) {
    contents.withLock { contents in
      (contents.environment?.usedBytes ?? 0, contents.segments.reduce(0) { $0 + $1.description.fileBytes })
    }
  }

  /// Makes a counter that goes on where the journal ends.
  ///
  /// - Parameters:
  ///   - rules: the configuration; its buckets must be those of the state.
  ///   - partition: the input partition.
  ///   - fingerprintKey: GENESIS's key.
  ///   - start: where it begins if the journal is empty; its cap counts in any case.
  ///   - memoryLimit: the partition's share of `dedup.max_memory`, in bytes.
  ///   - rowLimit: `flush.max_rows`.
  /// - Returns: the counter, and the ranges that were frozen, but are not below the head: their cuts are to be made
  ///   again, in this order, before the open range's.
  public func makeCounter(
    rules: CountingRules, partition: Int32, fingerprintKey: FingerprintKey, start: CounterStart, memoryLimit: Int,
    rowLimit: Int = 200_000
  ) throws(StorageError) -> RestoredCounter {
    try contents.withLock { contents throws(StorageError) in
      if let state = contents.state, state.bucketMilliseconds != rules.bucketMilliseconds {
        throw .corrupt(path: path, what: "its dedup buckets are those of another dedup.window")
      }
      let first = try contents.firstChunk(path: path)
      var counter = PartitionCounter(
        rules: rules, partition: partition, fingerprintKey: fingerprintKey,
        start: CounterStart(
          nextOffset: first?.from ?? start.nextOffset,
          clockMilliseconds: first?.clockAtStart ?? start.clockMilliseconds,
          capMilliseconds: start.capMilliseconds),
        sealed: contents.segments, memoryLimit: memoryLimit, rowLimit: rowLimit)
      var frozen: [FrozenRange] = []
      let head = contents.state?.headOffset ?? .min
      try contents.forEachChunk(path: path) { chunk in
        if let range = try counter.restore(chunk, head: head) { frozen.append(range) }
      }
      return RestoredCounter(counter: counter, frozen: frozen)
    }
  }

  // MARK: Commit

  /// Appends chunks and replaces the state, in one durable transaction. Chunks that are of no more use are removed.
  public func commit(_ chunks: [JournalChunk], state: StoreState) throws(StorageError) {
    try contents.withLock { contents throws(StorageError) in
      try contents.checkUsable(path: path)
      var expected = contents.chunks.last?.outline.to
      for chunk in chunks {
        if let expected, chunk.from != expected { throw .discontinuous(expected: expected, found: chunk.from) }
        expected = chunk.to
      }
      try contents.change(path: path, chunks.reduce(0) { $0 + $1.byteCount }) { transaction, contents in
        try faults.check(.journalWrite)
        try contents.append(chunks, state: state, in: transaction)
        try faults.check(.journalSync)
      }
    }
  }

  /// Drops everything after the head that the state names, so that records from there on can be replayed under the cuts
  /// that others made of them. Counters made from this store must be gone.
  ///
  /// - Returns: where the journal ends now: at the head, or before it; `nil` where nothing is left.
  public func cutBack() throws(StorageError) -> Int64? {
    try contents.withLock { contents throws(StorageError) in
      try contents.checkUsable(path: path)
      try contents.change(path: path, 0) { transaction, contents in
        try contents.cutBack(in: transaction)
      }
      return contents.chunks.last?.outline.to
    }
  }
}

/// A counter made from local state.
public struct RestoredCounter: ~Copyable {
  /// The counter, ready to go on at its `nextOffset`.
  public var counter: PartitionCounter
  /// Frozen ranges that are not below the head, in order.
  public let frozen: [FrozenRange]

  init(counter: consuming PartitionCounter, frozen: [FrozenRange]) {
    self.counter = counter
    self.frozen = frozen
  }
}
