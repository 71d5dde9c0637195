/// Which quarantined records of one partition are handed over and not yet acknowledged. Pure.
///
/// A replay may quarantine the same offset again while its first copy is under way, so each offset has a count.
struct PendingOffsets {
  private struct Entry {
    var offset: Int64
    /// Copies under way.
    var count: Int
  }

  /// Ascending; those in front of ``start`` are done.
  private var entries: [Entry] = []
  private var start = 0

  /// A record of this offset was handed over.
  mutating func added(_ offset: Int64) {
    guard let last = entries.last, start < entries.count, last.offset >= offset else {
      return entries.append(Entry(offset: offset, count: 1))
    }
    // Rare: a replay went back.
    let place = place(of: offset)
    if place < entries.count, entries[place].offset == offset {
      entries[place].count += 1
    } else {
      entries.insert(Entry(offset: offset, count: 1), at: place)
    }
  }

  /// A record of this offset was acknowledged.
  mutating func acknowledged(_ offset: Int64) {
    // Nearly always the first one.
    let place = start < entries.count && entries[start].offset == offset ? start : place(of: offset)
    guard place < entries.count, entries[place].offset == offset, entries[place].count > 0 else { return }
    entries[place].count -= 1
    while start < entries.count, entries[start].count == 0 { start += 1 }
    if start > 1_024, start * 2 > entries.count {
      entries.removeFirst(start)
      start = 0
    }
  }

  /// The first place, from ``start`` on, of an entry that is not below an offset.
  private func place(of offset: Int64) -> Int {
    var low = start
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].offset < offset { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Every record below this offset is acknowledged; Int64.max where nothing is under way.
  var acknowledgedThrough: Int64 { start < entries.count ? entries[start].offset : .max }
  /// Records under way.
  var count: Int { entries[start...].reduce(0) { $0 + $1.count } }
}
