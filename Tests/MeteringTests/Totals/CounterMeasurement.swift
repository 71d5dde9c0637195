import Foundation
import Metering
import TestSupport
import Testing

/// CPU time of one event, printed; run it in release mode with METERD_BIG=1. It asserts on results, never on speed.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["METERD_BIG"] == "1"), .serialized)
struct CounterMeasurement {
  /// Batches of events of 193 bytes: 10,000 customers × 10 features, 2 % repeats.
  private struct Batches {
    static let count = 50_000
    var bytes = [UInt8](repeating: 0, count: count * 256)
    var places: [Range<Int>] = []
    var next: Int64 = 0
    var random = SeededRandom(seed: 4)
    var expectedUnique: Int64 = 0

    mutating func fill() {
      places.removeAll(keepingCapacity: true)
      var at = 0
      for _ in 0..<Self.count {
        var number = UInt64(next)
        if next > 1000, random.next() % 50 == 0 {
          number = UInt64(next) - 1 - random.next() % 999
          // Only a number that was not a repeat itself is certainly there.
        }
        let customer = number &* 0x9e37_79b9_7f4a_7c15 >> 40 % 10_000
        let text =
          "{\"idempotencyKey\":\"0190f2a4-7c1e-7b2a-9d4e-\(String(number, radix: 16).leftPadded(12))\","
          + "\"customerId\":\"cus_\(String(customer).leftPadded(12))\",\"featureId\":\"feature_\(number % 10)\","
          + "\"amount\":\(number % 1000).25,\"timestamp\":\(UsageStream.start + Int64(number % 3_000_000)),"
          + "\"region\":\"eu-west-1\"}"
        for byte in text.utf8 {
          bytes[at] = byte
          at += 1
        }
        places.append((at - text.utf8.count)..<at)
        next += 1
      }
    }

    func withViews(_ body: (UnsafeBufferPointer<RecordView>) -> Void) {
      let first = next - Int64(Self.count)
      bytes.withUnsafeBytes { all in
        let views = places.enumerated().map { index, place in
          RecordView(
            value: UnsafeRawBufferPointer(rebasing: all[place]), offset: first + Int64(index),
            timestampMilliseconds: UsageStream.start + 3_000_000)
        }
        views.withUnsafeBufferPointer(body)
      }
    }
  }

  private static func cpuNanoseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
  }

  @Test func oneEvent() throws {
    var batches = Batches()
    var rules = UsageStream.rules
    rules.windowMilliseconds = 86_400_000
    rules.features = [:]
    var decoder = EventDecoder(rules: rules, partition: 0)
    var counter = PartitionCounter(
      rules: rules, partition: 0, fingerprintKey: UsageStream.key,
      start: CounterStart(nextOffset: 0, clockMilliseconds: UsageStream.start, capMilliseconds: .max),
      memoryLimit: .max)
    var decode = 0.0
    var count = 0.0
    var commit = 0.0
    var sightings = 0
    let millions = ProcessInfo.processInfo.environment["METERD_BIG_MILLIONS"].flatMap { Int($0) } ?? 10
    let rounds = millions * 20
    let event = UnsafeMutablePointer<DecodedEvent>.allocate(capacity: 64)
    defer { event.deallocate() }
    for round in 0..<rounds {
      batches.fill()
      batches.withViews { views in
        var start = Self.cpuNanoseconds()
        for at in 0..<views.count {
          if at & 63 == 0 { decoder.resetScratch() }
          _ = decoder.decode(views[at], clockMilliseconds: UsageStream.start + 3_000_000, into: &event[at & 63])
        }
        decode += Self.cpuNanoseconds() - start
        start = Self.cpuNanoseconds()
        let outcome = counter.count(views) { _, _, _ in }
        count += Self.cpuNanoseconds() - start
        #expect(outcome == CountOutcome(consumed: views.count, stop: .batchEnd))
      }
      if round % 20 == 19 {
        let start = Self.cpuNanoseconds()
        sightings += counter.takeCommit().reduce(0) { $0 + $1.sightings }
        commit += Self.cpuNanoseconds() - start
      }
    }
    let events = Double(rounds * Batches.count)
    let cutStart = Self.cpuNanoseconds()
    let frozen = counter.beginRange(at: counter.nextOffset)
    let cut = (Self.cpuNanoseconds() - cutStart) / 1e6
    #expect(frozen.counters.isBalanced && frozen.counters.counted == Int64(sightings))
    #expect(frozen.counters.duplicate > Int64(events / 60))
    print(
      """
      \(Int(events)) events, \(batches.places.last?.count ?? 0) bytes each, \(frozen.counters.duplicate) duplicates
      decode alone \(decode / events) ns, count \(count / events) ns, difference \((count - decode) / events) ns
      take commit \(commit / events) ns an event, cut of \(frozen.rowCount) rows \(cut) ms
      \(counter.dedupMemoryBytes >> 20) MiB for \(counter.dedupKeys) keys
      """)
  }
}

extension String {
  fileprivate func leftPadded(_ count: Int) -> String {
    String(repeating: "0", count: Swift.max(0, count - self.count)) + self
  }
}
