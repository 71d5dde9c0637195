import Metering

/// Stops, and what people do about them.
extension World {
  /// A partition has stopped. Where that is what the fault should lead to, a person removes the cause or accepts what it
  /// means; any other stop is a failure.
  func stopped(_ reason: StopReason, process: SimulatedProcess, partition: Int) {
    coverage.note("stop: \(reason.code.rawValue)")
    guard isExpected(reason, partition) else {
      return fail("partition \(partition) stopped: \(reason.code.rawValue) at \(reason.offset): \(reason.detail)")
    }
    switch reason.code {
    case .configurationWithoutVersion:
      // Either this process still has the former configuration, or nobody has raised the version.
      if process.rules == rules { rules.version += 1 }
      restart(process)
    case .sinkVanished:
      if process.rules == rules { retireVanished() }
      restart(process)
    case .rowsDeleted:
      guard random.oneIn(3) else { return resolve(reason, partition) }
      if process.rules == rules { retireWaiting(partition) }
      restart(process)
    case .logStartsBeyondHead, .windowNotRetained, .recordInHole: resolve(reason, partition)
    // Once the topic is restored, everything is started again, and counts on.
    case .logEndsBeforeHead, .topicRecreated: if random.oneIn(2) { resolve(reason, partition) }
    default: restart(process)
    }
  }

  private func isExpected(_ reason: StopReason, _ partition: Int) -> Bool {
    switch reason.code {
    case .storageFailed, .appendRefused, .configurationWithoutVersion, .sinkVanished: true
    case .rowsDeleted:
      ledgers[partition].watch?.places.contains {
        $0.seal == reason.offset && $0.first < ledgers[partition].low
      } ?? false
    case .logStartsBeyondHead: usage[partition].low > reason.offset
    case .windowNotRetained: usage[partition].low > 0 && !scenario.settings.allowPartialRebuild
    case .recordInHole: usage[partition].elusive.contains(reason.offset)
    case .logEndsBeforeHead, .topicRecreated: isRecreated
    default: false
    }
  }

  private func restart(_ process: SimulatedProcess) { process.restart(after: random.pick(1_000...30_000)) }

  private func resolve(_ reason: StopReason, _ partition: Int) {
    after(random.pick(1_000...30_000)) { [self] in
      let decision = Resolve.Decision.stop(reason: reason.code.rawValue, offset: reason.offset, argument: 0)
      let bytes = LedgerCodec.encode(
        .resolve(Resolve(decision: decision, why: "simulated")),
        identity: RecordIdentity(nonce: random.next(), sequence: 0))
      ledgers[partition].append(bytes, at: brokerTime)
    }
  }

  private func retireVanished() {
    rules.version += 1
    for sink in scenario.sinks where rules.sink(named: sink.name) == nil && wasConfigured.contains(sink.name) {
      var retired = sink.rules
      retired.isRetired = true
      rules.sinks.append(retired)
    }
  }

  /// Retires the sinks that wait for rows that are gone.
  private func retireWaiting(_ partition: Int) {
    guard let fold = ledgers[partition].watch?.fold else { return }
    rules.version += 1
    for index in rules.sinks.indices
    where fold.unclaimedCuts(of: rules.sinks[index].name).contains(where: { $0.chunks == nil }) {
      rules.sinks[index].isRetired = true
    }
  }
}
