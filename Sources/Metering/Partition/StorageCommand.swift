/// What local state has to do. It is a cache of the log: its cadence is no promise, its order is.
public enum StorageCommand: Sendable {
  /// Make this chunk durable.
  case commit(JournalChunk)
  /// The cut up to `head` was read back: the ledger's head is this record, and open rows below it are no longer needed.
  case rangeSealed(head: Int64, recordOffset: Int64)
  /// Write this bucket's entries as a sealed segment.
  case seal(SealJob)
  /// Buckets below this one have left the window.
  case expire(below: Int64)

  public enum Kind: Hashable, Sendable { case commit, rangeSealed, seal, expire }
}
