/// Which quarantined records of one partition are handed over and not yet acknowledged. Pure.
///
/// A replay may quarantine the same offset again while its first copy is under way, so each offset has a count. What a
/// record was handed over with (`Companion`) comes back with its acknowledgement, unless there were two copies.
struct PendingOffsets<Companion> {
  private struct Entry {
    var offset: Int64
    /// Copies under way.
    var count: Int32
    /// That of the only copy.
    var companion: Companion?
  }

  /// Ascending; those in front of ``start`` are done.
  private var entries: [Entry] = []
  private var start = 0

  /// A record of this offset is handed over.
  mutating func added(_ offset: Int64, with companion: Companion? = nil) {
    guard let last = entries.last, start < entries.count, last.offset >= offset else {
      return entries.append(Entry(offset: offset, count: 1, companion: companion))
    }
    // Rare: a replay went back.
    let index = index(of: offset)
    if index < entries.count, entries[index].offset == offset {
      entries[index].count += 1
      entries[index].companion = nil
    } else {
      entries.insert(Entry(offset: offset, count: 1, companion: companion), at: index)
    }
  }

  /// A record of this offset was acknowledged. Returns what it was handed over with.
  @discardableResult mutating func acknowledged(_ offset: Int64) -> Companion? {
    // Nearly always the first one.
    let index = start < entries.count && entries[start].offset == offset ? start : index(of: offset)
    guard index < entries.count, entries[index].offset == offset, entries[index].count > 0 else { return nil }
    entries[index].count -= 1
    let companion = entries[index].companion
    while start < entries.count, entries[start].count == 0 { start += 1 }
    if start > 1_024, start * 2 > entries.count {
      entries.removeFirst(start)
      start = 0
    }
    return companion
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
