internal import CHotPath

/// The fingerprints of one bucket segment in memory: open addressing, linear probing, 16 bytes a slot.
///
/// A fingerprint's home is given by its top bits, and a probe never wraps around: behind the last home stand spare
/// slots. So the table, read from front to back, is in fingerprint order but for the order within each run of used
/// slots: growing and sealing are sequential passes.
package struct DedupTable: ~Copyable {
  package static let slotBytes = MemoryLayout<DedupEntry>.stride
  /// The least number of homes: 64 KiB.
  package static let leastCapacity = 4096
  /// Slots behind the last home. With a keyed hash and a load of 5/8 a run of this length is not met.
  package static let spare = 256

  private var region: HotRegion
  /// The region's start: the same for as long as its addresses last.
  private var slots: UnsafeMutablePointer<DedupEntry>
  private var capacity: Int
  private var shift: UInt64
  /// The fingerprints held.
  package private(set) var count = 0

  /// - Parameter most: the bytes up to which it will grow where it lies.
  package init(capacity: Int = DedupTable.leastCapacity, growingTo most: Int = 0) {
    precondition(capacity >= 2 && capacity.nonzeroBitCount == 1)
    self.capacity = capacity
    shift = UInt64(64 - capacity.trailingZeroBitCount)
    region = HotRegion(bytes: Self.bytes(capacity: capacity), reserving: most)
    slots = region.start.bindMemory(to: DedupEntry.self, capacity: capacity + Self.spare)
  }

  private static func bytes(capacity: Int) -> Int { (capacity + spare) * slotBytes }
  /// Memory held, in bytes.
  package var bytes: Int { Self.bytes(capacity: capacity) }
  /// The most memory that it holds while it grows to the next size, in bytes: that size's, and its own only where the
  /// addresses do not reach.
  package var bytesWhileGrowing: Int {
    let grown = Self.bytes(capacity: capacity * 2)
    return region.reaches(grown) ? grown : bytes + grown
  }
  /// Whether so many more fingerprints fit under the load limit of 5/8.
  @inline(__always) package func hasRoom(for more: Int) -> Bool { (count &+ more) &* 8 <= capacity &* 5 }

  @inline(__always) private func home(_ fingerprint: Fingerprint) -> Int {
    Int(truncatingIfNeeded: fingerprint.head >> shift)
  }

  @inline(__always) package func prefetch(_ fingerprint: Fingerprint) {
    meterd_prefetch_write(slots + home(fingerprint))
  }

  /// The check held for a fingerprint.
  @inline(__always) package func check(of fingerprint: Fingerprint) -> UInt32? {
    let (slot, found) = place(of: fingerprint)
    return found ? slots[slot].check : nil
  }

  /// The check held for a fingerprint; where there is none, holds `check` for it and returns `nil`.
  @inline(__always) package mutating func checkOrInsert(_ fingerprint: Fingerprint, check: UInt32) -> UInt32? {
    let (slot, found) = place(of: fingerprint)
    if found { return slots[slot].check }
    insert(DedupEntry(fingerprint, check: check), at: slot)
    return nil
  }

  /// The slot that holds a fingerprint, or the free one where its probe ends.
  @inline(__always) private func place(of fingerprint: Fingerprint) -> (slot: Int, found: Bool) {
    var slot = home(fingerprint)
    while true {
      let entry = slots[slot]
      if entry.head == 0 { return (slot, false) }
      if entry.head == fingerprint.head, UInt32(truncatingIfNeeded: entry.tailAndCheck >> 32) == fingerprint.tail {
        return (slot, true)
      }
      slot &+= 1
    }
  }

  @inline(__always) private mutating func insert(_ entry: DedupEntry, at slot: Int) {
    slots[slot] = entry
    count &+= 1
    // The very last slot stays free, so that every probe ends.
    if slot >= capacity &+ Self.spare &- 2 { grow() }
  }

  /// Doubles the homes.
  @inline(never) package mutating func grow() {
    let used = capacity + Self.spare
    let bytes = Self.bytes(capacity: capacity * 2)
    if !region.grow(to: bytes) {
      // Beyond what was foreseen: it moves once, to addresses for two more sizes.
      var larger = HotRegion(bytes: bytes, reserving: bytes * 4)
      larger.start.copyMemory(from: slots, byteCount: used * Self.slotBytes)
      swap(&region, &larger)
      slots = region.start.bindMemory(to: DedupEntry.self, capacity: capacity * 2 + Self.spare)
    }
    capacity *= 2
    shift -= 1
    spread(used)
    precondition(slots[capacity + Self.spare - 2].head == 0, "hundreds of fingerprints share their top bits: no hash")
  }

  /// Moves the entries of the first `used` slots to their new homes, from the last run of used slots to the first.
  ///
  /// A run begins with an entry whose home h that slot was: so the homes of its entries, now at least 2h, lie in its
  /// own slots or behind them, and no run before it is touched.
  private mutating func spread(_ used: Int) {
    var run: [DedupEntry] = []
    run.reserveCapacity(Self.spare)
    var end = used
    while end > 0 {
      end -= 1
      if slots[end].head == 0 { continue }
      while true {
        run.append(slots[end])
        slots[end] = DedupEntry.free
        if end == 0 || slots[end - 1].head == 0 { break }
        end -= 1
      }
      for entry in run {
        let (place, _) = place(of: entry.fingerprint)
        slots[place] = entry
      }
      run.removeAll(keepingCapacity: true)
    }
  }

  /// Gives back the addresses that it would have grown into.
  package mutating func trim() { region.trim() }

  /// Calls `body` with every entry, in fingerprint order.
  package func forEachSorted<Failure: Error>(_ body: (DedupEntry) throws(Failure) -> Void) throws(Failure) {
    var run: [DedupEntry] = []
    for slot in 0..<(capacity + Self.spare) {
      if slots[slot].head != 0 {
        run.append(slots[slot])
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
