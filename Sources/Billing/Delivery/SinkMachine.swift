internal import Metering

/// Brings the rows of one sink to their outcomes, for all partitions of this process (DESIGN.md: Deliver).
///
/// A deterministic state machine: time is the `now` of each call (elapsed milliseconds of a clock that counts
/// suspension), jitter comes from the seed, and everything it wants done comes out as a ``SinkAction``. It is confined
/// to one queue. After each ``handle(_:now:)`` the caller takes the actions and executes them in order.
///
/// A row's way: ready → planned (a SENDING is appended and read back) → in flight → an outcome, or back to ready by way
/// of a back-off. SENDINGs are planned for what rates and concurrency let out within the next second.
public final class SinkMachine {
  public let name: String
  let adapter: any ProviderAdapter
  let contract: Contract
  let partitionCount: Int

  var now: Int64
  var backoff: Backoff
  var account: String?
  var partitions: [Int32: PartitionDelivery] = [:]
  var dirty: [PartitionDelivery] = []
  var lanes: [Lane.Key: Lane] = [:]

  /// Rows that are due, oldest timestamp first.
  var ready = RowQueue()
  /// Rows to look at again, by elapsed time.
  var timers = RowHeap<Int64>()
  /// Rows without an outcome by timestamp; emptied lazily.
  var oldest = RowQueue()
  let pool = RowPool()
  var rowCount = 0
  /// Rows that are planned or in flight.
  var rowsWithSending = 0

  var pending: [SendingToken: PendingSending] = [:]
  /// In the order asked for; some may have been answered.
  var pendingOrder = FIFO<(token: SendingToken, requestedAt: Int64)>()
  var granted = FIFO<Batch>()
  var inFlight: [RequestID: Flight] = [:]
  /// Batches planned or granted, not yet sent.
  var unstartedBatches = 0
  var unstartedRows = 0
  /// DONE buffers in the order in which they were begun.
  var dueDone = FIFO<(since: Int64, partition: PartitionDelivery, sending: RecordIdentity)>()

  var buckets: [TokenBucket]
  /// Moving mean of a request's duration, milliseconds; nil before the first.
  var meanMilliseconds: Int64?
  var pausedUntil: Int64 = .min
  var rateLimitings = 0
  /// The back-offs drawn for the reply at hand, by failure: rows that fail together are tried together.
  var drawnWaits: [Int: Int64] = [:]
  /// Whether rows waited for a rate, at the end of the last input.
  private var isHeldByRates = false
  var rateLimitWaitMilliseconds: Int64 = 0
  /// When planning may find a token.
  var planWake: Int64?
  var startWake: Int64?

  var circuit = Circuit.closed
  var circuitFailures = 0
  var circuitOpenedAt: Int64 = 0
  /// The requests that failed since the last success, each other's customer and meter or first row once.
  var failing: [Failing] = []
  var probe: DeliveryRow?
  var probeIsFresh = false
  /// When the probe was chosen, elapsed milliseconds.
  var probeSince: Int64 = 0
  /// How many fresh probes gave way to another since the circuit opened.
  var probeChanges = 0

  var lastToken: UInt64 = 0
  var lastRequest: UInt64 = 0
  var lastWake: Int64?
  var actions: [SinkAction] = []

  struct PendingSending {
    var partition: PartitionDelivery
    var batches: [Batch]
    var requestedAt: Int64
    var account: String
    /// The ledger is slow to answer: its batches are left out of the unstarted ones until it does.
    var isSlow = false
  }
  struct Flight {
    var batch: Batch
    var startedAt: Int64
  }
  enum Circuit: Equatable {
    case closed
    case open(until: Int64)
    /// The probe has a SENDING, asked for or standing, or is in flight.
    case probing
  }

  /// A machine without partitions.
  ///
  /// - Parameters:
  ///   - name: the sink's name in the ledger.
  ///   - partitionCount: of the usage topic: this instance's share of the rates is its open partitions of these.
  ///   - seed: of the jitter.
  ///   - now: elapsed milliseconds.
  public init(
    name: String, adapter: any ProviderAdapter, partitionCount: Int, seed: UInt64, now: Int64
  ) {
    self.name = name
    self.adapter = adapter
    self.contract = adapter.contract
    self.partitionCount = max(1, partitionCount)
    self.now = now
    self.backoff = Backoff(seed: seed)
    self.buckets = adapter.contract.rates.map {
      TokenBucket($0, total: max(1, partitionCount), now: now)
    }
  }

  /// Takes one input. `now` never runs backwards; a smaller one counts as the last one.
  public func handle(_ input: SinkInput, now: Int64) {
    if isHeldByRates { rateLimitWaitMilliseconds += max(0, now - self.now) }
    self.now = max(self.now, now)
    switch input {
    case .partitionOpened(let number, let rows, let anchor):
      open(number, rows: rows, anchor: anchor)
    case .claimStands(let number, let rows):
      guard let partition = partitions[number] else { break }
      // With rows to send the partition takes us for busy. Where all of them are dealt with at once, that must be denied.
      if !rows.isEmpty { partition.owesReadiness = true }
      add(rows, to: partition)
    case .partitionDraining(let number): drain(number)
    case .partitionClosed(let number): close(number)
    case .sendingStands(let number, let token, let identity, let ledgerMilliseconds):
      sendingStands(number, token, identity: identity, ledgerMilliseconds: ledgerMilliseconds)
    case .sendingVoid(_, let token): sendingVoid(token)
    case .reply(let request, let reply): handleReply(request, reply)
    case .rowRetried(let number, let row):
      if let partition = partitions[number] { add([row], to: partition) }
    case .rowGone(let number, let reference): rowGone(number, reference)
    case .accountKnown(let account): setAccount(account)
    case .ledgerAnchor(let number, let anchor):
      partitions[number]?.clock.note(anchor, now: self.now)
    case .tick:
      // A caller's timer may reach less far than it was asked for.
      if let wake = lastWake, wake > self.now { actions.append(.wakeAt(wake)) }
    }
    advance()
    isHeldByRates = waitsForRates
  }

  /// Whether rows could be sent but for the contract's rates, or a pause that the provider asked for.
  private var waitsForRates: Bool {
    guard account != nil, circuit == .closed, !ready.isEmpty || !granted.isEmpty else { return false }
    if now < pausedUntil { return true }
    for index in buckets.indices where !buckets[index].canTake(1, now: now) { return true }
    return false
  }

  /// The actions since the last call, in order.
  public func takeActions() -> [SinkAction] {
    defer { actions.removeAll(keepingCapacity: true) }
    return actions
  }

  func emit(_ event: SinkEvent) { actions.append(.event(event)) }

  /// Everything that is possible now.
  private func advance() {
    runTimers()
    flushFacts()
    noteSlowAppends()
    plan()
    if startSends() {
      // Rows came back unsent: they need another SENDING.
      flushFacts()
      plan()
    }
    flushFacts()
    flushDueDone()
    report()
    compact()
    wake()
  }

  /// The instance's part of the concurrency: at least one request.
  var concurrency: Int { max(1, contract.concurrency * partitions.count / partitionCount) }

  // MARK: Partitions

  private func open(_ number: Int32, rows: SinkRows, anchor: LedgerAnchor) {
    if partitions[number] != nil { close(number) }
    let partition = PartitionDelivery(number: number, clock: LedgerClock(anchor, now: now))
    partitions[number] = partition
    shareRates()
    add(rows, to: partition)
    touch(partition)
  }

  private func drain(_ number: Int32) {
    guard let partition = partitions[number], !partition.isDraining else { return }
    partition.isDraining = true
    voidGranted(reason: "draining") { $0.partition === partition }
    if let probe, probe.stage == .probe, probe.partition === partition { dropProbe() }
    touch(partition)
  }

  private func close(_ number: Int32) {
    guard let partition = partitions.removeValue(forKey: number) else { return }
    partition.isOpen = false
    for (token, sending) in pending where sending.partition === partition {
      pending[token] = nil
      if sending.isSlow { countUnstarted(sending.batches) }
      for batch in sending.batches { forgetUnstarted(batch) }
    }
    for batch in granted.takeAll() {
      if batch.partition === partition { forgetUnstarted(batch) } else { granted.append(batch) }
    }
    if let probe, probe.stage == .gone || probe.partition === partition { dropProbe() }
    for row in partition.rows {
      let wasInFlight = row.stage == .inFlight
      row.stage = .gone
      rowCount -= 1
      if wasInFlight {
        // The lane of a request in flight stays busy until its reply; that drops the row.
        rowsWithSending -= 1
      } else {
        leaveLane(row.lane, frees: false)
        pool.drop(row)
      }
    }
    partition.forgetRows()
    shareRates()
  }

  private func forgetUnstarted(_ batch: Batch) {
    unstartedBatches -= 1
    unstartedRows -= batch.rows.count
    rowsWithSending -= batch.rows.count
    for row in batch.rows { freeLane(row) }
    if batch.isProbe { circuit = .open(until: now) }
  }

  private func shareRates() {
    for index in buckets.indices { buckets[index].setOwned(partitions.count, now: now) }
  }

  private func setAccount(_ known: String) {
    defer { account = known }
    guard let former = account, former != known else { return }
    emit(.accountChanged(from: former, to: known))
    account = known
    voidGranted(reason: "account_changed") { $0.grant?.account != known }
    for partition in partitions.values {
      for row in partition.rows where row.doubt != nil && row.doubt?.account != known {
        switch row.stage {
        case .ready, .backingOff, .probe, .waiting: settleUncertain(row, code: "account_changed")
        case .planned, .inFlight, .held, .shelved, .gone: break
        }
      }
    }
  }
}
