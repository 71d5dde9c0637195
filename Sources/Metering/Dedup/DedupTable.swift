internal import CHotPath

/// The fingerprints of one bucket segment in memory: the entries in the order of their sightings, and an index of four
/// bytes a slot, by open addressing with linear probing.
///
/// A first sighting, which nearly every event is, touches the index only, a quarter of what slots with whole entries
/// would be, and appends. Growing reads the entries from front to back and writes the index anew.
///
/// A fingerprint's home is given by its top bits, and a probe never wraps around: behind the last home stand spare
/// slots. So the index, read from front to back, is in fingerprint order but for the order within each run of used
/// slots: sealing is one pass.
package struct DedupTable: ~Copyable {
  /// The least number of homes.
  package static let leastCapacity = 4096
  /// The greatest: a slot's number must leave at least one bit to tell fingerprints apart.
  package static let greatestCapacity = 1 << 31
  /// Slots behind the last home. With a keyed hash and a load of 3/4 a run of this length is not met.
  package static let spare = 256
  /// How far ahead a pass over all slots or entries asks for memory.
  private static let ahead = 16

  private var region: HotRegion
  /// The index: 0 where a slot is free, else the entry's number + 1 in the low bits, as many as `capacity` has, and
  /// above them the bits of its fingerprint that follow those of its home.
  private var slots: UnsafeMutablePointer<UInt32>
  /// The entries, in the order of their sightings.
  package private(set) var log: EntryLog
  private var entries: UnsafeMutablePointer<DedupEntry>
  private var capacity: Int
  private var homeBits: UInt64
  /// The low bits of a slot.
  private var numberMask: UInt32
  /// The fingerprints held.
  package private(set) var count = 0

  /// - Parameter most: the bytes up to which it will grow where it lies.
  package init(capacity: Int = DedupTable.leastCapacity, growingTo most: Int = 0) {
    precondition(capacity >= 4 && capacity.nonzeroBitCount == 1)
    self.capacity = capacity
    homeBits = UInt64(capacity.trailingZeroBitCount)
    numberMask = UInt32(capacity - 1)
    region = HotRegion(bytes: Self.indexBytes(capacity), reserving: most / 4 + Self.indexBytes(0))
    slots = region.start.bindMemory(to: UInt32.self, capacity: capacity + Self.spare)
    log = EntryLog(capacity: Self.most(capacity), growingTo: most)
    entries = log.entries
  }

  // MARK: Memory

  /// The entries that fit under the load limit of 3/4.
  @inline(__always) private static func most(_ capacity: Int) -> Int { capacity / 4 * 3 }
  private static func indexBytes(_ capacity: Int) -> Int { (capacity + spare) * MemoryLayout<UInt32>.stride }
  private static func entryBytes(_ count: Int) -> Int { count * MemoryLayout<DedupEntry>.stride }

  /// Memory in use, in bytes.
  package var bytes: Int { Self.indexBytes(capacity) + Self.entryBytes(count) }
  /// Memory that it may come to use before it grows again, in bytes.
  package var bytesWhenFull: Int { Self.indexBytes(capacity) + Self.entryBytes(Self.most(capacity)) }
  /// The most memory that it comes to use by doubling its homes so many times, in bytes: the new size's, and its own too
  /// only where the addresses do not reach.
  package func bytesAfterDoubling(times: Int = 1) -> Int {
    let grown = capacity << times
    let bytes = Self.indexBytes(grown) + Self.entryBytes(Self.most(grown))
    return reachesDouble(times: times) ? bytes : self.bytes + bytes
  }
  /// Whether it can double its homes so many times where it lies.
  package func reachesDouble(times: Int = 1) -> Bool {
    region.reaches(Self.indexBytes(capacity << times)) && log.reaches(Self.most(capacity << times))
  }
  /// Whether it can double its homes so many times.
  package func canDouble(times: Int = 1) -> Bool { capacity <= Self.greatestCapacity >> times }
  /// How many times it has to double its homes for so many more fingerprints.
  package func doublings(for more: Int) -> Int {
    var times = 0
    while canDouble(times: times + 1), count + more > Self.most(capacity << times) { times += 1 }
    return times
  }
  /// Whether so many more fingerprints fit under the load limit.
  @inline(__always) package func hasRoom(for more: Int) -> Bool { count &+ more <= Self.most(capacity) }

  // MARK: Looking and holding

  @inline(__always) private func home(_ fingerprint: Fingerprint) -> Int {
    Int(truncatingIfNeeded: fingerprint.head &>> (64 &- homeBits))
  }

  /// The bits of a fingerprint that follow those of its home, at the place that they have in a slot; below them others.
  @inline(__always) private func mark(_ fingerprint: Fingerprint) -> UInt32 {
    UInt32(truncatingIfNeeded: (fingerprint.head &<< homeBits) &>> 32)
  }

  @inline(__always) package func prefetch(_ fingerprint: Fingerprint) {
    meterd_prefetch_write(slots + home(fingerprint))
  }

  /// The check held for a fingerprint.
  @inline(__always) package func check(of fingerprint: Fingerprint) -> UInt32? { look(fingerprint).check }

  /// The check held for a fingerprint; where there is none, holds `check` for it and returns `nil`.
  @inline(__always) package mutating func checkOrInsert(_ fingerprint: Fingerprint, check: UInt32) -> UInt32? {
    let (known, slot) = look(fingerprint)
    if let known { return known }
    insert(DedupEntry(fingerprint, check: check), at: slot)
    return nil
  }

  /// The check held for a fingerprint, and the slot where its probe ends.
  @inline(__always) private func look(_ fingerprint: Fingerprint) -> (check: UInt32?, slot: Int) {
    let mark = mark(fingerprint)
    var slot = home(fingerprint)
    while true {
      let word = slots[slot]
      if word == 0 { return (nil, slot) }
      if (word ^ mark) & ~numberMask == 0 {
        let entry = entries[Int(word & numberMask) &- 1]
        if entry.head == fingerprint.head, UInt32(truncatingIfNeeded: entry.tailAndCheck >> 32) == fingerprint.tail {
          return (entry.check, slot)
        }
      }
      slot &+= 1
    }
  }

  @inline(__always) private mutating func insert(_ entry: DedupEntry, at free: Int) {
    var slot = free
    if !hasRoom(for: 1) {
      grow()
      slot = freeSlot(entry.fingerprint)
    }
    entries[count] = entry
    count &+= 1
    slots[slot] = mark(entry.fingerprint) & ~numberMask | UInt32(truncatingIfNeeded: count)
    // The very last slot stays free, so that every probe ends.
    if slot >= capacity &+ Self.spare &- 2 { grow() }
  }

  @inline(__always) private func freeSlot(_ fingerprint: Fingerprint) -> Int {
    var slot = home(fingerprint)
    while slots[slot] != 0 { slot &+= 1 }
    return slot
  }

  // MARK: Growing

  /// Doubles the homes so many times.
  @inline(never) package mutating func grow(times: Int = 1) {
    precondition(canDouble(times: times), "2^31 homes are the most: the caller freezes the table before")
    let grown = capacity << times
    growLog(to: Self.most(grown))
    let bytes = Self.indexBytes(grown)
    region.clear()
    if !region.grow(to: bytes) {
      // Beyond what was foreseen: it moves once, to addresses for two more sizes.
      region = HotRegion(bytes: bytes, reserving: bytes * 4)
      slots = region.start.bindMemory(to: UInt32.self, capacity: grown + Self.spare)
    }
    capacity = grown
    homeBits += UInt64(times)
    numberMask = UInt32(capacity - 1)
    for number in 0..<count {
      if number + Self.ahead < count { prefetch(entries[number + Self.ahead].fingerprint) }
      let fingerprint = entries[number].fingerprint
      let slot = freeSlot(fingerprint)
      precondition(slot < capacity + Self.spare - 2, "hundreds of fingerprints share their top bits: no hash")
      slots[slot] = mark(fingerprint) & ~numberMask | UInt32(number + 1)
    }
  }

  private mutating func growLog(to most: Int) {
    if log.grow(to: most) { return }
    let longer = EntryLog(capacity: most, growingTo: Self.entryBytes(most) * 4)
    longer.entries.update(from: entries, count: count)
    log = longer
    entries = longer.entries
  }

  /// Has memory given now that the next so many fingerprints will use, as far as `most` bytes go: the index's first, which
  /// each of them may touch anywhere.
  package func populate(for more: Int, most: Int) {
    let index = min(most, Self.indexBytes(capacity))
    region.populate(0..<index)
    let entries = min(more, Self.most(capacity) - count, (most - index) / MemoryLayout<DedupEntry>.stride)
    log.populate(count..<count + max(0, entries))
  }

  /// Gives back the addresses that it would have grown into.
  package mutating func trim() {
    region.trim()
    log.trim()
  }

  // MARK: Reading

  /// Calls `body` with every entry, in fingerprint order.
  package func forEachSorted<Failure: Error>(_ body: (DedupEntry) throws(Failure) -> Void) throws(Failure) {
    var run: [DedupEntry] = []
    for slot in 0..<(capacity + Self.spare) {
      let word = slots[slot]
      if slot + Self.ahead < capacity {
        let later = slots[slot + Self.ahead]
        if later != 0 { meterd_prefetch_read(entries + Int(later & numberMask) - 1) }
      }
      if word != 0 {
        run.append(entries[Int(word & numberMask) - 1])
        continue
      }
      if run.isEmpty { continue }
      if run.count > 1 { run.sort(by: DedupEntry.precedes) }
      for entry in run { try body(entry) }
      run.removeAll(keepingCapacity: true)
    }
    // The last slot is always free, so no run is left over.
    assert(run.isEmpty)
  }
}

/// A table that takes no more entries: the worker looks it up while another queue writes it to a sealed segment.
///
/// `@unchecked Sendable`: nothing changes after `init`.
package final class FrozenTable: @unchecked Sendable {
  package let table: DedupTable

  package init(_ table: consuming DedupTable) { self.table = table }
}
