/// Which quarantined records of one partition are handed over and not yet acknowledged. Pure.
///
/// A replay may quarantine the same offset again while its first copy is under way, so each offset has a count.
struct PendingOffsets {
  private struct Entry {
    var offset: Int64
    /// Copies under way.
    var count: Int32
    /// Where the headers of the only copy belong (``QuarantineHeaders``).
    var place: Int32?
  }

  /// Ascending; those in front of ``start`` are done.
  private var entries: [Entry] = []
  private var start = 0

  /// A record of this offset is handed over, with headers that belong in a place, if they may be used again.
  mutating func added(_ offset: Int64, place: Int32? = nil) {
    guard let last = entries.last, start < entries.count, last.offset >= offset else {
      return entries.append(Entry(offset: offset, count: 1, place: place))
    }
    // Rare: a replay went back.
    let index = index(of: offset)
    if index < entries.count, entries[index].offset == offset {
      entries[index].count += 1
      entries[index].place = nil
    } else {
      entries.insert(Entry(offset: offset, count: 1, place: place), at: index)
    }
  }

  /// A record of this offset was acknowledged. Returns where its headers belong.
  @discardableResult mutating func acknowledged(_ offset: Int64) -> Int32? {
    // Nearly always the first one.
    let index = start < entries.count && entries[start].offset == offset ? start : index(of: offset)
    guard index < entries.count, entries[index].offset == offset, entries[index].count > 0 else { return nil }
    entries[index].count -= 1
    let place = entries[index].place
    while start < entries.count, entries[start].count == 0 { start += 1 }
    if start > 1_024, start * 2 > entries.count {
      entries.removeFirst(start)
      start = 0
    }
    return place
  }

  /// The first index, from ``start`` on, of an entry that is not below an offset.
  private func index(of offset: Int64) -> Int {
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
  var count: Int { entries[start...].reduce(0) { $0 + Int($1.count) } }
}
