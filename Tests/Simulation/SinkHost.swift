import Billing
import Metering

/// Carries out a sink machine's actions against the provider model, with the network's faults.
final class SinkHost {
  private unowned let process: SimulatedProcess
  private var world: World { process.world }
  let sink: SimulatedSink
  private let machine: SinkMachine
  private var wake: Int64 = 0

  init(process: SimulatedProcess, sink: SimulatedSink) {
    self.process = process
    self.sink = sink
    let contract = Contract(
      endpoint: "sim:", batch: Contract.BatchLimits(records: 5),
      idempotency: sink.isIdempotent ? .key(windowMilliseconds: 86_400_000) : .none, rowRules: sink.rules.rowRules,
      concurrency: 2, requestTimeoutMilliseconds: 5_000, connectTimeoutMilliseconds: 1_000)
    machine = SinkMachine(
      name: sink.name, adapter: SimulatedAdapter(contract: contract),
      partitionCount: process.world.scenario.partitions, seed: process.world.random.next(), now: process.world.now)
    machine.handle(.accountKnown("account-1"), now: process.world.now)
    carryOut()
  }

  func handle(_ input: SinkInput) {
    machine.handle(input, now: world.now)
    carryOut()
  }

  /// Notices arrive in order, a moment later: the two run on queues of their own.
  func take(_ notice: SinkNotice, partition: Int32) {
    process.after(1) { [weak self] in
      for input in SinkInput.inputs(for: notice, partition: partition) { self?.handle(input) }
    }
  }

  private func carryOut() {
    for action in machine.takeActions() { carryOut(action) }
  }

  private func carryOut(_ action: SinkAction) {
    switch action {
    case .append(let partition, let append):
      process.after(1) { [process, sink] in
        process.hosts[Int(partition)]?.handle(.sinkAppend(name: sink.name, DeliveryRecord(append)))
      }
    case .readyForClaim(let partition, let isReady):
      process.after(1) { [process, sink] in
        process.hosts[Int(partition)]?.handle(.sinkReady(name: sink.name, isReady))
      }
    case .send(let request, let content, let timeout, _, let notAfter):
      send(request, content, timeout: timeout, notAfter: notAfter)
    case .wakeAt(let time):
      guard let time else { break }
      wake = time
      process.after(time - world.now) { [weak self] in
        guard let self, wake == time else { return }
        handle(.tick)
      }
    case .drained: break
    case .event(let event): world.trace?("\(world.now) \(process.name)/\(sink.name) \(event)")
    }
  }

  /// The wire: what was sent arrives even if the sender dies; the reply may not.
  private func send(_ request: RequestID, _ content: ProviderRequest, timeout: Int64, notAfter: Int64) {
    let world = world
    guard world.now <= notAfter else { return reply(request, .notSent(code: "lease"), after: 1) }
    guard let provider = world.providers[sink.name] else { return }
    if world.outages.contains(sink.name) {
      // Refused at once, or swallowed.
      return world.random.oneIn(2)
        ? reply(request, .notSent(code: "connect"), after: 5)
        : reply(request, .ambiguous(code: "timeout"), after: timeout)
    }
    let fate = world.isFaulty ? world.random.pick(0...99) : 99
    let there = world.delay(fate == 0 ? 4_000 : 50)
    let back = world.delay(50)
    switch fate {
    case 1...3: reply(request, .response(.init(status: 429)), after: there + back)
    case 4...5: reply(request, .response(.init(status: 500)), after: there + back)
    case 6...7: reply(request, .ambiguous(code: "reset"), after: there)
    default:
      let answer = Answer()
      world.after(there) { answer.known = provider.take(content.body, at: world.now) }
      process.after(there + back) { [weak self] in
        switch fate {
        case 8...10: self?.handle(.reply(request, .response(.init(status: 500))))
        case 11...13: self?.handle(.reply(request, .ambiguous(code: "reset")))
        default: self?.handle(.reply(request, .response(.init(status: 200, body: answer.known.map { $0 ? 1 : 0 }))))
        }
      }
    }
  }

  private func reply(_ request: RequestID, _ reply: ProviderReply, after delay: Int64) {
    process.after(delay) { [weak self] in self?.handle(.reply(request, reply)) }
  }

  private final class Answer { var known: [Bool] = [] }
}
