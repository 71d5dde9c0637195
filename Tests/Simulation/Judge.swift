import Metering

/// Judges the end of a run: everything is counted and settled, and the providers hold each row's effect once.
struct Judge {
  let world: World

  func judge() {
    for watch in world.watches where !watch.isAtRest {
      let states = world.processes.map { "\($0.name) \($0.hosts[watch.partition]?.status ?? "-")" }
      let open = watch.fold.sinks.values.flatMap { sink in
        sink.claims.flatMap { claim in
          claim.rows.filter { $0.state.isOpen }.map { "\(sink.name) \(claim.number)/\($0.index): \($0.state)" }
        }
      }
      world.fail(
        """
        no rest: partition \(watch.partition) has its head at \(watch.fold.head?.offset ?? -1), the log ends at \
        \(world.usage[watch.partition].endOfRecords); \(states); rows in flight: \(open); sinks \(watch.fold.sinks.values.map { "\($0.name) active \($0.isActive) next cut \($0.nextCut) of \(watch.fold.head?.cutNumber ?? 0)" })
        """)
    }
    for sink in world.scenario.sinks { judge(sink) }
  }

  /// What was counted is what was billed, carried, parked, dropped, or uncertain without effect: to the last unit.
  private func judge(_ sink: SimulatedSink) {
    guard let provider = world.providers[sink.name] else { return }
    if let (key, values) = provider.values.first(where: { $0.value.count > 1 }) {
      world.fail("\(sink.name): \(key) was sent with \(values.count) values: \(values.sorted())")
    }
    var observed: [BilledKey: Int128] = [:]
    var expected: [BilledKey: Int128] = [:]
    for effect in provider.effects { observed[effect.booked, default: 0] += effect.units }
    for watch in world.watches {
      expected.merge(watch.billable[sink.name] ?? [:]) { $0 + $1 }
      observed.merge(watch.dropped[sink.name] ?? [:]) { $0 + $1 }
      guard let state = watch.fold.sinks[sink.name] else { continue }
      for (key, quantity) in state.carry {
        let name = BilledKey(
          customer: String(decoding: key.customer, as: UTF8.self), meter: String(decoding: key.meter, as: UTF8.self))
        observed[name, default: 0] += quantity.units
      }
      for claim in state.claims {
        for row in claim.rows {
          let key = watch.key(of: RowReference(claim: claim.number, row: row.index), sink: sink.name)
          // An uncertain row may have had its effect.
          if provider.effectsByKey[key] == nil { observed[BilledKey(row.row), default: 0] += row.row.value.units }
        }
      }
    }
    let names = Set(expected.keys).union(observed.keys).filter { expected[$0] ?? 0 != observed[$0] ?? 0 }.sorted()
    if names.isEmpty { return }
    let text = names.map { "\($0): counted \(expected[$0] ?? 0), billed \(observed[$0] ?? 0)" }
    world.fail("\(sink.name): \(text.joined(separator: "; "))")
  }
}

extension RowState {
  fileprivate var isOpen: Bool {
    switch self {
    case .ready, .inDoubt: true
    case .uncertain, .parked, .settled: false
    }
  }
}
