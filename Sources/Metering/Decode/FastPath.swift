internal import CHotPath

/// What the fast path keeps from one record for the next, and while it reads one.
struct FastPath: ~Copyable {
  /// The longest record that it takes.
  static let maximumBytes = 4096
  static let maximumMembers = 64

  /// One member of an object of dimensions.
  struct Member {
    var name: UnsafeRawPointer
    var nameCount: Int32
    /// The object's place in the order of preference.
    var preference: Int32
    var value: FieldValue
  }

  let quotes: UnsafeMutablePointer<UInt16>
  let members: UnsafeMutablePointer<Member>
  var memberCount = 0
  var days = DayCache()

  init() {
    quotes = .allocate(capacity: Self.maximumBytes + 72)
    members = .allocate(capacity: Self.maximumMembers)
  }

  deinit {
    quotes.deallocate()
    members.deallocate()
  }
}

/// Reads a date once for all events of one day.
struct DayCache {
  private var first: UInt64 = 0
  private var last: UInt64 = 0
  private var date: TimeText.DateText?

  /// As ``TimeText/milliseconds(rfc3339:)``.
  @inline(__always)
  mutating func milliseconds(_ text: ByteSlice) -> Int64? {
    guard text.count >= 20, let start = text.baseAddress else { return nil }
    // Ten bytes in two overlapping words.
    let first = meterd_load64(start)
    let last = meterd_load64(start + 2)
    if first != self.first || last != self.last {
      guard let read = TimeText.DateText(text) else { return nil }
      date = read
      self.first = first
      self.last = last
    }
    guard let date else { return nil }
    return TimeText.milliseconds(date: date, text)
  }
}

// The fast path: records of the common shape, ASCII without backslashes, control characters or deep nesting. One pass of
// vector compares finds all quotation marks; the walk from mark to mark validates the rest. It takes a record only if
// nothing in it needs the general path's rules, and then finds just what that would.
extension EventDecoder {
  /// Fills ``fields``; false where the record is for the general path.
  @inline(__always)
  mutating func readFast(_ record: RecordView) -> Bool {
    let count = record.value.count
    guard count >= 16, count <= FastPath.maximumBytes, let bytes = record.value.baseAddress else { return false }
    // The last byte is a brace: every run of spaces, digits or letters below ends before it.
    guard bytes.load(fromByteOffset: count &- 1, as: UInt8.self) == UInt8(ascii: "}"),
      bytes.load(as: UInt8.self) == UInt8(ascii: "{")
    else { return false }
    let found = Int(meterd_quote_positions(bytes.assumingMemoryBound(to: UInt8.self), count, fast.quotes))
    guard found > 0, found & 1 == 0 else { return false }
    if record.headers.count > 0, hasEventHeader(record) { return false }

    for concept in 0..<Concept.count { fields[concept] = .absent }
    fast.memberCount = 0
    var walk = FastWalk(bytes: bytes, count: count, quotes: fast.quotes, quoteCount: found)
    var preferences: UInt64 = 0  // of the concepts that have an order of preference, eight bits each
    var objects: UInt32 = 0  // of dimensions, by preference
    while true {
      guard walk.readName() else { return false }
      let slot = plan.hotNames.find(walk.name, count: walk.nameCount, readable: count &- walk.nameOffset)
      guard walk.readValue() else { return false }
      if slot >= 0 {
        let concept = Int(slot & 0xff)
        if concept < Concept.count {
          // A second value of a concept is for the rules of ambiguity or preference.
          if walk.kind == .container { return false }
          if walk.kind != .absent {
            let preference = UInt64(slot >> 8)
            let shift = UInt64(concept &* 8)
            if fields[concept].kind == .absent {
              preferences |= preference << shift
            } else {
              let held = preferences >> shift & 0xff
              guard plan.replacedConcepts >> UInt32(concept) & 1 == 1, held != preference else { return false }
              if held < preference {
                if walk.isAtEnd { break }
                continue
              }
              preferences = preferences & ~(0xff << shift) | preference << shift
            }
            fields[concept] = FieldValue(
              start: bytes + walk.valueOffset, count: Int32(truncatingIfNeeded: walk.valueCount),
              position: Int32(truncatingIfNeeded: walk.valueOffset), kind: walk.kind)
          }
        } else if concept == Concept.dimensions {
          let preference = UInt32(slot >> 8)
          if walk.kind == .container {
            guard objects >> preference & 1 == 0, readMembers(&walk, preference: Int32(preference)) else {
              return false
            }
            objects |= 1 << preference
          } else if walk.kind != .absent {
            return false
          }
        } else {
          return false
        }
      } else if walk.kind == .container {
        guard readMembers(&walk, preference: -1) else { return false }
      }
      if walk.isAtEnd { break }
    }
    return walk.isComplete
  }

  @inline(never)
  private func hasEventHeader(_ record: RecordView) -> Bool {
    for header in record.headers where header.name.isSame(as: "ce_specversion") { return true }
    return false
  }

  /// Reads an object of plain values, from behind its opening brace to behind its closing one. Keeps its members if it
  /// has a preference (≥ 0).
  @inline(never)
  private mutating func readMembers(_ outer: inout FastWalk, preference: Int32) -> Bool {
    var walk = outer
    guard walk.enter() else { return false }
    while !walk.isAtEnd {
      guard walk.readName(), walk.readValue(), walk.kind != .container else { return false }
      guard preference >= 0 else { continue }
      guard fast.memberCount < FastPath.maximumMembers else { return false }
      fast.members[fast.memberCount] = FastPath.Member(
        name: walk.name, nameCount: Int32(truncatingIfNeeded: walk.nameCount), preference: preference,
        value: FieldValue(
          start: walk.bytes + walk.valueOffset, count: Int32(truncatingIfNeeded: walk.valueCount),
          position: Int32(truncatingIfNeeded: walk.valueOffset), kind: walk.kind))
      fast.memberCount &+= 1
    }
    outer = walk
    return outer.leave()
  }

  /// The value of one dimension: the first in the first object that holds it.
  func fastDimension(_ index: Int, _ record: RecordView) -> FieldValue {
    plan.dimensionNames[index].withUnsafeBytes { name in
      var best = FieldValue.absent
      var bestPreference = Int32.max
      for number in 0..<fast.memberCount {
        let member = fast.members[number]
        guard member.preference < bestPreference, member.value.kind != .absent, Int(member.nameCount) == name.count,
          ByteSlice(start: member.name, count: name.count).isSame(as: name)
        else { continue }
        best = member.value
        bestPreference = member.preference
      }
      return best
    }
  }
}

/// A walk over one object of a record whose quotation marks are known. The record's last byte is a closing brace.
struct FastWalk {
  let bytes: UnsafeRawPointer
  let count: Int
  let quotes: UnsafeMutablePointer<UInt16>
  let quoteCount: Int
  /// The next quotation mark.
  var quote = 0
  /// The next byte to be read.
  var at = 1
  var nameOffset = 0
  var nameCount = 0
  var valueOffset = 0
  var valueCount = 0
  /// Of the value read last; a container is only entered.
  var kind = FieldValue.Kind.absent
  /// Whether the object that is being read has been closed.
  var isAtEnd = false

  init(bytes: UnsafeRawPointer, count: Int, quotes: UnsafeMutablePointer<UInt16>, quoteCount: Int) {
    self.bytes = bytes
    self.count = count
    self.quotes = quotes
    self.quoteCount = quoteCount
  }

  var name: UnsafeRawPointer { bytes + nameOffset }
  /// Whether the record has been read to its end, with no quotation mark left.
  var isComplete: Bool { at == count && quote == quoteCount }

  @inline(__always)
  private func byte(_ offset: Int) -> UInt8 { bytes.load(fromByteOffset: offset, as: UInt8.self) }

  /// Stops at the last byte of the record at the latest.
  @inline(__always)
  private mutating func skipSpaces() { while byte(at) == 0x20 { at &+= 1 } }

  /// Reads a name and its colon.
  @inline(__always)
  mutating func readName() -> Bool {
    skipSpaces()
    guard quote &+ 1 < quoteCount, at == Int(quotes[quote]) else { return false }
    let close = Int(quotes[quote &+ 1])
    nameOffset = at &+ 1
    nameCount = close &- nameOffset
    quote &+= 2
    at = close &+ 1
    skipSpaces()
    guard byte(at) == UInt8(ascii: ":") else { return false }
    at &+= 1
    return true
  }

  /// Reads a value and the comma or brace behind it. A container is left as it is, the reader behind its opening brace.
  @inline(__always)
  mutating func readValue() -> Bool {
    skipSpaces()
    let first = byte(at)
    if first == UInt8(ascii: "\"") {
      guard quote &+ 1 < quoteCount, at == Int(quotes[quote]) else { return false }
      let close = Int(quotes[quote &+ 1])
      valueOffset = at &+ 1
      valueCount = close &- valueOffset
      kind = .string
      quote &+= 2
      at = close &+ 1
    } else if first &- 48 <= 9 || first == UInt8(ascii: "-") {
      let length = NumberText.length(in: ByteSlice(start: bytes, count: count), from: at)
      guard length > 0 else { return false }
      valueOffset = at
      valueCount = length
      kind = .number
      at &+= length
    } else if first == UInt8(ascii: "{") {
      at &+= 1
      kind = .container
      return at < count
    } else {
      guard readWord(first) else { return false }
    }
    return leave()
  }

  private mutating func readWord(_ first: UInt8) -> Bool {
    let length = first == UInt8(ascii: "f") ? 5 : 4
    // A word is never the last of a record: its brace is.
    guard at &+ length < count else { return false }
    valueOffset = at
    valueCount = length
    let start = bytes + at
    switch first {
    case UInt8(ascii: "t"):
      guard meterd_equal(start, "true", 4) else { return false }
      kind = .true
    case UInt8(ascii: "f"):
      guard meterd_equal(start, "false", 5) else { return false }
      kind = .false
    case UInt8(ascii: "n"):
      guard meterd_equal(start, "null", 4) else { return false }
      kind = .absent
    default: return false
    }
    at &+= length
    return true
  }

  /// Reads the comma or the closing brace behind a value.
  @inline(__always)
  mutating func leave() -> Bool {
    guard at < count else { return false }
    skipSpaces()
    let next = byte(at)
    at &+= 1
    isAtEnd = next == UInt8(ascii: "}")
    return isAtEnd || (next == UInt8(ascii: ",") && at < count)
  }

  /// Behind an opening brace: whether the object is empty.
  mutating func enter() -> Bool {
    skipSpaces()
    isAtEnd = byte(at) == UInt8(ascii: "}")
    if isAtEnd { at &+= 1 }
    return true
  }
}
