internal import Billing
internal import Dispatch
internal import Glibc
internal import Kafka
internal import Metering
internal import Synchronization

/// The daemon of one process: group members, partition workers, ledger, quarantine and sinks, from start to stop.
///
/// Life: made with its settings, ``start()``ed once, ``stop(graceMilliseconds:)``ped once. Events of the group come on
/// the members' threads; a revoke drains with a deadline that is shorter than the session time-out.
public final class MeteringDaemon: StatusSource {
  private let settings: DaemonSettings
  private let log: Log
  private let metrics: MeterdMetrics
  private let workers = WorkerSet()
  private let startedAt = Timestamp.rfc3339(milliseconds: Clock.unixMilliseconds())
  private let isStopping = Flag()
  private let parts = Mutex<DaemonParts?>(nil)
  private let lock = Mutex<StorageLock?>(nil)
  private let membership = Mutex(Membership())

  private struct Membership {
    var group = GroupJoin()
    var failure: String?
  }

  /// Called once when the daemon cannot go on: another process took over this member's name.
  private let onFatal: @Sendable (StartError) -> Void

  /// How long a member that does not answer keeps its partitions, milliseconds (`session.timeout.ms`).
  public static let sessionMilliseconds: Int64 = 10_000
  /// What a revoke may take, milliseconds: less than the session.
  static let revokeMilliseconds: Int64 = 6_000

  /// A daemon that has not begun.
  public init(
    settings: DaemonSettings, log: Log, metrics: MeterdMetrics, onFatal: @escaping @Sendable (StartError) -> Void
  ) {
    self.settings = settings
    self.log = log
    self.metrics = metrics
    self.onFatal = onFatal
  }

  /// Takes the storage folder, before anything else of the machine is taken. ``start()`` does it where it was not done.
  ///
  /// - Throws: 75 where another process has it, 78 where it cannot be used.
  public func takeStorage() throws(StartError) {
    let taken = try StorageLock(path: settings.storagePath)
    lock.withLock { $0 = taken }
  }

  /// Checks everything that a run needs and begins to work. Blocks until the group is being joined.
  ///
  /// - Throws: the exit code, the setting and the remedy.
  public func start() throws(StartError) {
    if lock.withLock({ $0 }) == nil { try takeStorage() }
    guard let lock = lock.withLock({ $0 }) else { return }
    try DiskFaults.install()
    let parts = try DaemonParts(
      settings: settings, lock: lock, log: log, metrics: metrics,
      deliver: { [weak self] partition, input in self?.workers.worker(partition)?.post(input) },
      quarantineMoved: { [weak self] partition in self?.workers.worker(partition)?.post(.quarantineMoved, life: nil) })
    self.parts.withLock { $0 = parts }
    parts.sinks.start()
    log.emit(
      .daemonStarted(
        version: settings.version, instance: settings.instance, topic: settings.kafka.topic,
        group: settings.kafka.group))
    if settings.kafka.isEmbedded { log.emit(.embeddedBroker()) }
    guard !settings.isDryRun else {
      membership.withLock { _ = $0.group.assigned([], to: 0, of: 1) }
      workers.open(Array(0..<parts.partitionCount), in: parts.environment)
      return
    }
    do throws(KafkaError) {
      try parts.join { [weak self] member, event in self?.took(event, member: member) }
    } catch {
      throw StartError(
        exitCode: error.isRetriable ? .unavailable : .configuration, code: "group_not_joined", setting: "kafka.group",
        what: "the group cannot be joined: \(error)", remedy: "Give meterd's user the rights to join it.")
    }
  }

  /// Takes no more events, flushes what the limits allow, and ends.
  public func stop(graceMilliseconds: Int64) {
    guard isStopping.set(), let parts = parts.withLock({ $0 }) else { return }
    let deadline = Clock.elapsedMilliseconds() + graceMilliseconds
    func left() -> Int64 { max(0, deadline - Clock.elapsedMilliseconds()) }
    let partitions = workers.all.map(\.partition)
    workers.drain(partitions, milliseconds: left() / 2)
    // What is under way needs the rest of the time to end: not all of it may be spent on sending more.
    parts.sinks.awaitSent(partitions, milliseconds: left() * 2 / 3)
    parts.sinks.drain(partitions, milliseconds: left())
    workers.close(partitions)
    // A broker that is away must not take all that is left.
    parts.close(flushMilliseconds: min(left(), graceMilliseconds / 4))
    self.parts.withLock { $0 = nil }
    lock.withLock { $0 = nil }
  }

  /// The most bytes that this process has appended to one ledger partition: the embedded broker has room for few.
  public var greatestLedgerBytes: Int64 { parts.withLock { $0?.greatestLedgerBytes ?? 0 } }

  // MARK: The group

  private func took(_ event: GroupEvent, member: Int) {
    guard let parts = parts.withLock({ $0 }) else { return }
    let client = parts.memberName(member)
    switch event {
    case .assigned(let partitions):
      log.emit(.partitionsAssigned(partitions, client: client))
      parts.offsets.assigned(partitions, to: member)
      let patience = DispatchTimeInterval.milliseconds(GroupJoin.patienceMilliseconds)
      open(in: parts) { $0.assigned(partitions, to: member, of: parts.memberCount) }
      DispatchQueue.global().asyncAfter(deadline: .now() + patience) { [weak self] in
        guard let self, let parts = self.parts.withLock({ $0 }) else { return }
        open(in: parts) { $0.giveUpWaiting() }
      }
    case .revoked(let partitions):
      log.emit(.partitionsRevoked(partitions, client: client, lost: false))
      membership.withLock { $0.group.revoked(from: member) }
      if !isStopping.isSet { release(partitions, parts) }
      workers.close(partitions)
    case .lost(let partitions):
      log.emit(.partitionsRevoked(partitions, client: client, lost: true))
      membership.withLock { $0.group.revoked(from: member) }
      workers.close(partitions)
    case .fenced(let error):
      let now = Clock.elapsedMilliseconds()
      let isDouble = membership.withLock { $0.group.fenced(member, now: now) }
      if !isDouble {
        log.emit(.memberRejoins(client: client, why: error.description))
        return parts.rejoin(member) { [weak self] error in self?.memberBroke(error) }
      }
      log.emit(.kafkaFatal(client: client, code: error.name, message: error.description))
      onFatal(
        StartError(
          exitCode: .tryAgain, code: "member_in_use", setting: "kafka.group",
          what: "another process runs as \(client), and this one is out",
          remedy: "Stop that one, or give this one a storage.path of its own."))
    case .error(let error):
      log.emit(.kafkaError(client: client, code: error.name, message: error.description))
      if error.isFatal { memberBroke(error) }
    }
  }

  private func memberBroke(_ error: KafkaError) {
    membership.withLock { $0.failure = error.description }
    onFatal(
      StartError(
        exitCode: .unavailable, code: "member_broken", setting: "kafka.group", what: error.description,
        remedy: "Start meterd again."))
  }

  /// Opens what may be opened after a change of the membership. Under its lock, so that a revoke, which comes on another
  /// member's thread, finds either what waits or what is open.
  private func open(in parts: DaemonParts, after change: (inout GroupJoin) -> [Int32]) {
    membership.withLock { membership in
      let partitions = change(&membership.group)
      if !isStopping.isSet, !partitions.isEmpty { workers.open(partitions, in: parts.environment) }
    }
  }

  /// A revoke: a last cut and claim if the time allows, and an end to what is being sent.
  private func release(_ partitions: [Int32], _ parts: DaemonParts) {
    workers.drain(partitions, milliseconds: Self.revokeMilliseconds / 2)
    parts.sinks.drain(partitions, milliseconds: Self.revokeMilliseconds / 2)
  }

  // MARK: Status

  /// The daemon at this moment.
  public func status() -> DaemonStatus {
    let parts = parts.withLock { $0 }
    let shown = workers.all.map { ($0.partition, $0.status) }
    let sinks = parts?.sinks.statuses() ?? []
    let (joined, failure) = membership.withLock { ($0.group.joined.count, $0.failure) }
    var reasons: [String] = []
    if let failure { reasons.append("the group member is broken: \(failure)") }
    if isStopping.isSet {
      reasons.append("it is stopping")
    } else if parts == nil {
      reasons.append("it is starting")
    } else if joined < (parts?.memberCount ?? 1) {
      reasons.append("it is not yet a member of the group \(settings.kafka.group)")
    }
    let recovering = shown.filter { $0.1.state == .recovering || $0.1.state == .rebuilding }.map { "\($0.0)" }
    if !recovering.isEmpty { reasons.append("recovering: partition \(recovering.joined(separator: ", "))") }
    if !shown.isEmpty, shown.allSatisfy({ $0.1.state == .stopped }) {
      reasons.append("every assigned partition is stopped")
    }
    var conservation = ConservationStatus()
    var imbalances: [String: Quantity] = [:]
    for sink in settings.sinks { imbalances[sink.configuration.name] = .zero }
    for (_, worker) in shown {
      // Differences of opposite sign must not cancel out.
      conservation.events += Int64(clamping: worker.picture.eventsImbalance.magnitude)
      for (name, sink) in worker.picture.sinks {
        let magnitude = Quantity(units: Int128(clamping: sink.imbalance.units.magnitude))
        imbalances[name] = (imbalances[name] ?? .zero).adding(magnitude) ?? magnitude
      }
    }
    conservation.quantity = imbalances.mapValues(\.description)
    return DaemonStatus(
      version: settings.version, instance: settings.instance, startedAt: startedAt, ready: reasons.isEmpty,
      reasons: reasons,
      kafka: KafkaStatus(
        clusterID: parts?.environment.clusterID ?? "", topic: settings.kafka.topic, group: settings.kafka.group),
      partitions: shown.map { Self.status($0.0, $0.1) },
      sinks: sinks.map { Self.status($0.sink, $0.status, shown.map { $0.1.picture }) }, conservation: conservation)
  }

  /// Sets every gauge and counter that is not set where things happen. Called at each scrape.
  public func collect() {
    metrics.update(from: status())
    let pictures = workers.all.map(\.status.picture)
    for (sink, status) in parts.withLock({ $0 })?.sinks.statuses() ?? [] {
      let cells = metrics.sink(sink.configuration.name)
      cells.carried.set(pictures.reduce(0) { $0 + ($1.sinks[sink.configuration.name]?.carries ?? 0) })
      cells.rateLimitWaitSeconds.raise(to: UInt64(max(0, status.rateLimitWaitMilliseconds)) * 1_000_000)
    }
  }

  private static func status(_ partition: Int32, _ shown: PartitionShown) -> PartitionStatus {
    PartitionStatus(
      partition: partition, state: shown.state, position: shown.picture.position, head: shown.picture.head,
      lagRecords: shown.lagRecords, openRows: Int64(shown.picture.openRows),
      stop: shown.state == .stopped ? shown.stop : nil, progress: shown.progress)
  }

  private static func status(
    _ sink: ConfiguredSink, _ status: Billing.SinkStatus, _ pictures: [PartitionPicture]
  ) -> SinkStatus {
    let name = sink.configuration.name
    var rows = SinkStatus.Rows(deferred: Int64(status.deferredRows))
    for picture in pictures {
      guard let totals = picture.sinks[name]?.totals else { continue }
      rows.inFlight += totals.inFlightRows
      rows.parked += totals.parkedRows
      rows.uncertain += totals.uncertainRows
    }
    let age = status.oldestUnsettledTimestampMilliseconds.map { max(0, Clock.unixMilliseconds() - $0) } ?? 0
    let circuit: SinkStatus.Circuit =
      switch status.circuit {
      case .closed: .closed
      case .open: .open
      case .probing: .probing
      }
    return SinkStatus(
      name: name, provider: sink.configuration.provider, account: status.account ?? sink.rules.account,
      circuit: circuit, rows: rows, oldestUnsettledAgeSeconds: Double(age) / 1_000,
      nextSendInSeconds: Double(status.nextSendMilliseconds ?? 0) / 1_000)
  }
}
