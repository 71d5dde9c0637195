internal import Dispatch
internal import Kafka
internal import Metering
internal import Synchronization

/// What people and metrics see of a partition.
extension PartitionWorker {
  func setState(_ state: PartitionStatus.State) {
    let stop = stop
    let remedy = stop.map { $0.remedy(partition: partition, configuration: environment.configurationPath) }
    let changed = shown.withLock { shown in
      defer {
        shown.state = state
        shown.stop = stop.map {
          .init(reason: $0.code.rawValue, offset: $0.offset, detail: $0.detail, remedy: remedy ?? "")
        }
        if state != .rebuilding { shown.progress = nil }
      }
      return shown.state != state
    }
    if changed { metrics.setState(state) }
  }

  /// Counting begins: counters count since the start of the process, so what the machine has restored is not told.
  func beginTelling() { told = machine?.picture().totals }

  func tell(_ totals: RangeCounters) {
    guard let told else { return }
    func grown(_ count: KeyPath<RangeCounters, Int64>) -> UInt64 {
      UInt64(max(0, totals[keyPath: count] - told[keyPath: count]))
    }
    metrics.counted.add(grown(\.counted))
    metrics.duplicate.add(grown(\.duplicate))
    metrics.keyMismatch.add(grown(\.keyMismatches))
    self.told = totals
  }

  /// Lag while nothing is read (stopped, recovering): it must not look like 0. The end of the log is asked for every five
  /// seconds, on the helper.
  private func unreadLag(position: Int64, now: Int64) -> Int64 {
    if now - logEndAskedAt >= 5_000, !isClosing.isSet {
      logEndAskedAt = now
      helper.async { [weak self, environment, partition] in
        // An end that cannot be asked for leaves the last one standing; what is wrong is said where it matters.
        guard let self, !isClosing.isSet,
          let end = try? environment.usage.watermarks(partition: partition, timeoutMilliseconds: 2_000).high
        else { return }
        queue.async { self.logEnd = end }
      }
    }
    return max(0, logEnd - position)
  }

  /// Says once that the books do not balance.
  private func checkConservation(_ picture: PartitionPicture) {
    let broken = picture.sinks.filter { $0.value.imbalance != .zero }
    guard !hasToldImbalance, picture.eventsImbalance != 0 || !broken.isEmpty else { return }
    hasToldImbalance = true
    if picture.eventsImbalance != 0 {
      environment.log.emit(
        .conservationBroken(
          partition: partition, equation: "events", sink: nil, imbalance: String(picture.eventsImbalance)))
    }
    for (name, sink) in broken {
      environment.log.emit(
        .conservationBroken(
          partition: partition, equation: "quantity", sink: name, imbalance: sink.imbalance.description))
    }
  }

  func setProgress(_ text: String) { shown.withLock { $0.progress = text } }

  /// Shows the partition as it is, fifty times a second at most: a look from outside is never much behind.
  func show() {
    let now = Clock.elapsedMilliseconds()
    guard now - lastShownAt >= 20 else { return }
    lastShownAt = now
    guard let picture = machine?.picture() else { return }
    let lag = reading?.lag ?? unreadLag(position: picture.position, now: now)
    if let reading, status.state == .counting || status.state == .blockedByTransaction {
      if reading.isBlockedByTransaction, status.state == .counting {
        environment.log.emit(.blockedByTransaction(partition: partition, offset: reading.counted))
      }
      setState(reading.isBlockedByTransaction ? .blockedByTransaction : .counting)
    }
    checkConservation(picture)
    shown.withLock { shown in
      shown.picture = picture
      shown.lagRecords = lag
    }
    tell(picture.totals)
    metrics.lagRecords.set(lag)
    metrics.openRows.set(Int64(picture.openRows))
    metrics.dedupKeys.set(Int64(picture.dedupKeys))
    metrics.dedupMemoryBytes.set(Int64(picture.dedupMemoryBytes))
    metrics.dedupWindowCoveredSeconds.set(Double(picture.dedupCoveredMilliseconds) / 1_000)
    metrics.oldestOpenEventAgeSeconds.set(Double(picture.oldestOpenReadAt.map { now - $0 } ?? 0) / 1_000)
  }
}

/// What a worker shows of its partition.
struct PartitionShown: Sendable {
  var state = PartitionStatus.State.recovering
  var picture = PartitionPicture()
  var lagRecords: Int64 = 0
  var stop: PartitionStatus.Stop?
  var progress: String?
}
