/// Where a row will stand among those that came with it.
struct RowPlace {
  let order: RowOrder
  /// Its place in what was handed over.
  let number: UInt32

  /// Sorts rows of one claim that ascend by their index: by timestamp then, and stably. Timestamps of a claim mostly lie
  /// within hours of each other, so two or three passes over eleven bits each do what a million comparisons would.
  static func sortRowsOfOneClaim(_ run: inout [RowPlace]) {
    guard let first = run.first?.order.timestampMilliseconds else { return }
    var least = first
    var greatest = first
    var isSorted = true
    var last = first
    for entry in run {
      let timestamp = entry.order.timestampMilliseconds
      if timestamp < last { isSorted = false }
      last = timestamp
      least = min(least, timestamp)
      greatest = max(greatest, timestamp)
    }
    if isSorted { return }
    let (span, overflow) = greatest.subtractingReportingOverflow(least)
    guard !overflow, span < 1 << 44 else { return run.sort { $0.order < $1.order } }
    var other = run
    var shift: Int64 = 0
    while span >> shift > 0 {
      pass(from: run, to: &other, least: least, shift: shift)
      swap(&run, &other)
      shift += 11
    }
  }

  /// Deals the rows out by eleven bits of their timestamps, in their order.
  private static func pass(
    from run: [RowPlace], to other: inout [RowPlace], least: Int64, shift: Int64
  ) {
    func digit(_ entry: RowPlace) -> Int {
      Int((entry.order.timestampMilliseconds - least) >> shift & 2_047)
    }
    var starts = [Int](repeating: 0, count: 2_048)
    for entry in run { starts[digit(entry)] += 1 }
    var start = 0
    for value in starts.indices {
      let count = starts[value]
      starts[value] = start
      start += count
    }
    for entry in run {
      let value = digit(entry)
      other[starts[value]] = entry
      starts[value] += 1
    }
  }
}
