/// Why one partition stopped, as operators see it. The others go on; nothing is lost, nothing is guessed.
///
/// A stop has a stable code, the offset it speaks of, and a way out: a command that a person runs, or a cause that a
/// person removes before the restart.
public struct StopReason: Hashable, Sendable {
  /// The stable codes.
  public enum Code: String, CaseIterable, Sendable {
    /// A committed offset or local state names a GENESIS that the ledger does not have.
    case ledgerLost = "ledger_lost"
    /// The ledger is shorter than local state has seen, or says something else at the same place.
    case ledgerChanged = "ledger_changed"
    /// A ledger record that this version cannot read, or whose content contradicts itself.
    case ledgerUnreadable = "ledger_unreadable"
    /// A sink starts at, or goes on at, a cut whose rows were deleted from the ledger after `ledger.keep`.
    case rowsDeleted = "rows_deleted"
    /// The usage topic begins beyond the head: records were deleted before they were counted.
    case logStartsBeyondHead = "log_starts_beyond_head"
    /// The usage topic ends before the head: it was re-created or truncated.
    case logEndsBeforeHead = "log_ends_before_head"
    /// The last record below the head is not the one that was counted: the topic was re-created.
    case topicRecreated = "topic_recreated"
    /// The number of partitions is not GENESIS's.
    case partitionCountChanged = "partition_count_changed"
    /// Cluster or topic are not GENESIS's.
    case otherTopic = "other_topic"
    /// What is counted or billed changed, and `version` was not raised.
    case configurationWithoutVersion = "configuration_without_version"
    /// A sink with unclaimed or unsettled work is no longer configured and was not marked retired.
    case sinkVanished = "sink_vanished"
    /// The usage topic no longer holds the whole dedup window.
    case windowNotRetained = "window_not_retained"
    /// A second reader found a record where the first one had a hole.
    case recordInHole = "record_in_hole"
    /// A total does not fit in 128 bits.
    case overflow = "overflow"
    /// The local folder cannot be written, or what it holds cannot be trusted.
    case storageFailed = "storage_failed"
    /// The broker refuses to append to the ledger or quarantine topic.
    case appendRefused = "append_refused"
    /// The broker no longer lets the usage or ledger topic be read.
    case readRefused = "read_refused"
  }

  public var code: Code
  /// The offset that the stop speaks of: in the ledger for `ledger_*` and `rows_deleted` (there, the SEAL of the last cut
  /// whose rows are gone), in the usage topic otherwise. A RESOLVE must
  /// name it.
  public var offset: Int64
  /// What was found, in words, with the names of settings where one is to blame.
  public var detail: String

  public init(_ code: Code, offset: Int64, detail: String) {
    self.code = code
    self.offset = offset
    self.detail = detail
  }

  /// Whether a person's RESOLVE lets the partition go on; otherwise the cause has to be removed, then `run` restarted.
  public var isResolvable: Bool {
    switch code {
    case .logStartsBeyondHead, .windowNotRetained, .recordInHole, .ledgerLost, .ledgerChanged, .rowsDeleted,
      .sinkVanished, .configurationWithoutVersion, .topicRecreated, .logEndsBeforeHead, .partitionCountChanged,
      .otherTopic:
      true
    case .ledgerUnreadable, .overflow, .storageFailed, .appendRefused, .readRefused: false
    }
  }

  /// What a RESOLVE of this stop means, for the person who is asked.
  public var consequence: String {
    switch code {
    case .logStartsBeyondHead:
      "the records between the head and the start of the log are accepted as lost; counting goes on at the log's start"
    case .windowNotRetained:
      "duplicates of records that are no longer retained will be counted again"
    case .recordInHole:
      "the record at that offset is accepted as not counted"
    case .ledgerLost:
      "a new ledger begins at kafka.start: whatever the lost ledger had billed and the topic still holds is billed "
        + "again under new keys"
    case .ledgerChanged:
      "the local folder is thrown away and rebuilt from the ledger and the usage topic as they are now"
    case .rowsDeleted:
      "the sink skips the cuts up to the last one whose rows are deleted: they are never billed there; it goes on at the "
        + "next cut"
    case .sinkVanished:
      "what the sink has not billed stays unbilled until a sink of that name returns"
    case .configurationWithoutVersion:
      "the changed configuration counts from the head on, as if its version had been raised"
    case .topicRecreated, .logEndsBeforeHead, .partitionCountChanged, .otherTopic:
      "this group counts nothing more of the topic as it is now; what it has counted is still billed. Give the topic a "
        + "kafka.group of its own for what is to be counted"
    case .ledgerUnreadable, .overflow, .storageFailed, .appendRefused, .readRefused:
      "nothing: remove the cause and start again"
    }
  }

  /// The way out, as a line to run or a thing to do.
  ///
  /// - Parameter configuration: the path of the configuration file, as the line names it.
  public func remedy(partition: Int32, configuration: String = "FILE") -> String {
    if isResolvable {
      let path = Self.quoted(configuration)
      return "meterd ledger resolve \(partition) --reason \(code.rawValue) --why TEXT --config \(path)"
    }
    switch code {
    case .ledgerUnreadable: return "run the version of meterd that wrote the record, or a newer one that reads it"
    case .overflow: return "look at the quantities that the producers send; the total is beyond 128 bits"
    case .storageFailed: return "free space or repair the disk under storage.path, then restart meterd"
    case .appendRefused: return "put right what the broker names (rights, or a topic's max.message.bytes), then restart"
    case .readRefused: return "give meterd's user the right to read the topic, then restart"
    default: return "restart meterd"
    }
  }

  /// As a shell takes it for one word.
  private static func quoted(_ path: String) -> String {
    let plain = path.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "-"):
        true
      default: false
      }
    }
    if plain { return path }
    return "'" + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
