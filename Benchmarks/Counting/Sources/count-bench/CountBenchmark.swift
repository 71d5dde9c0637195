import Metering

/// Prints what counting costs, stage by stage, without Kafka: ns an event, of the fastest round.
///
///     count-bench [EVENTS [ROUNDS [BATCH]]]
@main enum CountBenchmark {
  static func main() {
    let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
    let events = arguments.first ?? 1_000_000
    let rounds = arguments.dropFirst().first ?? 5
    let batches = arguments.count > 2 ? [arguments[2]] : [1_000, 10_000, 50_000]
    for (name, bad) in [("clean", UInt64(0)), ("10 % bad", 1_000)] {
      let records = Records(count: events, customers: 10_000, duplicates: 200, bad: bad)
      print("\(name): \(events) records of \(records.averageBytes) bytes, best of \(rounds) rounds, ns an event")
      records.withViews { views in
        let decoding = (0..<rounds).map { _ in decode(views) }.min() ?? 0
        print("  decode alone \(text(decoding))")
        for batch in batches {
          let sightings = (0..<rounds).map { _ in Round(views, batch: batch, mode: .sightingsOnly) }
          let counting = (0..<rounds).map { _ in Round(views, batch: batch, mode: .count) }
          let best = counting.min { $0.count < $1.count }
          guard let best, let sight = sightings.map(\.count).min() else { continue }
          print(
            "  batches of \(batch): read and sight \(text(sight)), the same and add \(text(best.count)); "
              + "take commit \(text(best.commit)); cut \(text(best.cut)), \(text(best.cut * Double(events) / Double(max(1, best.rows)))) a row "
              + "(\(best.rows) rows in \(Round.cuts) cuts); quarantined \(best.quarantined)")
        }
      }
    }
  }

  static func text(_ value: Double) -> String {
    String(Int(value * 10 + 0.5) / 10) + "." + String(Int(value * 10 + 0.5) % 10)
  }

  static func decode(_ views: UnsafeBufferPointer<RecordView>) -> Double {
    var decoder = EventDecoder(rules: CountingRules(), partition: 0)
    var event = DecodedEvent()
    let begin = ContinuousClock.now
    var bad = 0
    for index in views.indices {
      if index & 63 == 0 { decoder.resetScratch() }
      if decoder.decode(views[index], clockMilliseconds: Records.start, into: &event) != nil { bad += 1 }
    }
    return nanoseconds(since: begin) / Double(views.count)
  }

  static func nanoseconds(since begin: ContinuousClock.Instant) -> Double {
    let elapsed = ContinuousClock.now - begin
    return Double(elapsed.components.seconds) * 1e9 + Double(elapsed.components.attoseconds) / 1e9
  }
}

/// One pass over all records with a fresh counter, as a worker does it.
struct Round {
  static let cuts = 5
  var count = 0.0
  var commit = 0.0
  var cut = 0.0
  var rows = 0
  var quarantined = 0

  init(_ views: UnsafeBufferPointer<RecordView>, batch: Int, mode: CountMode) {
    var counter = PartitionCounter(
      rules: CountingRules(), partition: 0, fingerprintKey: FingerprintKey(low: 1, high: 2),
      start: CounterStart(nextOffset: 0, clockMilliseconds: 0, capMilliseconds: Records.start + 3_600_000),
      memoryLimit: 1 << 30, rowLimit: 10_000_000)
    var at = 0
    var held: [JournalChunk] = []
    var refused = 0
    for number in 1...Self.cuts {
      let end = views.count * number / Self.cuts
      while at < end {
        let begin = ContinuousClock.now
        let slice = UnsafeBufferPointer(rebasing: views[at..<min(end, at + batch)])
        let outcome = counter.count(slice, mode: mode) { _, _, _ in refused += 1 }
        count += CountBenchmark.nanoseconds(since: begin)
        precondition(outcome.stop == .batchEnd)
        at += outcome.consumed
      }
      var begin = ContinuousClock.now
      let frozen = counter.beginRange(at: counter.nextOffset)
      cut += CountBenchmark.nanoseconds(since: begin)
      rows += frozen.rows.count
      begin = .now
      held = counter.takeCommit()
      commit += CountBenchmark.nanoseconds(since: begin)
    }
    precondition(!held.isEmpty)
    quarantined = refused
    count /= Double(views.count)
    commit /= Double(views.count)
    cut /= Double(views.count)
  }
}
