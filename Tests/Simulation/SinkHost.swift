import Billing
import Metering

/// Carries out a sink machine's actions against the provider model, with the network's faults.
final class SinkHost {
  private unowned let process: SimulatedProcess
  private var world: World { process.world }
  private let life: Int
  let sink: SimulatedSink
  private let machine: SinkMachine
  private var wake: Int64 = 0

  init(process: SimulatedProcess, sink: SimulatedSink, account: String) {
    self.process = process
    self.sink = sink
    life = process.life
    machine = SinkMachine(
      name: sink.name, adapter: SimulatedAdapter(sink), partitionCount: process.world.scenario.partitions,
      seed: process.world.random.next(), now: process.elapsed)
    handle(.accountKnown(account))
  }

  func handle(_ input: SinkInput) {
    machine.handle(input, now: process.elapsed)
    carryOut(machine.takeActions()[...])
  }

  /// Notices arrive in order, a moment later: the two run on queues of their own.
  func take(_ notice: SinkNotice, partition: Int32) {
    process.after(1) { [weak self] in
      for input in SinkInput.inputs(for: notice, partition: partition) { self?.handle(input) }
    }
  }

  private func carryOut(_ actions: ArraySlice<SinkAction>) {
    for index in actions.indices {
      let action = actions[index]
      guard world.countAction("\(sink.name): \(action)") else { return }
      let passes = process.passes(action.place, of: .sinkAction, life: life) { [weak self] in
        self?.carryOut(actions[index...])
      }
      guard passes else { return }
      carryOut(action)
    }
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
      process.after(time - process.elapsed) { [weak self] in
        guard let self, wake == time else { return }
        handle(.tick)
      }
    case .drained: break
    case .event(let event):
      world.coverage.note("sink: \(event.name)")
      world.trace?("\(world.now) \(process.name)/\(sink.name) \(event)")
    }
  }

  // MARK: The wire

  /// What was sent arrives even if the sender dies; the reply may not.
  private func send(_ request: RequestID, _ content: ProviderRequest, timeout: Int64, notAfter: Int64) {
    let world = world
    // The last look at the clock before the bytes go.
    guard process.elapsed <= notAfter else { return reply(request, .notSent(code: "lease"), after: 1) }
    guard let provider = world.providers[sink.name] else { return }
    judgePermits(content)
    if world.outages.contains(sink.name) {
      // Refused at once, or swallowed.
      return world.random.oneIn(2)
        ? reply(request, .notSent(code: "connect"), after: 5)
        : reply(request, .ambiguous(code: "timeout"), after: timeout)
    }
    let fate = world.isFaulty ? world.random.pick(0...99) : 99
    let there = world.delay(fate < 3 ? 4_000 : 50)
    let back = world.delay(50)
    switch fate {
    case 4...6: reply(request, .response(.init(status: 429)), after: there + back)
    case 7...8: reply(request, .response(.init(status: 500)), after: there + back)
    case 9...10: reply(request, .ambiguous(code: "reset"), after: there)
    default:
      let answer = Answer()
      world.after(there) { answer.response = provider.take(content, in: world) }
      process.after(there + back) { [weak self] in
        switch fate {
        case 11...13: self?.lose(request, .response(.init(status: 500)))
        case 14...16: self?.lose(request, .ambiguous(code: "reset"))
        default: self?.handle(.reply(request, .response(answer.response)))
        }
      }
    }
  }

  private func lose(_ request: RequestID, _ reply: ProviderReply) {
    world.coverage.note("fault: reply lost after the effect")
    handle(.reply(request, reply))
  }

  private func reply(_ request: RequestID, _ reply: ProviderReply, after delay: Int64) {
    process.after(delay) { [weak self] in self?.handle(.reply(request, reply)) }
  }

  /// Before the first byte the sender has read back its own SENDING, and the lease of that is not over.
  private func judgePermits(_ content: ProviderRequest) {
    for line in SimulatedProvider.lines(of: content) {
      let permits = world.watches.lazy.compactMap { $0.permits[line.key] }.first ?? []
      let isPermitted = permits.contains { permit in
        guard let writer = world.writers[permit.nonce] else { return false }
        return writer.process == ObjectIdentifier(process) && writer.life == life && permit.offset <= writer.readThrough
          && world.now - permit.landedAt <= DeliveryLimits.leaseMilliseconds && permit.account == line.account
      }
      if !isPermitted {
        return world.fail(
          "\(sink.name): \(line.key) is sent by \(process.name) without a SENDING of its own within its lease")
      }
      if permits.contains(where: { world.writers[$0.nonce]?.process != ObjectIdentifier(process) }) {
        world.coverage.note("sink: sent by another process in the lease")
      }
    }
  }

  private final class Answer { var response = ProviderReply.Response(status: 500) }
}

extension SinkAction {
  fileprivate var place: FaultPlace {
    switch self {
    case .send: .send
    default: .sinkAction
    }
  }
}

extension SinkEvent {
  /// Its case's name.
  var name: String {
    let text = "\(self)"
    return String(text.prefix { $0 != "(" })
  }
}
