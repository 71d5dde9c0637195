internal import Daemon
internal import Kafka
internal import Metering

/// What the ledger says of a run that has not begun.
enum LedgerCheck {
  /// One sentence for each partition that would stop at once.
  static func stops(settings: DaemonSettings, opened: OpenedTopics, usage: UsageTopic) throws -> [String] {
    guard !opened.created.contains(settings.kafka.ledgerTopic) else { return [] }
    let log = try LedgerLog(topic: settings.kafka.ledgerTopic, properties: settings.kafka.clientProperties)
    defer { log.close() }
    var stops: [String] = []
    for partition in 0..<opened.usage.partitionCount {
      var folded = FoldedLedger(partition: partition)
      try log.scan(partition: partition) { _ = folded.take($0) }
      if let why = folded.unusable {
        stops.append("partition \(partition): \(StopReason.Code.ledgerUnreadable.rawValue): \(why)")
        continue
      }
      let marks = try usage.watermarks(partition: partition)
      if let stop = stop(folded.fold, settings, opened, marks) {
        let remedy = stop.remedy(partition: partition, configuration: settings.configurationPath)
        stops.append("partition \(partition): \(stop.code.rawValue): \(stop.detail). The way out: \(remedy)")
      }
    }
    return stops
  }

  private static func stop(
    _ fold: LedgerFold, _ settings: DaemonSettings, _ opened: OpenedTopics, _ marks: Watermarks
  ) -> StopReason? {
    guard let genesis = fold.genesis, let head = fold.head else { return nil }
    func isResolved(_ code: StopReason.Code, _ offset: Int64) -> Bool {
      fold.resolution(reason: code.rawValue, offset: offset) != nil
    }
    if genesis.clusterID != opened.clusterID || genesis.topic != settings.kafka.topic {
      return StopReason(
        .otherTopic, offset: 0, detail: "the ledger belongs to topic \(genesis.topic) of cluster \(genesis.clusterID)")
    }
    if genesis.partitionCount != opened.usage.partitionCount {
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
    if marks.high < head.offset {
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
