internal import CHotPath

/// A small fixed map from byte strings to numbers, made once per configuration: open addressing over the length and the
/// first and last eight bytes (CHotPath/scan.h).
///
/// Owns raw memory for speed (no reference counts, no bounds checks in the hot loop), so it is not copyable.
struct NameTable: ~Copyable {
  let entries: UnsafeMutablePointer<meterd_name>
  /// The number of places, less 1.
  let mask: Int

  /// A map of the names; the empty one is never found. Values are ≥ 0.
  init(_ names: [String: Int32]) {
    var size = 16
    while size < names.count * 4 { size *= 2 }
    mask = size - 1
    entries = .allocate(capacity: size)
    entries.initialize(repeating: meterd_name(), count: size)
    for (name, value) in names where !name.isEmpty {
      let utf8 = Array(name.utf8)
      let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: utf8.count)
      copy.initialize(from: utf8, count: utf8.count)
      var entry = meterd_name()
      meterd_name_words(copy, utf8.count, utf8.count, &entry.first, &entry.last)
      entry.name = UnsafeRawPointer(copy)
      entry.count = Int32(utf8.count)
      entry.slot = value
      var place = meterd_name_place(entry.first, entry.last, utf8.count, mask)
      while entries[place].count != 0 { place = (place + 1) & mask }
      entries[place] = entry
    }
  }

  deinit {
    for place in 0...mask { entries[place].name?.deallocate() }
    entries.deallocate()
  }

  /// The value of a name, or −1.
  func find(_ name: ByteSlice) -> Int32 {
    guard name.count > 0, let start = name.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return -1 }
    var first: UInt64 = 0
    var last: UInt64 = 0
    meterd_name_words(start, name.count, name.count, &first, &last)
    return meterd_find_name(entries, mask, start, name.count, first, last)
  }
}
