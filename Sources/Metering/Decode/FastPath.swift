internal import CHotPath

// The fast path: CHotPath's scanner takes records of the common shape (ASCII without backslashes, control characters or
// deep nesting), and only those in which nothing needs the general path's rules. It then finds just what that would.

/// What the scanner keeps from one record for the next, and while it reads one. Owns its raw memory.
struct FastPath: ~Copyable {
  let members: UnsafeMutablePointer<meterd_member>
  let layout: UnsafeMutablePointer<meterd_name>
  var scanner: meterd_scanner
  var days = DayCache()
  /// Whether the form of the scanner is used that any processor can run; for tests.
  var isBaseline = false

  /// For the names of a plan, which must outlive this; the values go to `fields`.
  init(names: borrowing NameTable, preferred: UInt32, fields: UnsafeMutablePointer<FieldValue>) {
    members = .allocate(capacity: METERD_SCAN_MEMBERS)
    layout = .allocate(capacity: METERD_SCAN_LAYOUT)
    layout.initialize(repeating: meterd_name(), count: METERD_SCAN_LAYOUT)
    scanner = meterd_scanner(
      names: names.entries, name_mask: names.mask, layout: layout, fields: fields, members: members, member_count: 0,
      objects: 0, preferences: (0, 0, 0, 0, 0, 0, 0), preferred: preferred)
  }

  deinit {
    members.deallocate()
    layout.deallocate()
  }

  /// Reads a record's value; false where it is for the general path.
  @inline(__always)
  mutating func read(_ value: ByteSlice) -> Bool {
    guard let bytes = value.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
    if isBaseline { return meterd_scan_baseline(&scanner, bytes, value.count) }
    return meterd_scan(&scanner, bytes, value.count)
  }

  /// The value of one dimension: the first in the first object that holds it.
  func dimension(_ name: [UInt8]) -> FieldValue {
    name.withUnsafeBytes { name in
      var best = FieldValue.absent
      var bestPreference = Int32.max
      for number in 0..<Int(scanner.member_count) {
        let member = members[number]
        guard member.preference < bestPreference, member.value.kind != .absent, Int(member.name_count) == name.count,
          ByteSlice(start: member.name, count: name.count).isSame(as: name)
        else { continue }
        best = member.value
        bestPreference = member.preference
      }
      return best
    }
  }
}

/// Reads a date once for all events of one day.
struct DayCache {
  private var first: UInt64 = 0
  private var last: UInt64 = 0
  private var days: Int64 = 0
  private var isLastOfMonth = false

  /// As ``TimeText/milliseconds(rfc3339:)``.
  @inline(__always)
  mutating func milliseconds(_ text: ByteSlice) -> Int64? {
    guard text.count >= 20, let start = text.baseAddress else { return nil }
    // Ten bytes in two overlapping words; all zeros, as in the beginning, is no date.
    let first = meterd_load64(start)
    let last = meterd_load64(start + 2)
    if first != self.first || last != self.last || first == 0 {
      guard let read = TimeText.DateText(text) else { return nil }
      days = read.daysSinceEpoch
      isLastOfMonth = read.isLastOfMonth
      self.first = first
      self.last = last
    }
    return TimeText.milliseconds(days: days, isLastOfMonth: isLastOfMonth, text)
  }
}
