/// Dimensions as a claim's row carries them: names with values, absent ones left out, in the configuration's order. A
/// cut's rows carry values only; a claim outlives the configuration that named them, and two features with different
/// dimensions may share one meter.
///
/// For each one: the length of its name as an LEB128 integer, the name (UTF-8), and its value in
/// ``DimensionEncoding``.
public enum NamedDimensions {
  /// Names the values of a cut's row. `nil` where the bytes are no encoding of so many values.
  public static func encode(_ values: [UInt8], names: [String]) -> [UInt8]? {
    if values.isEmpty { return [] }
    var encoded: [UInt8] = []
    var at = 0
    for name in names {
      guard let length = values.withUnsafeBytes({ DimensionEncoding.length(of: $0, at: at) }) else {
        return nil
      }
      if values[at] != DimensionEncoding.absent {
        var count = name.utf8.count
        while count >= 0x80 {
          encoded.append(UInt8(count & 0x7f) | 0x80)
          count >>= 7
        }
        encoded.append(UInt8(count))
        encoded.append(contentsOf: name.utf8)
        encoded.append(contentsOf: values[at..<at + length])
      }
      at += length
    }
    return at == values.count ? encoded : nil
  }

  /// The names and values. `nil` where the bytes are no such encoding.
  public static func decode(_ bytes: [UInt8]) -> [(name: String, value: DimensionValue)]? {
    bytes.withUnsafeBytes { raw in
      var named: [(String, DimensionValue)] = []
      var at = 0
      while at < raw.count {
        guard let (length, next) = DimensionEncoding.integer(of: raw, at: at),
          length <= raw.count - next,
          let name = String(validating: raw[next..<next + length], as: UTF8.self),
          let valueLength = DimensionEncoding.length(of: raw, at: next + length)
        else { return nil }
        let start = next + length
        let slice = UnsafeRawBufferPointer(rebasing: raw[start..<start + valueLength])
        guard let value = DimensionEncoding.values(of: slice)?.first else { return nil }
        named.append((name, value))
        at = start + valueLength
      }
      return named
    }
  }
}

extension NamedDimensions {
  /// A value where it lies.
  public enum PlainValue {
    case string(UnsafeBufferPointer<UInt8>)
    case number(UnsafeBufferPointer<UInt8>)
    case boolean(Bool)
  }

  /// Calls `body` with each name and value, without copies. False where the bytes are not ASCII with names and texts of
  /// less than 128 bytes throughout, or no such encoding: ``decode(_:)`` says what they are then, whatever `body` was
  /// called with.
  public static func forEachPlain(
    in bytes: UnsafeBufferPointer<UInt8>, _ body: (_ name: UnsafeBufferPointer<UInt8>, _ value: PlainValue) -> Void
  ) -> Bool {
    // A length of one byte has no high bit either.
    guard bytes.reduce(0 as UInt8, { $0 | $1 }) < 0x80 else { return false }
    var at = 0
    func text() -> UnsafeBufferPointer<UInt8>? {
      guard at < bytes.count, Int(bytes[at]) < bytes.count - at else { return nil }
      defer { at += 1 + Int(bytes[at]) }
      return UnsafeBufferPointer(rebasing: bytes[at + 1..<at + 1 + Int(bytes[at])])
    }
    while at < bytes.count {
      guard let name = text(), at < bytes.count else { return false }
      let kind = bytes[at]
      at += 1
      switch kind {
      case DimensionEncoding.string, DimensionEncoding.number:
        guard let value = text() else { return false }
        body(name, kind == DimensionEncoding.string ? .string(value) : .number(value))
      case DimensionEncoding.no: body(name, .boolean(false))
      case DimensionEncoding.yes: body(name, .boolean(true))
      default: return false
      }
    }
    return true
  }
}

extension DimensionEncoding {
  /// The LEB128 integer at `at`, and where it ends.
  static func integer(of bytes: UnsafeRawBufferPointer, at start: Int) -> (value: Int, next: Int)? {
    var value = 0
    var shift = 0
    var at = start
    repeat {
      guard at < bytes.count, shift <= 28 else { return nil }
      value |= Int(bytes[at] & 0x7f) << shift
      shift += 7
      at += 1
    } while bytes[at - 1] & 0x80 != 0
    return (value, at)
  }

  /// The length of the value that begins at `at`, or `nil` where none does.
  static func length(of bytes: UnsafeRawBufferPointer, at: Int) -> Int? {
    guard at < bytes.count else { return nil }
    switch bytes[at] {
    case absent, yes, no: return 1
    case string, number:
      guard let (length, next) = integer(of: bytes, at: at + 1), length <= bytes.count - next else {
        return nil
      }
      return next + length - at
    default: return nil
    }
  }
}
