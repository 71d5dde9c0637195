import Metering

/// The usage topic.
extension World {
  func produce(_ count: Int) {
    for _ in 0..<count {
      let partition = Int.random(in: 0..<scenario.partitions, using: &random)
      generators[partition].produce(
        into: usage[partition], now: now, hasElusiveRecords: scenario.hasElusiveRecords, using: &random,
        coverage: &coverage)
      usage[partition].tell()
    }
  }

  /// Where `kafka.start` points to, were a ledger founded now, and the first record of the window before it.
  func beginning(of partition: Int) -> (start: Int64, dedupFrom: Int64) {
    let log = usage[partition]
    let start: Int64
    let instant: Int64
    switch scenario.start {
    case .earliest: return (log.low, log.low)
    case .latest:
      start = log.end
      instant = now
    case .instant:
      instant = cutOver
      start = log.offset(at: instant) ?? log.end
    }
    let sightings = log.offset(at: instant - rules.counting.windowMilliseconds - 7_200_000) ?? start
    return (start, min(start, sightings))
  }

  // MARK: What befalls it

  /// Whether another topic of the same name stands in its place.
  var isRecreated: Bool { counted != nil }

  /// The topic is deleted and made anew, with other records. True where every partition has a record in the head's cut, by
  /// which that can be seen.
  func recreateTopic() -> Bool {
    guard counted == nil, watches.allSatisfy({ $0.fold.head?.lastRecord != nil }) else { return false }
    coverage.note("fault: topic re-created")
    trace?("\(now) the topic is re-created")
    counted = usage
    usage = usage.map { log in
      let other = UsageLog()
      for number in 0..<random.pick(0...2 * log.end) {
        if random.oneIn(5) {
          other.appendHole()
        } else {
          let text = #"{"idempotencyKey":"x\#(number)","customerId":"c1","featureId":"calls","amount":1}"#
          other.append(
            text: text, customer: "c1", timestamp: now, meaning: Meaning(kind: .malformed, timeMilliseconds: nil))
        }
      }
      return other
    }
    // Whoever reads a topic that is deleted is told so.
    for process in processes { for host in process.hosts.sorted(by: { $0.key < $1.key }) { host.value.startOver() } }
    return true
  }

  /// The topic that is counted is back, and a person has started everything again.
  func restoreTopic() {
    guard let counted else { return }
    trace?("\(now) the topic is restored")
    usage = counted
    self.counted = nil
    for process in processes {
      process.kill()
      process.start()
    }
  }
}
