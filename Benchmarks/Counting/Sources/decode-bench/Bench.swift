import GeneratedText
import Metering

/// Records laid out one behind the other, as a batch of the consumer holds them.
struct Corpus {
  let bytes: [UInt8]
  let starts: [Int]

  init(count: Int, _ make: (Int) -> String) {
    var bytes: [UInt8] = []
    var starts: [Int] = []
    for index in 0..<count {
      starts.append(bytes.count)
      bytes += Array(make(index).utf8)
    }
    starts.append(bytes.count)
    self.bytes = bytes
    self.starts = starts
  }

  var averageBytes: Int { bytes.count / (starts.count - 1) }
}

func instant(_ random: inout Random) -> String {
  let millisecond = random.next() % 3_600_000
  return "2026-11-21T10:\(padded(millisecond / 60_000, 2)):\(padded(millisecond / 1000 % 60, 2))"
    + ".\(padded(millisecond % 1000, 3))Z"
}

/// Nanoseconds per event: the best and the middle of the runs.
func measure(_ corpus: Corpus, _ rules: CountingRules, runs: Int) -> (best: Double, median: Double, bad: Int) {
  var decoder = EventDecoder(rules: rules, partition: 0)
  var events = [DecodedEvent](repeating: DecodedEvent(), count: 64)
  var results: [Double] = []
  var bad = 0
  var sum: Int128 = 0
  let clock: Int64 = 1_795_255_200_000  // 2026-11-21T10:00:00Z
  corpus.bytes.withUnsafeBytes { bytes in
    events.withUnsafeMutableBufferPointer { events in
      for _ in 0..<runs {
        bad = 0
        let start = ContinuousClock.now
        for index in 0..<corpus.starts.count - 1 {
          if index & 63 == 0 { decoder.resetScratch() }
          let value = UnsafeRawBufferPointer(rebasing: bytes[corpus.starts[index]..<corpus.starts[index + 1]])
          let record = RecordView(value: value, offset: Int64(index), timestampMilliseconds: clock)
          if decoder.decode(record, clockMilliseconds: clock, into: &events[index & 63]) != nil {
            bad += 1
          } else {
            sum &+= events[index & 63].quantity.units
          }
        }
        let elapsed = ContinuousClock.now - start
        results.append(Double(elapsed.components.attoseconds) / 1e9 / Double(corpus.starts.count - 1))
      }
    }
  }
  results.sort()
  if sum == 1 { print("never") }
  return (results[0], results[results.count / 2], bad)
}
