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
              + "take commit \(text(best.commit)); cut \(text(best.cut)), \(text(best.cut * Double(events * Round.partitions) / Double(max(1, best.rows)))) a row "
              + "(\(best.rows) rows, \(best.cutBytes) bytes in \(Round.cuts) cuts); quarantined \(best.quarantined)")
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

/// One pass over all records with fresh counters, as the workers of four partitions on one core do it: in turns, each with
/// its own keys (all see the same records, which differ by their fingerprints), so that their tables share the caches.
struct Round {
  static let cuts = 5
  static let partitions = 4
  var count = 0.0
  var commit = 0.0
  var cut = 0.0
  var rows = 0
  var cutBytes = 0
  var quarantined = 0

  private final class Partition {
    var counter: PartitionCounter
    var held: [JournalChunk] = []

    init(_ number: Int) {
      counter = PartitionCounter(
        rules: CountingRules(), partition: Int32(number),
        fingerprintKey: FingerprintKey(low: UInt64(number), high: 2),
        start: CounterStart(nextOffset: 0, clockMilliseconds: 0, capMilliseconds: Records.start + 3_600_000),
        memoryLimit: 1 << 30, rowLimit: 10_000_000)
    }
  }

  init(_ views: UnsafeBufferPointer<RecordView>, batch: Int, mode: CountMode) {
    let partitions = (0..<Self.partitions).map { Partition($0) }
    var at = 0
    var refused = 0
    for number in 1...Self.cuts {
      let end = views.count * number / Self.cuts
      while at < end {
        let slice = UnsafeBufferPointer(rebasing: views[at..<min(end, at + batch)])
        let begin = ContinuousClock.now
        for partition in partitions {
          let outcome = partition.counter.count(slice, mode: mode) { _, _, _ in refused += 1 }
          precondition(outcome.stop == .batchEnd)
        }
        count += CountBenchmark.nanoseconds(since: begin)
        at += slice.count
      }
      for partition in partitions {
        var begin = ContinuousClock.now
        let frozen = partition.counter.beginRange(at: partition.counter.nextOffset)
        let records = CutBuilder.records(
          frozen, number: 0, configuration: Digest(high: 0, low: 0), lastRecord: nil, nonce: 1, firstSequence: 0)
        cut += CountBenchmark.nanoseconds(since: begin)
        cutBytes += records.records.reduce(0) { $0 + $1.count }
        rows += frozen.rowCount
        begin = .now
        partition.held = partition.counter.takeCommit()
        commit += CountBenchmark.nanoseconds(since: begin)
      }
    }
    precondition(partitions.allSatisfy { !$0.held.isEmpty })
    quarantined = refused
    let judged = Double(views.count * Self.partitions)
    count /= judged
    commit /= judged
    cut /= judged
  }
}
