// What happens to a partition beside what every part of the daemon shares.

extension LogEvent {
  /// The worker begins again from what is durable.
  static func partitionStartsOver(partition: Int32, why: String) -> LogEvent {
    LogEvent(
      "partition.starts_over", .warning, "the partition begins again from its ledger: \(why)",
      [("partition", .integer(Int64(partition)))])
  }

  /// Something that is needed to open a partition is not there yet; it is tried again.
  static func partitionWaits(partition: Int32, why: String) -> LogEvent {
    LogEvent(
      "partition.waits", .warning, "the partition cannot be opened yet: \(why)",
      [("partition", .integer(Int64(partition)))])
  }

  /// The local folder could not be used and is rebuilt from Kafka.
  static func storageDiscarded(partition: Int32, why: String) -> LogEvent {
    LogEvent(
      "storage.discarded", .warning, "the local state is thrown away, and rebuilt from Kafka: \(why)",
      [("partition", .integer(Int64(partition)))])
  }

  /// A record timestamp from the future is judged as if it were at the cap.
  static func timestampsCapped(partition: Int32, offset: Int64, timestamp: Int64, cap: Int64) -> LogEvent {
    LogEvent(
      "partition.timestamps_capped", .warning, "a record timestamp is more than an hour ahead of the ledger's time",
      [
        ("partition", .integer(Int64(partition))), ("offset", .integer(offset)),
        ("timestamp", .string(Timestamp.rfc3339(milliseconds: timestamp))),
        ("cap", .string(Timestamp.rfc3339(milliseconds: cap))),
      ])
  }

  /// A snapshot of the ledger's state was read back.
  static func snapshotSealed(partition: Int32, through: Int64) -> LogEvent {
    LogEvent(
      "ledger.snapshot_sealed", .debug, "snapshot read back",
      [("partition", .integer(Int64(partition))), ("through", .integer(through))])
  }

  /// A ledger record that counts for nothing.
  static func ledgerRecordIgnored(partition: Int32, offset: Int64, why: String) -> LogEvent {
    LogEvent(
      "ledger.record_ignored", .debug, "a ledger record counts for nothing: \(why)",
      [("partition", .integer(Int64(partition))), ("ledger_offset", .integer(offset))])
  }

  /// Deleting old ledger records failed; they stay, which costs space only.
  static func ledgerNotDeleted(partition: Int32, below: Int64, why: String) -> LogEvent {
    LogEvent(
      "ledger.not_deleted", .warning, "old ledger records could not be deleted: \(why)",
      [("partition", .integer(Int64(partition))), ("below", .integer(below))])
  }
}
