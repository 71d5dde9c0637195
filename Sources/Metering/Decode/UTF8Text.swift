internal import CHotPath

/// UTF-8 and JSON escapes: the strict form, byte by byte where a byte is not plain ASCII.
enum UTF8Text {
  /// The length of the well-formed UTF-8 sequence at `at` whose first byte is beyond ASCII, or 0 where it is malformed
  /// (overlong, a surrogate, beyond U+10FFFF, cut off).
  static func sequenceLength(_ bytes: ByteSlice, at: Int) -> Int {
    let left = bytes.count - at
    @inline(__always) func follows(_ distance: Int, _ low: UInt8 = 0x80, _ high: UInt8 = 0xbf) -> Bool {
      distance < left && bytes[at + distance] >= low && bytes[at + distance] <= high
    }
    switch bytes[at] {
    case 0xc2...0xdf: return follows(1) ? 2 : 0
    case 0xe0: return follows(1, 0xa0) && follows(2) ? 3 : 0
    case 0xed: return follows(1, 0x80, 0x9f) && follows(2) ? 3 : 0
    case 0xe1...0xef: return follows(1) && follows(2) ? 3 : 0
    case 0xf0: return follows(1, 0x90) && follows(2) && follows(3) ? 4 : 0
    case 0xf1...0xf3: return follows(1) && follows(2) && follows(3) ? 4 : 0
    case 0xf4: return follows(1, 0x80, 0x8f) && follows(2) && follows(3) ? 4 : 0
    default: return 0
    }
  }

  /// Whether all of it is well-formed UTF-8.
  static func isValid(_ bytes: ByteSlice) -> Bool {
    var at = 0
    while at < bytes.count {
      if bytes[at] < 0x80 {
        at += 1
      } else {
        let length = sequenceLength(bytes, at: at)
        guard length > 0 else { return false }
        at += length
      }
    }
    return true
  }

  /// The four hexadecimal digits at `at`, or `nil`.
  static func hexadecimal(_ bytes: ByteSlice, at: Int) -> UInt32? {
    guard at + 4 <= bytes.count else { return nil }
    var value: UInt32 = 0
    for index in at..<at + 4 {
      let byte = bytes[index]
      switch byte {
      case 0x30...0x39: value = value << 4 | UInt32(byte - 0x30)
      case 0x41...0x46: value = value << 4 | UInt32(byte - 0x41 + 10)
      case 0x61...0x66: value = value << 4 | UInt32(byte - 0x61 + 10)
      default: return nil
      }
    }
    return value
  }

  /// The length of the escape at `at` (a backslash), surrogate pairs included, or 0 where it is malformed.
  static func escapeLength(_ bytes: ByteSlice, at: Int) -> Int {
    guard at + 1 < bytes.count else { return 0 }
    switch bytes[at + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      return 2
    case UInt8(ascii: "u"):
      guard let unit = hexadecimal(bytes, at: at + 2) else { return 0 }
      if unit & 0xf800 != 0xd800 { return 6 }
      // A high surrogate must be followed by the escape of a low one; nothing else may be one.
      guard unit < 0xdc00, at + 12 <= bytes.count, bytes[at + 6] == UInt8(ascii: "\\"),
        bytes[at + 7] == UInt8(ascii: "u"), let low = hexadecimal(bytes, at: at + 8), low & 0xfc00 == 0xdc00
      else { return 0 }
      return 12
    default: return 0
    }
  }

  /// Writes the text of a validated string content to `target`, which has room for `content.count` bytes (an escape is
  /// never shorter than what it stands for). Returns the number of bytes written.
  static func unescape(_ content: ByteSlice, to target: UnsafeMutableRawPointer) -> Int {
    var at = 0
    var written = 0
    @inline(__always) func put(_ byte: UInt32) {
      target.storeBytes(of: UInt8(truncatingIfNeeded: byte), toByteOffset: written, as: UInt8.self)
      written += 1
    }
    while at < content.count {
      let byte = content[at]
      guard byte == UInt8(ascii: "\\") else {
        put(UInt32(byte))
        at += 1
        continue
      }
      switch content[at + 1] {
      case UInt8(ascii: "b"): put(0x08)
      case UInt8(ascii: "f"): put(0x0c)
      case UInt8(ascii: "n"): put(0x0a)
      case UInt8(ascii: "r"): put(0x0d)
      case UInt8(ascii: "t"): put(0x09)
      case UInt8(ascii: "u"):
        var scalar = hexadecimal(content, at: at + 2) ?? 0
        if scalar & 0xfc00 == 0xd800 {
          scalar = 0x10000 + (scalar & 0x3ff) << 10 + ((hexadecimal(content, at: at + 8) ?? 0) & 0x3ff)
          at += 6
        }
        at += 4
        if scalar < 0x80 {
          put(scalar)
        } else if scalar < 0x800 {
          put(0xc0 | scalar >> 6)
          put(0x80 | scalar & 0x3f)
        } else if scalar < 0x10000 {
          put(0xe0 | scalar >> 12)
          put(0x80 | scalar >> 6 & 0x3f)
          put(0x80 | scalar & 0x3f)
        } else {
          put(0xf0 | scalar >> 18)
          put(0x80 | scalar >> 12 & 0x3f)
          put(0x80 | scalar >> 6 & 0x3f)
          put(0x80 | scalar & 0x3f)
        }
      case let same: put(UInt32(same))  // " \ /
      }
      at += 2
    }
    return written
  }
}
