import Metering

/// What people do: they read why a partition stopped and mend that, and they look after rows that wait for a decision.
struct Person {
  let world: World
  private var sequence: UInt64 = 0

  init(world: World) { self.world = world }

  /// Decides on the rows that have been at rest for five minutes: who asks a provider must give late requests the time to
  /// arrive.
  mutating func lookAfterRows(every: Bool) {
    for watch in world.watches {
      for (name, rest) in watch.resting.sorted(by: { $0.key < $1.key })
      where world.now - rest.since > 300_000 && (every || world.random.oneIn(2)) {
        guard let decision = decide(name, rest, watch) else { continue }
        let resolve = LedgerRecord.resolve(Resolve(decision: decision, why: "simulated"))
        // The command line is a writer of its own each time.
        let bytes = LedgerCodec.encode(resolve, identity: RecordIdentity(nonce: world.random.next(), sequence: 0))
        world.ledgers[watch.partition].append(bytes, at: world.brokerTime)
      }
    }
  }

  private func decide(
    _ name: LedgerWatch.RestingRow, _ rest: LedgerWatch.Resting, _ watch: LedgerWatch
  ) -> Resolve.Decision? {
    // Looked up at the provider.
    let key = watch.key(of: name.row, sink: name.sink)
    let hasEffect = (world.providers[name.sink]?.effectsByKey[key] ?? 0) > 0
    switch rest.state {
    case .uncertain(_, let record):
      return hasEffect
        ? .settle(sink: name.sink, row: name.row, state: record)
        : .retry(sink: name.sink, row: name.row, state: record, customer: nil)
    case .parked(_, let record):
      // An attempt before the refused one may have had effect: the provider will say so when it is asked again.
      return !hasEffect && world.random.oneIn(4)
        ? .drop(sink: name.sink, row: name.row, state: record)
        : .retry(sink: name.sink, row: name.row, state: record, customer: nil)
    case .ready, .inDoubt, .settled: return nil
    }
  }
}
