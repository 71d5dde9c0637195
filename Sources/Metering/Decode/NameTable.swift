internal import CHotPath

/// A small fixed map from byte strings to numbers, made once per configuration: open addressing over the length and the
/// first and last eight bytes, which say everything about a name of up to sixteen.
///
/// Owns raw memory for speed (no reference counts, no bounds checks in the hot loop), so it is not copyable.
struct NameTable: ~Copyable {
  private struct Entry {
    var first: UInt64
    var last: UInt64
    var name: UnsafeMutableRawPointer?
    var count: Int
    var value: Int32
  }

  private let entries: UnsafeMutablePointer<Entry>
  private let size: Int

  /// A map of the names, which must differ; the empty name is never found. Values are ≥ 0.
  init(_ names: [String: Int32]) {
    var size = 16
    while size < names.count * 4 { size *= 2 }
    self.size = size
    entries = .allocate(capacity: size)
    entries.initialize(repeating: Entry(first: 0, last: 0, name: nil, count: 0, value: -1), count: size)
    for (name, value) in names where !name.isEmpty {
      let utf8 = Array(name.utf8)
      let copy = UnsafeMutableRawPointer.allocate(byteCount: utf8.count, alignment: 8)
      utf8.withUnsafeBytes { copy.copyBytes($0) }
      let (first, last) = Self.words(copy, count: utf8.count, readable: utf8.count)
      var slot = Self.slot(first, last, utf8.count, size)
      while entries[slot].count != 0 { slot = (slot + 1) & (size - 1) }
      entries[slot] = Entry(first: first, last: last, name: copy, count: utf8.count, value: value)
    }
  }

  deinit {
    for index in 0..<size { entries[index].name?.deallocate() }
    entries.deallocate()
  }

  /// The first and the last eight bytes; for shorter names twice the name itself, padded with zeros.
  @inline(__always)
  private static func words(_ name: UnsafeRawPointer, count: Int, readable: Int) -> (UInt64, UInt64) {
    if count >= 8 { return (meterd_load64(name), meterd_load64(name + (count - 8))) }
    var word: UInt64 = 0
    if readable >= 8 {
      word = meterd_load64(name) & ((1 << UInt64(truncatingIfNeeded: count &* 8)) &- 1)
    } else {
      for index in 0..<count { word |= UInt64(name.load(fromByteOffset: index, as: UInt8.self)) << UInt64(index * 8) }
    }
    return (word, word)
  }

  @inline(__always)
  private static func slot(_ first: UInt64, _ last: UInt64, _ count: Int, _ size: Int) -> Int {
    let mixed = (first ^ (last &* 0x9e37_79b9_7f4a_7c15) ^ UInt64(truncatingIfNeeded: count)) &* 0xd6e8_feb8_6659_fd93
    return Int(truncatingIfNeeded: mixed >> 40) & (size &- 1)
  }

  /// The value of a name, or −1. `readable`: how many bytes may be read from its start on, at least its length.
  @inline(__always)
  func find(_ name: UnsafeRawPointer, count: Int, readable: Int) -> Int32 {
    guard count > 0 else { return -1 }
    let (first, last) = Self.words(name, count: count, readable: readable)
    var slot = Self.slot(first, last, count, size)
    while true {
      let entry = entries + slot
      if entry.pointee.count == 0 { return -1 }
      if entry.pointee.first == first, entry.pointee.last == last, entry.pointee.count == count {
        if count <= 16 { return entry.pointee.value }
        if let stored = entry.pointee.name, meterd_equal(stored, name, count) { return entry.pointee.value }
      }
      slot = (slot &+ 1) & (size &- 1)
    }
  }

  /// The value of a name, or −1.
  func find(_ name: ByteSlice) -> Int32 {
    guard let start = name.baseAddress else { return -1 }
    return find(start, count: name.count, readable: name.count)
  }
}
