internal import Metering

/// How long usage takes from its record to its settlement: remembers when the oldest record of each cut was written, and
/// of each claim the oldest of its cuts.
///
/// Only what this process has counted is known: rows of a claim that it took over are not timed. Belongs to one worker.
struct SettleTimes {
  private struct Cut {
    var number: UInt64
    var oldest: Int64
  }
  private struct Sink {
    var cuts: [Cut] = []
    var claims: [UInt64: Int64] = [:]
  }

  /// The first record of each batch since the last cut.
  private var marks: [(offset: Int64, timestamp: Int64)] = []
  private var sinks: [String: Sink]
  /// While a sink takes no claims (an outage) cuts pile up; then the latest ones count as one.
  private static let limit = 1_000

  /// Times for these sinks.
  init(sinks names: [String]) {
    sinks = Dictionary(names.map { ($0, Sink()) }, uniquingKeysWith: { first, _ in first })
  }

  /// A batch was counted: its first record, with its timestamp (Unix milliseconds; below 0: it has none).
  mutating func counted(offset: Int64, timestamp: Int64, now: Int64) {
    let written = timestamp >= 0 ? min(timestamp, now) : now
    if marks.count == Self.limit { marks.removeLast() }
    marks.append((offset, written))
  }

  /// A cut of [from, to) stands.
  mutating func cut(_ number: UInt64, from: Int64, to: Int64) {
    // A batch that began before the cut reaches into it.
    let first = marks.lastIndex { $0.offset <= from } ?? 0
    let covered = marks[first...].prefix { $0.offset < to }
    defer { if let keep = marks.lastIndex(where: { $0.offset <= to }) { marks.removeFirst(keep) } }
    guard let oldest = covered.map(\.timestamp).min() else { return }
    for name in sinks.keys {
      let last = (sinks[name]?.cuts.count ?? 0) - 1
      if last + 1 == Self.limit {
        sinks[name]?.cuts[last].number = number
      } else {
        sinks[name]?.cuts.append(Cut(number: number, oldest: oldest))
      }
    }
  }

  /// A claim over all cuts up to that one stands.
  mutating func claimed(sink: String, claim: UInt64, throughCut: UInt64, rows: Int) {
    guard let cuts = sinks[sink]?.cuts else { return }
    let taken = cuts.prefix { $0.number <= throughCut }
    sinks[sink]?.cuts.removeFirst(taken.count)
    guard rows > 0, let oldest = taken.map(\.oldest).min() else { return }
    sinks[sink]?.claims[claim] = oldest
    if (sinks[sink]?.claims.count ?? 0) > Self.limit, let first = sinks[sink]?.claims.keys.min() {
      sinks[sink]?.claims[first] = nil
    }
  }

  /// Seconds from the oldest record of the claim to now; nil where it is not known.
  func seconds(sink: String, claim: UInt64, now: Int64) -> Double? {
    sinks[sink]?.claims[claim].map { Double(max(0, now - $0)) / 1_000 }
  }
}
