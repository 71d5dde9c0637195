internal import Dispatch
internal import Kafka
internal import Metering
internal import Storage
internal import Synchronization

/// One assigned partition at work: its machine, on a serial queue of its own, and the hands that carry out what the
/// machine decides.
///
/// Life: made and opened when the partition is assigned; gathers facts, runs a machine until its ownership ends, begins
/// again with a new nonce, until it is closed. Everything but `mailbox` and `shown` belongs to `queue`; blocking
/// look-ups run on `helper`, storage on a queue of its own, and their answers come back as letters. A letter that
/// belongs to an earlier machine's life is dropped.
///
/// Back-pressure: where the machine does not want records, the worker does not read its stream.
final class PartitionWorker: @unchecked Sendable {
  // Unchecked: see above; `queue` is the one place where the mutable state is touched.

  /// What comes from other threads. `life` tells for which machine it was meant.
  struct Letter: Sendable {
    enum Content: Sendable {
      case facts(PartitionFacts, PartitionStorage)
      case input(PartitionInput)
      case tail(epoch: Int, LedgerTailEvent)
      case recalled(epoch: Int, [LedgerEntry], isEnd: Bool)
      case sealed(any SealedSegment)
      case quarantineMoved
      /// The machine has to begin again from what is durable.
      case startOver(String)
      case close
    }
    var life: Int?
    var content: Content
  }

  let partition: Int32
  let environment: PartitionEnvironment
  let metrics: PartitionMetrics
  let queue: DispatchQueue
  let helper: DispatchQueue
  let mailbox: Mailbox<Letter>
  let isClosing = Flag()
  /// This partition's share of `dedup.max_memory`, bytes; any thread sets it, the next turn takes it over.
  let memoryShare = Atomic<Int>(0)
  let shown = Mutex(PartitionShown())
  private let ticker: any DispatchSourceTimer

  // MARK: On the queue

  var machine: PartitionMachine?
  var life = 0
  var storage: PartitionStorage?
  var tail: (any LedgerReading)?
  var tailEpoch = 0
  var hasReachedLedgerEnd = false
  var recall: (any LedgerReading)?
  var recallEpoch = 0
  /// Every record below it was judged; nil where nothing is being counted.
  var countedThrough: Int64?
  var reading: BatchReading?
  var replay: RangeReader?
  var replayLeft = ReplayLeft()
  var gapBudget: GapBudget
  var settleTimes: SettleTimes
  var failures = 0
  var bornAt: Int64 = 0
  var isReopening = false
  var onDrained: (@Sendable () -> Void)?
  var lastShownAt: Int64 = 0
  private var givenMemory = 0
  var stop: StopReason?
  /// What the counters of this life have been told of, so that they grow by the differences.
  var told: RangeCounters?
  var hasToldImbalance = false
  /// Where the usage partition ended when it was asked last, and when that was.
  var logEnd: Int64 = 0
  var logEndAskedAt = Int64.min / 2

  init(partition: Int32, environment: PartitionEnvironment) {
    self.partition = partition
    self.environment = environment
    metrics = environment.metrics.partition(partition)
    queue = DispatchQueue(label: "partition.\(partition)")
    helper = DispatchQueue(label: "partition.\(partition).helper")
    mailbox = Mailbox(queue: queue)
    gapBudget = GapBudget(now: Clock.elapsedMilliseconds())
    settleTimes = SettleTimes(sinks: environment.rules.sinks.map(\.name))
    ticker = DispatchSource.makeTimerSource(queue: queue)
    ticker.schedule(deadline: .now() + .milliseconds(50), repeating: .milliseconds(50), leeway: .milliseconds(5))
  }

  /// Begins: the partition was assigned.
  func open() {
    mailbox.onTurn { [weak self] in self?.turn() }
    ticker.setEventHandler { [weak self] in self?.mailbox.wake() }
    ticker.resume()
    shown.withLock { $0.state = .recovering }
    metrics.setState(.recovering)
    queue.async { self.reopen(after: 0) }
  }

  /// Cuts, claims and finishes what the limits allow; `completion` is called once that is done, on the worker's queue.
  func drain(completion: @escaping @Sendable () -> Void) {
    queue.async { [self] in
      guard machine != nil, stop == nil else { return completion() }
      onDrained = completion
      setState(.draining)
      take(.input(.drain))
      mailbox.wake()
    }
  }

  /// Gives the partition up: after it returns nothing is appended, sent or written for it by this worker.
  func close() {
    guard isClosing.set() else { return }
    mailbox.post(Letter(life: nil, content: .close))
    // Whatever helper or storage still does ends by itself; both are waited for, so that the folder is free.
    queue.sync {}
    helper.sync {}
    queue.sync { [self] in
      endMachine()
      ticker.cancel()
      storage?.finish()
      storage = nil
      environment.quarantine.forget(partition: partition)
      environment.metrics.removeGauges(partition: partition)
    }
  }

  func post(_ content: Letter.Content, life: Int?) { mailbox.post(Letter(life: life, content: content)) }

  /// What a sink has for the machine.
  func post(_ input: PartitionInput) { mailbox.post(Letter(life: nil, content: .input(input))) }

  /// The partition as it was shown last; any thread.
  var status: PartitionShown { shown.withLock { $0 } }

  // MARK: Turns

  private func turn() {
    for letter in mailbox.take() where letter.life == nil || letter.life == life { take(letter.content) }
    var again = false
    if machine != nil {
      let share = memoryShare.load(ordering: .relaxed)
      if share != givenMemory {
        givenMemory = share
        machine?.setMemoryLimit(share)
      }
      again = replay != nil ? replayTurn() : readTurn()
      handle(.tick)
    }
    show()
    mailbox.endTurn(again: again)
  }

  private func take(_ content: Letter.Content) {
    switch content {
    case .facts(let facts, let storage): begin(facts, storage)
    case .input(let input): handle(input)
    case .tail(let epoch, let event): if epoch == tailEpoch { took(event) }
    case .recalled(let epoch, let entries, let isEnd):
      // The tail reads on until it is stopped: what it has beyond the end is not another recall's.
      guard epoch == recallEpoch, recall != nil else { return }
      if isEnd {
        recall?.stop()
        recall = nil
      }
      handle(.recalled(entries, isEnd: isEnd))
    case .sealed(let segment):
      machine?.sealed(segment, now: Clock.elapsedMilliseconds())
      carryOut()
    case .quarantineMoved: quarantineMoved()
    case .startOver(let why): startOver(why)
    case .close: break
    }
  }

  /// Hands the machine an input and carries out what it decides.
  func handle(_ input: PartitionInput) {
    machine?.handle(input, now: Clock.elapsedMilliseconds())
    carryOut()
  }

  /// What is acknowledged: everything that was judged, unless records are under way. Also once the reading is over: the
  /// last cut waits for it.
  private func quarantineMoved() {
    if let failure = environment.quarantine.failure(partition: partition) {
      return handle(.failed(cannotQuarantine(failure)))
    }
    guard let counted = countedThrough else { return }
    handle(
      .quarantineAcknowledged(through: min(counted, environment.quarantine.acknowledgedThrough(partition: partition))))
  }

  func cannotQuarantine(_ error: KafkaError) -> StopReason {
    let hint = error.code == .messageTooLarge ? "; raise max.message.bytes of \(environment.kafka.quarantineTopic)" : ""
    return StopReason(
      .appendRefused, offset: countedThrough ?? 0, detail: "a record could not be quarantined: \(error)\(hint)")
  }

  // MARK: Lives

  /// Gathers facts for a new machine, after a pause.
  func reopen(after milliseconds: Int64) {
    guard !isClosing.isSet, !isReopening else { return }
    isReopening = true
    life += 1
    gatherFacts(life: life, after: milliseconds)
  }

  private func begin(_ facts: PartitionFacts, _ storage: PartitionStorage) {
    isReopening = false
    guard !isClosing.isSet else { return }
    self.storage = storage
    stop = nil
    told = nil
    bornAt = Clock.elapsedMilliseconds()
    settleTimes = SettleTimes(sinks: environment.rules.sinks.map(\.name))
    var settings = environment.settings
    settings.memoryLimit = memoryShare.load(ordering: .relaxed)
    givenMemory = settings.memoryLimit
    machine = PartitionMachine(
      facts: facts, rules: environment.rules, settings: settings, mapCustomer: environment.mapCustomer)
    setState(.recovering)
    machine?.begin(now: Clock.elapsedMilliseconds())
    carryOut()
  }

  /// Lets the machine go and everything that worked for it.
  func endMachine() {
    if machine != nil {
      if let totals = machine?.picture().totals { tell(totals) }
      machine?.close()
      // Its last words: sinks are told that the partition is closed.
      for action in machine?.drainActions() ?? [] {
        if case .sink(let name, let notice) = action { environment.notifySink(name, partition, notice) }
      }
      machine = nil
    }
    life += 1
    stopReading()
    countedThrough = nil
    replay?.stop()
    replay = nil
    replayLeft = ReplayLeft()
    tail?.stop()
    tail = nil
    recall?.stop()
    recall = nil
    storage?.finish()
    storage = nil
    if let onDrained {
      self.onDrained = nil
      onDrained()
    }
  }

  /// The machine's ownership has ended: begin again, sooner where that was nobody else's doing.
  func ended(_ reason: EndReason) {
    environment.log.emit(.ownershipLost(partition: partition, why: "\(reason)"))
    metrics.ownershipChanges.add(1)
    endMachine()
    // Of two that are assigned the same partition one is about to learn that it is not: no duel meanwhile.
    let pause: Int64 = reason == .otherOwner ? min(10_000, 1_000 << min(failures, 4)) : 100
    failures += 1
    reopen(after: pause)
  }

  /// Begins again from what is durable: what the machine assumed of the log no longer holds, or a reader broke.
  func startOver(_ why: String) {
    environment.log.emit(.partitionStartsOver(partition: partition, why: why))
    endMachine()
    failures += 1
    reopen(after: min(30_000, 500 << min(failures, 6)))
  }

  func stopped(_ reason: StopReason) {
    stop = reason
    let remedy = reason.remedy(partition: partition, configuration: environment.configurationPath)
    environment.log.emit(
      .partitionStopped(
        partition: partition, reason: reason.code.rawValue, offset: reason.offset, detail: reason.detail,
        remedy: remedy))
    setState(.stopped)
    if let onDrained {
      self.onDrained = nil
      onDrained()
    }
  }
}
