import Foundation
import LMDB
import Metering
import Storage

/// A folder that goes with the test.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("store-\(UUID())").path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var segmentFiles: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { $0.hasPrefix("segment-") }.sorted()
  }

  /// Changes one byte of a file.
  func flip(_ name: String, at place: Int) throws {
    let url = URL(fileURLWithPath: path + "/" + name)
    var data = try Data(contentsOf: url)
    data[place] ^= 0x40
    try data.write(to: url)
  }
}

/// A stream of events whose keys repeat, in a handful of buckets, as JSON records.
struct TestStream {
  static let start: Int64 = 1_700_000_000_000
  static let key = FingerprintKey(low: 11, high: 12)
  static let rules: CountingRules = {
    var rules = CountingRules()
    rules.windowMilliseconds = 3_600_000
    rules.keyCheck = .off
    return rules
  }()

  private var state: UInt64
  private(set) var json: [[UInt8]] = []
  private(set) var timestamps: [Int64] = []

  init(seed: UInt64, count: Int, keys: Int, buckets: Int64) {
    state = seed
    let step = rulesSpan(buckets) / Int64(count)
    for index in 0..<count {
      let number = Int(next() % UInt64(keys))
      let amount = next() % 50 == 0 ? number + 1 : number
      timestamps.append(Self.start + Int64(index) * step)
      json.append(
        Array(
          "{\"idempotencyKey\":\"k\(number)\",\"customerId\":\"c\(number % 50)\",\"featureId\":\"f\(number % 4)\",\"amount\":\(amount)}"
            .utf8))
    }
  }

  private mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }

  func count(_ counter: inout PartitionCounter, to end: Int, mode: CountMode = .count) -> CountOutcome {
    let from = Int(counter.nextOffset)
    let all = json[from..<end].flatMap { $0 }
    return all.withUnsafeBytes { bytes in
      var at = 0
      var views: [RecordView] = []
      for offset in from..<end {
        let value = UnsafeRawBufferPointer(rebasing: bytes[at..<at + json[offset].count])
        views.append(
          RecordView(value: value, offset: Int64(offset), timestampMilliseconds: timestamps[offset]))
        at += json[offset].count
      }
      return views.withUnsafeBufferPointer { counter.count($0, mode: mode) { _, _, _ in } }
    }
  }
}

private func rulesSpan(_ buckets: Int64) -> Int64 { buckets * TestStream.rules.bucketMilliseconds }

func counterStart(_ offset: Int64 = 0, clock: Int64 = TestStream.start) -> CounterStart {
  CounterStart(nextOffset: offset, clockMilliseconds: clock, capMilliseconds: .max)
}

extension PartitionStore {
  func counter(_ start: CounterStart = counterStart(), memoryLimit: Int = .max) throws -> RestoredCounter {
    try makeCounter(
      rules: TestStream.rules, partition: 0, fingerprintKey: TestStream.key, start: start, memoryLimit: memoryLimit)
  }
}

func storeState(head: Int64, clock: Int64 = TestStream.start) -> StoreState {
  StoreState(
    genesis: [1, 2, 3], configurationDigest: [4], ledgerPosition: 77, ledgerDigest: [5, 6], headRecord: [7],
    headOffset: head, headClockMilliseconds: clock, bucketMilliseconds: TestStream.rules.bucketMilliseconds)
}
