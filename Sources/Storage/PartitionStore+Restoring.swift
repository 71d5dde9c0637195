public import Metering
internal import Synchronization

extension PartitionStore {
  /// The sealed segments, as a counter looks them up.
  public var sealedSegments: [any SealedSegment] { contents.withLock { $0.segments } }

  /// Hands over the journal's chunks, in order; each is valid only during the call.
  ///
  /// - Throws: ``StorageError``, also for what `body` throws (damage is `corrupt`).
  public func forEachChunk(_ body: (JournalChunkView) throws -> Void) throws(StorageError) {
    try contents.withLock { contents throws(StorageError) in
      try contents.forEachChunk(path: path, body)
    }
  }
}
