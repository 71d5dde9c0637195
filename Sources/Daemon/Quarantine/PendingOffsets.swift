/// Which quarantined records of one partition are handed over and not yet acknowledged. Pure.
///
/// A replay may quarantine the same offset again while its first copy is under way, so each offset has a count.
struct PendingOffsets {
  private var counts: [Int64: Int] = [:]
  /// Ascending but for replays; cleaned lazily.
  private var order: [Int64] = []
  private var start = 0

  /// A record of this offset was handed over.
  mutating func added(_ offset: Int64) {
    counts[offset, default: 0] += 1
    if let last = order.last, last > offset {
      // Rare: a replay went back. Keep the order, so that the lowest stays in front.
      let place = order[start...].firstIndex { $0 > offset } ?? order.endIndex
      order.insert(offset, at: place)
    } else {
      order.append(offset)
    }
  }

  /// A record of this offset was acknowledged.
  mutating func acknowledged(_ offset: Int64) {
    guard let count = counts[offset] else { return }
    counts[offset] = count > 1 ? count - 1 : nil
    while start < order.count, counts[order[start]] == nil { start += 1 }
    if start > 1_024, start * 2 > order.count {
      order.removeFirst(start)
      start = 0
    }
  }

  /// Every record below this offset is acknowledged; Int64.max where nothing is under way.
  var acknowledgedThrough: Int64 { start < order.count ? order[start] : .max }
  /// Records under way.
  var count: Int { counts.values.reduce(0, +) }
}
