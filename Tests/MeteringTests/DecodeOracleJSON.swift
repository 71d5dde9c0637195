// The oracle's own reading of JSON: a plain recursive parser over arrays, made to be obviously right and not to be fast. It
// shares no code with the scanner. It keeps what Foundation's parser loses: the order and repetition of names, and the
// text of numbers.

/// A JSON value with everything that the rules of events ask for. Strings are UTF-8 bytes, since Swift's own comparison
/// of strings is by canonical equivalence.
indirect enum OracleJSON {
  case object([(name: [UInt8], value: OracleJSON)], source: [UInt8])
  case array([OracleJSON], source: [UInt8])
  case string([UInt8])
  case number([UInt8])
  case boolean(Bool)
  case null

  var isNull: Bool { if case .null = self { true } else { false } }
}

struct OracleJSONParser {
  struct Malformed: Error {}

  private let bytes: [UInt8]
  private var at = 0

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  static func parse(_ bytes: [UInt8]) throws -> OracleJSON {
    guard String(validating: bytes, as: UTF8.self) != nil else { throw Malformed() }
    var parser = OracleJSONParser(bytes)
    let value = try parser.value(level: 1)
    parser.space()
    guard parser.at == bytes.count else { throw Malformed() }
    return value
  }

  private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

  private mutating func space() {
    while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { at += 1 }
  }

  private mutating func take(_ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard at + count <= bytes.count else { return false }
    for index in 0..<count where bytes[at + index] != text.utf8Start[index] { return false }
    at += count
    return true
  }

  private mutating func value(level: Int) throws -> OracleJSON {
    space()
    if take("true") { return .boolean(true) }
    if take("false") { return .boolean(false) }
    if take("null") { return .null }
    if next == UInt8(ascii: "\"") { return .string(try string()) }
    let start = at
    if take("[") {
      guard level <= 64 else { throw Malformed() }
      var values: [OracleJSON] = []
      space()
      if !take("]") {
        repeat {
          values.append(try value(level: level + 1))
          space()
        } while take(",")
        guard take("]") else { throw Malformed() }
      }
      return .array(values, source: Array(bytes[start..<at]))
    }
    if take("{") {
      guard level <= 64 else { throw Malformed() }
      var members: [(name: [UInt8], value: OracleJSON)] = []
      space()
      if !take("}") {
        repeat {
          space()
          let name = try string()
          space()
          guard take(":") else { throw Malformed() }
          members.append((name, try value(level: level + 1)))
          space()
        } while take(",")
        guard take("}") else { throw Malformed() }
      }
      return .object(members, source: Array(bytes[start..<at]))
    }
    return .number(try number())
  }

  private mutating func string() throws -> [UInt8] {
    guard take("\"") else { throw Malformed() }
    // UTF-16 code units, as the escapes are; a surrogate without its other half then shows at the end.
    var units: [UInt16] = []
    var raw: [UInt8] = []
    while let byte = next {
      at += 1
      switch byte {
      case UInt8(ascii: "\""):
        units += String(decoding: raw, as: UTF8.self).utf16
        // Only escapes can have brought surrogates; all of them must pair up.
        var text: [UInt8] = []
        var decoder = UTF16()
        var iterator = units.makeIterator()
        while true {
          switch decoder.decode(&iterator) {
          case .scalarValue(let scalar): text += String(Character(scalar)).utf8
          case .emptyInput: return text
          case .error: throw Malformed()
          }
        }
      case 0..<0x20: throw Malformed()
      case UInt8(ascii: "\\"):
        units += String(decoding: raw, as: UTF8.self).utf16
        raw = []
        guard let kind = next else { throw Malformed() }
        at += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(UInt16(kind))
        case UInt8(ascii: "b"): units.append(8)
        case UInt8(ascii: "t"): units.append(9)
        case UInt8(ascii: "n"): units.append(10)
        case UInt8(ascii: "f"): units.append(12)
        case UInt8(ascii: "r"): units.append(13)
        case UInt8(ascii: "u"):
          guard at + 4 <= bytes.count else { throw Malformed() }
          let digits = bytes[at..<at + 4]
          guard digits.allSatisfy({ $0 < 0x80 && Character(UnicodeScalar($0)).isHexDigit }),
            let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
          else { throw Malformed() }
          units.append(unit)
          at += 4
        default: throw Malformed()
        }
      default: raw.append(byte)
      }
    }
    throw Malformed()
  }

  private mutating func number() throws -> [UInt8] {
    let start = at
    func isDigit(_ byte: UInt8?) -> Bool { byte.map { (48...57).contains($0) } ?? false }
    if next == UInt8(ascii: "-") { at += 1 }
    guard isDigit(next) else { throw Malformed() }
    if next == UInt8(ascii: "0") { at += 1 } else { while isDigit(next) { at += 1 } }
    if next == UInt8(ascii: ".") {
      at += 1
      guard isDigit(next) else { throw Malformed() }
      while isDigit(next) { at += 1 }
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      at += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { at += 1 }
      guard isDigit(next) else { throw Malformed() }
      while isDigit(next) { at += 1 }
    }
    return Array(bytes[start..<at])
  }

  /// Whether a text is one JSON number and nothing else.
  static func isNumber(_ text: [UInt8]) -> Bool {
    var parser = OracleJSONParser(text)
    return (try? parser.number()) == text
  }
}
