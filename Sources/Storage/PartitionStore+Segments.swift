internal import LMDB
public import Metering
internal import Synchronization

extension PartitionStore {
  /// Writes a segment to a file of its own, durably, and enters it in the manifest. The worker installs what it returns
  /// (``PartitionCounter/install(_:)``); until then, and if it fails, the counter still has the table in memory.
  ///
  /// The writing may take a second or more; commits go on meanwhile.
  ///
  /// - Throws: ``StorageError/beyondDurableHead(throughOffset:durableOffset:)`` where the journal on disk, or the head
  ///   that it names, is not that far: nothing beyond the head is ever sealed.
  public func seal(_ segment: SegmentToSeal) throws(StorageError) -> SegmentFile {
    try contents.withLock { contents throws(StorageError) in
      try contents.checkUsable(path: path)
      let durable = min(contents.chunks.last?.outline.to ?? .min, contents.state?.headOffset ?? .min)
      guard segment.throughOffset <= durable else {
        throw .beyondDurableHead(throughOffset: segment.throughOffset, durableOffset: durable)
      }
    }
    let description = try write(segment)
    let file = try SegmentFile(description, in: folder)
    try contents.withLock { contents throws(StorageError) in
      try contents.checkUsable(path: path)
      try contents.change(path: path, 1 << 16) { transaction, contents in
        try contents.add(file, in: transaction)
        try faults.check(.manifestSync)
      }
    }
    return file
  }

  private func write(_ segment: SegmentToSeal) throws(StorageError) -> SegmentDescription {
    let name = SegmentDescription(
      identifier: segment.identifier, bucket: segment.bucket, throughOffset: segment.throughOffset,
      count: segment.count, fileBytes: 0
    ).fileName
    // What an earlier attempt left, if any, is rubbish.
    try folder.remove(name)
    do {
      try SegmentWriter.write(segment, path: path + "/" + name, faults: faults)
    } catch {
      // The file is in no manifest; the next opening removes it if this cannot.
      try? folder.remove(name)
      throw .of(error, path: path + "/" + name)
    }
    try folder.sync()
    guard let size = folder.size(of: name) else {
      throw .corrupt(path: path + "/" + name, what: "the file that was just written is missing")
    }
    return SegmentDescription(
      identifier: segment.identifier, bucket: segment.bucket, throughOffset: segment.throughOffset,
      count: segment.count, fileBytes: size)
  }

  /// Removes the segments of buckets before `bucket`: an unlink each, since an LMDB file never shrinks. A counter that
  /// still looks one up keeps it until it lets go.
  ///
  /// - Parameter bucket: ``PartitionCounter/earliestBucketNeeded(headClockMilliseconds:)`` of the head that the state
  ///   names: a cut-back to it must still find its whole window.
  public func expire(before bucket: Int64) throws(StorageError) {
    try contents.withLock { contents throws(StorageError) in
      try contents.checkUsable(path: path)
      var expired: [SegmentDescription] = []
      try contents.change(path: path, 1 << 16) { transaction, contents in
        expired = try contents.expire(before: bucket, in: transaction)
        try faults.check(.manifestSync)
      }
      // Only after the manifest has forgotten them: a crash here leaves rubbish, not a hole.
      for description in expired { try folder.remove(description.fileName) }
    }
  }
}
