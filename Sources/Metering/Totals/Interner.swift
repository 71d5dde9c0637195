internal import CHotPath

/// Numbers for the distinct strings of one range: 0, 1, 2 … in order of first sight.
///
/// A slot is one cache line and holds strings up to 48 bytes itself, so that a look-up of a known name touches nothing
/// else; longer ones are compared in the arena, where every string's bytes stand for the cut.
package struct Interner: ~Copyable {
  private static let slotBytes = 64
  private static let inlineBytes = 48
  private static let leastCapacity = 256

  // Slot: hash (8), number + 1 or 0 for free (4), length (4), bytes (48).
  private var slots: UnsafeMutableRawPointer
  private var capacity: Int
  private var arena: UnsafeMutableRawPointer
  private var arenaCapacity = 4096
  private var arenaCount = 0
  /// Where each string ends in the arena.
  private var ends: UnsafeMutablePointer<Int>
  private var endsCapacity = 256
  /// The strings interned.
  package private(set) var count = 0

  /// An interner that takes so many strings before its slots grow.
  package init(expecting strings: Int = 0) {
    capacity = Self.leastCapacity
    while capacity < strings * 2 { capacity *= 2 }
    slots = HotMemory.allocate(capacity * Self.slotBytes)
    arena = .allocate(byteCount: arenaCapacity, alignment: 16)
    ends = .allocate(capacity: endsCapacity)
  }

  deinit {
    HotMemory.free(slots, capacity * Self.slotBytes)
    arena.deallocate()
    ends.deallocate()
  }

  @inline(__always) package func prefetch(_ hash: UInt64) {
    meterd_prefetch_read(slots + (Int(truncatingIfNeeded: hash) & (capacity &- 1)) &* Self.slotBytes)
  }

  /// The number of a string, given its keyed hash.
  @inline(__always) package mutating func number(of bytes: UnsafeRawBufferPointer, hash: UInt64) -> UInt32 {
    var index = Int(truncatingIfNeeded: hash) & (capacity &- 1)
    while true {
      let slot = slots + index &* Self.slotBytes
      let stored = slot.load(fromByteOffset: 8, as: UInt32.self)
      if stored == 0 { return insert(bytes, hash: hash, at: index) }
      if slot.load(as: UInt64.self) == hash,
        Int(slot.load(fromByteOffset: 12, as: UInt32.self)) == bytes.count,
        Self.equal(
          bytes, at: bytes.count <= Self.inlineBytes ? UnsafeRawPointer(slot + 16) : start(of: Int(stored) &- 1))
      {
        return stored &- 1
      }
      index = (index &+ 1) & (capacity &- 1)
    }
  }

  /// Whether a slice's bytes are those at `other`.
  @inline(__always) private static func equal(_ bytes: UnsafeRawBufferPointer, at other: UnsafeRawPointer) -> Bool {
    guard let base = bytes.baseAddress else { return true }
    let count = bytes.count
    var at = 0
    while at &+ 8 <= count {
      if base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        != other.loadUnaligned(fromByteOffset: at, as: UInt64.self)
      {
        return false
      }
      at &+= 8
    }
    return WordLoad.partial(base + at, count &- at, of: count)
      == WordLoad.partial(other + at, count &- at, of: count)
  }

  @inline(__always) private func start(of number: Int) -> UnsafeRawPointer {
    UnsafeRawPointer(arena) + (number == 0 ? 0 : ends[number &- 1])
  }

  @inline(never) private mutating func insert(
    _ bytes: UnsafeRawBufferPointer, hash: UInt64, at index: Int
  ) -> UInt32 {
    var index = index
    if (count + 1) * 2 > capacity {
      growSlots()
      index = freeSlot(hash)
    }
    reserve(bytes.count)
    if let base = bytes.baseAddress { (arena + arenaCount).copyMemory(from: base, byteCount: bytes.count) }
    arenaCount += bytes.count
    ends[count] = arenaCount
    let slot = slots + index * Self.slotBytes
    slot.storeBytes(of: hash, as: UInt64.self)
    slot.storeBytes(of: UInt32(count + 1), toByteOffset: 8, as: UInt32.self)
    slot.storeBytes(of: UInt32(bytes.count), toByteOffset: 12, as: UInt32.self)
    if bytes.count <= Self.inlineBytes, let base = bytes.baseAddress {
      (slot + 16).copyMemory(from: base, byteCount: bytes.count)
    }
    count += 1
    return UInt32(count - 1)
  }

  private func freeSlot(_ hash: UInt64) -> Int {
    var index = Int(truncatingIfNeeded: hash) & (capacity - 1)
    while (slots + index * Self.slotBytes).load(fromByteOffset: 8, as: UInt32.self) != 0 {
      index = (index + 1) & (capacity - 1)
    }
    return index
  }

  private mutating func growSlots() {
    let old = slots
    let oldCapacity = capacity
    capacity *= 2
    slots = HotMemory.allocate(capacity * Self.slotBytes)
    for index in 0..<oldCapacity {
      let slot = old + index * Self.slotBytes
      if slot.load(fromByteOffset: 8, as: UInt32.self) == 0 { continue }
      let place = freeSlot(slot.load(as: UInt64.self))
      (slots + place * Self.slotBytes).copyMemory(from: slot, byteCount: Self.slotBytes)
    }
    HotMemory.free(old, oldCapacity * Self.slotBytes)
  }

  private mutating func reserve(_ bytes: Int) {
    if arenaCount + bytes > arenaCapacity {
      let capacity = max(arenaCapacity * 2, arenaCount + bytes)
      let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
      larger.copyMemory(from: arena, byteCount: arenaCount)
      arena.deallocate()
      arena = larger
      arenaCapacity = capacity
    }
    if count == endsCapacity {
      let larger = UnsafeMutablePointer<Int>.allocate(capacity: endsCapacity * 2)
      larger.update(from: ends, count: count)
      ends.deallocate()
      ends = larger
      endsCapacity *= 2
    }
  }

  /// The bytes of a number. Valid until the next string is interned.
  package func bytes(of number: UInt32) -> UnsafeRawBufferPointer {
    precondition(number < count, "no string has this number")
    let start = start(of: Int(number))
    return UnsafeRawBufferPointer(start: start, count: ends[Int(number)] - (start - UnsafeRawPointer(arena)))
  }
}
