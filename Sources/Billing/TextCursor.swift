/// Text on its way into memory that has room for it: whoever makes one sees to that. A piece of a row's text costs less so
/// than the question whether an array has room for it.
struct TextCursor {
  /// Where the next byte goes.
  private(set) var at: UnsafeMutablePointer<UInt8>
  private let end: UnsafeMutablePointer<UInt8>

  /// "00" to "99".
  private static let pairs: StaticString = """
    0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
    5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899
    """

  init(_ room: UnsafeMutableBufferPointer<UInt8>, at place: Int) {
    guard let base = room.baseAddress else { preconditionFailure("there is no room at all") }
    at = base + place
    end = base + room.count
  }

  /// The bytes that there is still room for; ends the process where more were written.
  var room: Int {
    precondition(at <= end, "more text than there was room for")
    return end - at
  }

  @inline(__always) mutating func byte(_ byte: UInt8) {
    assert(at < end)
    at.initialize(to: byte)
    at += 1
  }

  /// Text as it is.
  @inline(__always) mutating func raw(_ text: StaticString) {
    assert(text.utf8CodeUnitCount <= end - at)
    at.initialize(from: text.utf8Start, count: text.utf8CodeUnitCount)
    at += text.utf8CodeUnitCount
  }

  @inline(__always) mutating func raw(_ text: UnsafeBufferPointer<UInt8>) {
    assert(text.count <= end - at)
    guard let base = text.baseAddress else { return }
    at.initialize(from: base, count: text.count)
    at += text.count
  }

  /// Text that somebody else writes, who says how many bytes it took.
  @inline(__always) mutating func raw(count: Int, _ write: (UnsafeMutablePointer<UInt8>) -> Void) {
    assert(count <= end - at)
    write(at)
    at += count
  }

  // MARK: Numbers

  /// A number as decimal text, at most 20 bytes.
  mutating func number(_ value: Int64) {
    if value < 0 { byte(UInt8(ascii: "-")) }
    number(value.magnitude)
  }

  mutating func number(_ value: UInt64) {
    // Most are counts or Unix milliseconds.
    var digits = value < 1_000_000_000_000 ? 1 : 13
    var bound: UInt64 = value < 1_000_000_000_000 ? 10 : 10_000_000_000_000
    while digits < 20, value >= bound {
      digits += 1
      bound = bound.multipliedReportingOverflow(by: 10).partialValue
    }
    self.digits(value, count: digits)
  }

  /// The last `count` digits of a number, with zeros before it.
  @inline(__always) mutating func digits(_ value: UInt64, count: Int) {
    assert(count <= end - at)
    var rest = value
    var place = count
    while place >= 2 {
      place -= 2
      let pair = Self.pairs.utf8Start + Int(rest % 100) * 2
      rest /= 100
      (at + place).initialize(from: pair, count: 2)
    }
    if place == 1 { at.initialize(to: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)) }
    at += count
  }

  // MARK: JSON

  /// A JSON string of valid UTF-8: at most six bytes for each of it, and two.
  @inline(__always) mutating func string(_ text: UnsafeBufferPointer<UInt8>) {
    byte(UInt8(ascii: "\""))
    if Self.needsEscape(text) { escaped(text) } else { raw(text) }
    byte(UInt8(ascii: "\""))
  }

  private mutating func escaped(_ text: UnsafeBufferPointer<UInt8>) {
    for byte in text {
      guard Self.needsEscape(byte) else {
        self.byte(byte)
        continue
      }
      self.byte(UInt8(ascii: "\\"))
      if byte < 0x20 {
        raw("u00")
        self.byte(Self.hexDigit(byte >> 4))
        self.byte(Self.hexDigit(byte & 15))
      } else {
        self.byte(byte)
      }
    }
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  private static func needsEscape(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  /// Whether any byte needs an escape: eight at a time.
  @inline(__always) private static func needsEscape(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    guard text.count >= 8, let base = text.baseAddress else { return text.contains(where: needsEscape) }
    let bytes = UnsafeRawPointer(base)
    var at = 0
    while at + 8 <= text.count {
      if needsEscape(bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) { return true }
      at += 8
    }
    // The last eight, of which some were looked at before.
    return needsEscape(bytes.loadUnaligned(fromByteOffset: text.count - 8, as: UInt64.self))
  }

  @inline(__always) private static func needsEscape(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quote = word ^ ones &* UInt64(UInt8(ascii: "\""))
    let backslash = word ^ ones &* UInt64(UInt8(ascii: "\\"))
    let found =
      (word &- ones &* 0x20) & ~word | (quote &- ones) & ~quote | (backslash &- ones) & ~backslash
    return found & (ones &* 0x80) != 0
  }
}
