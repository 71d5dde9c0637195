internal import Daemon
internal import Kafka
internal import Metering
internal import Storage

/// What the ledger says of a run that has not begun.
enum LedgerCheck {
  /// One sentence for each partition that would stop at once.
  static func stops(settings: DaemonSettings, opened: OpenedTopics, usage: UsageTopic) throws -> [String] {
    let isThere = !opened.created.contains(settings.kafka.ledgerTopic)
    let log = try LedgerLog(topic: settings.kafka.ledgerTopic, properties: settings.kafka.clientProperties)
    defer { log.close() }
    let committed: [Int32: CommittedHint]
    do throws(KafkaError) {
      committed = try usage.committedHints(partitions: 0..<opened.usage.partitionCount)
    } catch {
      throw StartError(
        exitCode: error.isRetriable ? .unavailable : .configuration, code: "group_unreadable", setting: "kafka.group",
        what: "\(error)", remedy: "Check that meterd's user may read the group, and that the brokers are all up.")
    }
    var stops: [String] = []
    for partition in 0..<opened.usage.partitionCount {
      let local = Result { () throws(StorageError) in
        try LocalSummary.look(storagePath: settings.storagePath, partition: partition)
      }
      var folded = FoldedLedger(partition: partition)
      var found = Found(committed: committed[partition])
      switch local {
      case .success(let summary): found.local = summary
      // A running meterd has it, and says by itself why a partition stops.
      case .failure(.inUse): break
      case .failure(let error): found.storageFailure = error.description
      }
      if isThere {
        try log.scan(partition: partition) {
          _ = folded.take($0)
          found.compare(folded.fold)
        }
      }
      let marks = try usage.watermarks(partition: partition)
      if let stop = stop(folded, found, settings, opened, marks) {
        let remedy = stop.remedy(partition: partition, configuration: settings.configurationPath)
        stops.append("partition \(partition): \(stop.code.rawValue): \(stop.detail). The way out: \(remedy)")
      }
    }
    return stops
  }

  /// What names a ledger beside the ledger itself.
  private struct Found {
    var committed: CommittedHint?
    var local: LocalSummary?
    var storageFailure: String?
    /// Whether the ledger was another one when the folder was written.
    private(set) var localDiffers = false

    init(committed: CommittedHint?) { self.committed = committed }

    /// Holds the folder against the ledger at the place that it has seen last.
    mutating func compare(_ fold: LedgerFold) {
      if let local, fold.nextOffset == local.ledgerNextOffset {
        localDiffers = fold.chainedDigest != local.ledgerDigest
      }
    }
  }

  /// In the order of a run: the first thing that stops it.
  private static func stop(
    _ folded: FoldedLedger, _ found: Found, _ settings: DaemonSettings, _ opened: OpenedTopics, _ marks: Watermarks
  ) -> StopReason? {
    if let failure = found.storageFailure { return StopReason(.storageFailed, offset: 0, detail: failure) }
    if let why = folded.unusable { return StopReason(.ledgerUnreadable, offset: folded.fold.nextOffset, detail: why) }
    if folded.lacksBeginning {
      return StopReason(
        .ledgerUnreadable, offset: folded.fold.nextOffset, detail: "it begins neither with GENESIS nor with a SNAPSHOT")
    }
    if let lost = lost(folded.fold, found) { return lost }
    return ofTopics(folded.fold, settings, opened, marks) ?? changed(folded.fold, found)
  }

  /// A ledger that is named, and not there.
  private static func lost(_ fold: LedgerFold, _ found: Found) -> StopReason? {
    if fold.resolution(reason: StopReason.Code.ledgerLost.rawValue, offset: 0) != nil { return nil }
    let names: [(who: String, incarnation: [UInt8])] =
      [found.committed.map { ("the group's committed offset", $0.incarnation) }].compactMap(\.self)
      + [found.local.map { ("the local folder", $0.incarnation) }].compactMap(\.self)
    guard let other = names.first(where: { $0.incarnation != fold.genesis?.incarnation }) else { return nil }
    return StopReason(
      .ledgerLost, offset: 0,
      detail: fold.genesis == nil
        ? "the ledger is empty, but \(other.who) names a GENESIS" : "\(other.who) belongs to another GENESIS")
  }

  /// A ledger that is not the one that the folder has seen.
  private static func changed(_ fold: LedgerFold, _ found: Found) -> StopReason? {
    guard let local = found.local, local.incarnation == fold.genesis?.incarnation,
      fold.resolution(reason: StopReason.Code.ledgerChanged.rawValue, offset: local.ledgerNextOffset) == nil
    else { return nil }
    if local.ledgerNextOffset > fold.nextOffset {
      return StopReason(
        .ledgerChanged, offset: local.ledgerNextOffset,
        detail: "the local folder has seen the ledger up to \(local.ledgerNextOffset), it ends at \(fold.nextOffset)")
    }
    guard found.localDiffers else { return nil }
    return StopReason(
      .ledgerChanged, offset: local.ledgerNextOffset,
      detail: "what lies below \(local.ledgerNextOffset) is not what the local folder has seen")
  }

  /// What the topics and the configuration have against the ledger.
  private static func ofTopics(
    _ fold: LedgerFold, _ settings: DaemonSettings, _ opened: OpenedTopics, _ marks: Watermarks
  ) -> StopReason? {
    guard let genesis = fold.genesis, let head = fold.head else { return nil }
    func isResolved(_ code: StopReason.Code, _ offset: Int64) -> Bool {
      fold.resolution(reason: code.rawValue, offset: offset) != nil
    }
    if genesis.clusterID != opened.clusterID || genesis.topic != settings.kafka.topic, !isResolved(.otherTopic, 0) {
      return StopReason(
        .otherTopic, offset: 0, detail: "the ledger belongs to topic \(genesis.topic) of cluster \(genesis.clusterID)")
    }
    if genesis.partitionCount != opened.usage.partitionCount, !isResolved(.partitionCountChanged, 0) {
      return StopReason(
        .partitionCountChanged, offset: 0,
        detail: "\(genesis.partitionCount) when the ledger began, \(opened.usage.partitionCount) now")
    }
    if case .versionNotRaised(let present) = fold.admits(settings.rules),
      !isResolved(.configurationWithoutVersion, head.offset)
    {
      return StopReason(
        .configurationWithoutVersion, offset: head.offset,
        detail: "what is counted or billed differs from version \(present) of the ledger; raise `version` above it")
    }
    let missing = fold.sinksThatMayNotVanish(from: settings.rules)
    if !missing.isEmpty, !isResolved(.sinkVanished, head.offset) {
      return StopReason(
        .sinkVanished, offset: head.offset,
        detail: "\(missing.joined(separator: ", ")): configure it again, or with `retired: true`")
    }
    if marks.high < head.offset, !isResolved(.logEndsBeforeHead, head.offset) {
      return StopReason(
        .logEndsBeforeHead, offset: head.offset, detail: "the topic ends at \(marks.high), the head is \(head.offset)")
    }
    if marks.low > head.offset, !isResolved(.logStartsBeyondHead, head.offset) {
      return StopReason(
        .logStartsBeyondHead, offset: head.offset,
        detail: "records [\(head.offset), \(marks.low)) were deleted before they were counted")
    }
    return nil
  }
}
