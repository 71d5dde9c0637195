/// The value of one dimension as it splits totals: strings by text, numbers by value, booleans, and absence.
public enum DimensionValue: Hashable, Sendable {
  case absent
  case string(String)
  /// The canonical text of the number: plain (`-0.5`, `1000`) up to 40 characters, else digits and exponent (`15e99`).
  case number(String)
  case boolean(Bool)
}

/// The canonical bytes of an event's used dimensions: the same bytes exactly where all values are the same.
///
/// For each dimension, in the configuration's order, one byte of kind: 0 absent, 1 string, 2 number, 3 false, 4 true;
/// after kinds 1 and 2 the length of the text as an LEB128 integer, and the text (UTF-8).
public enum DimensionEncoding {
  static let absent: UInt8 = 0
  static let string: UInt8 = 1
  static let number: UInt8 = 2
  static let no: UInt8 = 3
  static let yes: UInt8 = 4

  /// The longest text that a number is written out to, without an exponent.
  static let plainLimit = 40

  /// The values in the configuration's order, or `nil` where the bytes are no such encoding.
  public static func values(of encoding: ByteSlice) -> [DimensionValue]? {
    var values: [DimensionValue] = []
    var at = 0
    while at < encoding.count {
      let kind = encoding[at]
      at += 1
      switch kind {
      case absent: values.append(.absent)
      case no: values.append(.boolean(false))
      case yes: values.append(.boolean(true))
      case string, number:
        var length = 0
        var shift = 0
        repeat {
          guard at < encoding.count, shift <= 28 else { return nil }
          length |= Int(encoding[at] & 0x7f) << shift
          shift += 7
          at += 1
        } while encoding[at - 1] & 0x80 != 0
        guard length <= encoding.count - at else { return nil }
        guard let text = String(validating: encoding[at..<at + length], as: UTF8.self) else { return nil }
        values.append(kind == string ? .string(text) : .number(text))
        at += length
      default: return nil
      }
    }
    return values
  }

  /// The most bytes that one value of so many bytes of text takes.
  static func bound(_ textBytes: Int) -> Int { 1 + 5 + max(textBytes + 24, plainLimit + 2) }

  /// Writes one value; `target` has room for ``bound(_:)`` bytes. Returns the number of bytes written.
  static func write(_ value: FieldValue, to target: UnsafeMutableRawPointer) -> Int {
    switch value.kind {
    case .string:
      let header = writeHeader(string, length: value.bytes.count, to: target)
      (target + header).copyBytes(value.bytes)
      return header + value.bytes.count
    case .number:
      let text = target + 6
      let length = writeCanonical(NumberText(value.bytes), to: text)
      let header = writeHeader(number, length: length, to: target)
      // The header is mostly shorter than the room left for it; the regions may overlap.
      (target + header).copyMemory(from: text, byteCount: length)
      return header + length
    case .true: target.storeBytes(of: yes, as: UInt8.self)
    case .false: target.storeBytes(of: no, as: UInt8.self)
    default: target.storeBytes(of: absent, as: UInt8.self)
    }
    return 1
  }

  private static func writeHeader(_ kind: UInt8, length: Int, to target: UnsafeMutableRawPointer) -> Int {
    target.storeBytes(of: kind, as: UInt8.self)
    var at = 1
    var left = length
    repeat {
      let more: UInt8 = left > 0x7f ? 0x80 : 0
      target.storeBytes(of: UInt8(left & 0x7f) | more, toByteOffset: at, as: UInt8.self)
      left >>= 7
      at += 1
    } while left > 0
    return at
  }

  /// The one text of a number's value.
  private static func writeCanonical(_ value: NumberText, to target: UnsafeMutableRawPointer) -> Int {
    var at = 0
    func put(_ byte: UInt8) {
      target.storeBytes(of: byte, toByteOffset: at, as: UInt8.self)
      at += 1
    }
    guard value.digitCount > 0 else {
      put(UInt8(ascii: "0"))
      return at
    }
    if value.isNegative { put(UInt8(ascii: "-")) }
    let digits = value.digitCount
    let exponent = value.exponent
    // The place of the decimal point from the first digit on: 125·10⁻¹ has it after 2.
    let point = Int64(digits) + exponent
    let plainLength = exponent >= 0 ? point : point > 0 ? Int64(digits) + 1 : 2 - point + Int64(digits)
    if plainLength <= Int64(plainLimit) {
      if point <= 0 {
        put(UInt8(ascii: "0"))
        put(UInt8(ascii: "."))
        for _ in 0..<(-point) { put(UInt8(ascii: "0")) }
      }
      var written: Int64 = 0
      for byte in value.significant where byte != UInt8(ascii: ".") {
        if written == point, point > 0 { put(UInt8(ascii: ".")) }
        put(byte)
        written += 1
      }
      while written < point {
        put(UInt8(ascii: "0"))
        written += 1
      }
      return at
    }
    for byte in value.significant where byte != UInt8(ascii: ".") { put(byte) }
    put(UInt8(ascii: "e"))
    if exponent < 0 { put(UInt8(ascii: "-")) }
    var rest = exponent.magnitude
    var divisor: UInt64 = 1
    while divisor <= rest / 10 { divisor *= 10 }
    while divisor > 0 {
      put(UInt8(rest / divisor) + 48)
      rest %= divisor
      divisor /= 10
    }
    return at
  }
}

extension UnsafeMutableRawPointer {
  /// Copies all of `bytes` here.
  func copyBytes(_ bytes: ByteSlice) {
    guard let start = bytes.baseAddress, bytes.count > 0 else { return }
    copyMemory(from: start, byteCount: bytes.count)
  }
}
