internal import Billing
internal import Dispatch
internal import Metering
internal import Synchronization

/// The sinks of a process: one runner for each, between the partitions' machines and the providers.
final class SinkSet: Sendable {
  private let runners: [String: SinkRunner]
  private let order: [ConfiguredSink]
  private let desk: SinkDesk

  /// Runners that have not begun.
  ///
  /// - Parameter deliver: takes what a sink has for a partition's machine.
  init(
    _ sinks: [ConfiguredSink], partitionCount: Int32, log: Log, metrics: MeterdMetrics,
    deliver: @escaping @Sendable (Int32, PartitionInput) -> Void
  ) throws {
    let desk = SinkDesk()
    var runners: [String: SinkRunner] = [:]
    for sink in sinks {
      let name = sink.configuration.name
      let telling = SinkTelling(name: name, log: log, metrics: metrics.sink(name))
      runners[name] = try SinkRunner(
        sink, partitionCount: Int(partitionCount), seed: RandomBytes().word(),
        handlers: SinkRunnerHandlers(
          append: { partition, record in
            if case .done = record { KillPoint.done.pass() }
            deliver(partition, .sinkAppend(name: name, DeliveryRecord(record)))
          },
          readyForClaim: { partition, isReady in
            desk.ready(name, partition, isReady)
            deliver(partition, .sinkReady(name: name, isReady))
          }, drained: { desk.drained(name, $0) }, event: { telling.tell($0) }))
    }
    self.runners = runners
    self.desk = desk
    order = sinks
  }

  /// Learns the accounts; sends can begin then.
  func start() { for runner in runners.values { runner.start() } }

  /// Hands a partition's notice to its sink. A sink that is no longer configured needs none.
  func take(_ sink: String, _ partition: Int32, _ notice: SinkNotice) {
    guard let runner = runners[sink] else { return }
    if case .closed = notice { desk.closed(sink, partition) }
    if case .opened = notice { desk.opened(sink, partition) }
    if case .claimStands(let rows) = notice, !rows.isEmpty { KillPoint.claim.pass() }
    if case .sendingStands = notice { KillPoint.sending.pass() }
    for input in SinkInput.inputs(for: notice, partition: partition) { runner.enqueue(input) }
  }

  /// Waits until the sinks have sent the claims of these partitions, but for deferred rows; at most so long. A sink whose
  /// provider does not answer is not waited for.
  func awaitSent(_ partitions: [Int32], milliseconds: Int64) {
    let deadline = Clock.elapsedMilliseconds() + milliseconds
    while Clock.elapsedMilliseconds() < deadline {
      let answering = runners.filter { $0.value.status().circuit == .closed }.keys
      if desk.awaitReady(partitions, of: Set(answering), milliseconds: 250) { return }
    }
  }

  /// Lets what is under way for these partitions end, and starts nothing more; waits for at most so long.
  func drain(_ partitions: [Int32], milliseconds: Int64) {
    for (name, runner) in runners {
      for partition in partitions where desk.drains(name, partition) { runner.enqueue(.partitionDraining(partition)) }
    }
    desk.awaitDrained(partitions, milliseconds: milliseconds)
  }

  func stop() { for runner in runners.values { runner.stop() } }

  /// Each sink as its machine sees it, in the configuration's order.
  func statuses() -> [(sink: ConfiguredSink, status: Billing.SinkStatus)] {
    order.compactMap { sink in runners[sink.configuration.name].map { (sink, $0.status()) } }
  }
}

/// What the sinks have said of each partition, for those who wait for it.
private final class SinkDesk: Sendable {
  private struct Key: Hashable {
    var sink: String
    var partition: Int32
  }
  private struct Entry {
    var isReady = false
    var isDraining = false
    var isDrained = false
  }
  private let entries = Mutex<[Key: Entry]>([:])
  private let changed = DispatchSemaphore(value: 0)

  private func change(_ sink: String, _ partition: Int32, _ body: (inout Entry?) -> Void) {
    entries.withLock { body(&$0[Key(sink: sink, partition: partition)]) }
    changed.signal()
  }

  func opened(_ sink: String, _ partition: Int32) { change(sink, partition) { $0 = Entry() } }
  func closed(_ sink: String, _ partition: Int32) { change(sink, partition) { $0 = nil } }
  func ready(_ sink: String, _ partition: Int32, _ isReady: Bool) {
    change(sink, partition) { $0?.isReady = isReady }
  }
  func drained(_ sink: String, _ partition: Int32) { change(sink, partition) { $0?.isDrained = true } }

  /// Notes that a sink is asked to drain a partition; false where it does not have it open.
  func drains(_ sink: String, _ partition: Int32) -> Bool {
    entries.withLock { entries in
      let key = Key(sink: sink, partition: partition)
      guard entries[key] != nil else { return false }
      entries[key]?.isDraining = true
      return true
    }
  }

  /// Whether it came to that in time.
  func awaitReady(_ partitions: [Int32], of sinks: Set<String>, milliseconds: Int64) -> Bool {
    wait(partitions, milliseconds) { !sinks.contains($0.sink) || $1.isReady }
  }

  func awaitDrained(_ partitions: [Int32], milliseconds: Int64) {
    _ = wait(partitions, milliseconds) { $1.isDrained || !$1.isDraining }
  }

  private func wait(_ partitions: [Int32], _ milliseconds: Int64, until condition: (Key, Entry) -> Bool) -> Bool {
    let wanted = Set(partitions)
    let deadline = Clock.elapsedMilliseconds() + milliseconds
    while Clock.elapsedMilliseconds() < deadline {
      let isDone = entries.withLock { entries in
        entries.allSatisfy { !wanted.contains($0.key.partition) || condition($0.key, $0.value) }
      }
      if isDone { return true }
      // Signals may belong to other partitions, or be old: the state is looked at again in any case.
      _ = changed.wait(timeout: .now() + .milliseconds(20))
    }
    return false
  }
}
