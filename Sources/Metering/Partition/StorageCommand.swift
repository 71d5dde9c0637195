/// What local state has to do. It is a cache of the log: its cadence is no promise, its order is.
public enum StorageCommand: Sendable {
  /// Make these chunks durable, with what the state then says of itself. Answered by ``PartitionInput/committed``.
  case commit([JournalChunk], LocalSummary)
  /// Write this segment's entries to a file of its own. Answered by ``PartitionMachine/sealed(_:now:)``.
  case seal(SegmentToSeal)
  /// Buckets below this one have left the window.
  case expire(below: Int64)
}
