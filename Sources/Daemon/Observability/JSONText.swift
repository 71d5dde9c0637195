/// A writer of small JSON texts in a fixed order of members: log lines, the status, the health reasons.
///
/// It is here so that these need no Foundation; it is not for hot paths.
public struct JSONText: Sendable {
  /// The UTF-8 text so far.
  public private(set) var bytes: [UInt8] = []
  private var needsComma = false

  public init() {}

  /// The text so far as a string.
  public var string: String { String(decoding: bytes, as: UTF8.self) }

  /// Writes an object whose members `body` writes.
  public mutating func object(_ body: (inout JSONText) -> Void) { nested("{", "}", body) }
  /// Writes an array whose elements `body` writes.
  public mutating func array(_ body: (inout JSONText) -> Void) { nested("[", "]", body) }
  /// Writes a member's name; a value must follow.
  public mutating func name(_ name: String) {
    separate()
    appendQuoted(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }
  public mutating func value(_ value: String) { scalar { $0.appendQuoted(value) } }
  public mutating func value(_ value: Int64) { scalar { $0.bytes.append(contentsOf: String(value).utf8) } }
  public mutating func value(_ value: Bool) { scalar { $0.bytes.append(contentsOf: (value ? "true" : "false").utf8) } }
  /// Writes a number; JSON has no infinities and no NaN, so those are `null`.
  public mutating func value(_ value: Double) {
    scalar { $0.bytes.append(contentsOf: (value.isFinite ? SeriesText.number(value) : "null").utf8) }
  }

  public mutating func member(_ name: String, _ value: String) {
    self.name(name)
    self.value(value)
  }
  public mutating func member(_ name: String, _ value: Int64) {
    self.name(name)
    self.value(value)
  }
  public mutating func member(_ name: String, _ value: Bool) {
    self.name(name)
    self.value(value)
  }
  public mutating func member(_ name: String, _ value: Double) {
    self.name(name)
    self.value(value)
  }

  private mutating func nested(_ open: Unicode.Scalar, _ close: Unicode.Scalar, _ body: (inout JSONText) -> Void) {
    separate()
    bytes.append(UInt8(ascii: open))
    needsComma = false
    body(&self)
    bytes.append(UInt8(ascii: close))
    needsComma = true
  }

  private mutating func scalar(_ write: (inout JSONText) -> Void) {
    separate()
    write(&self)
    needsComma = true
  }

  private mutating func separate() { if needsComma { bytes.append(UInt8(ascii: ",")) } }

  private mutating func appendQuoted(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): bytes.append(contentsOf: #"\""#.utf8)
      case UInt8(ascii: "\\"): bytes.append(contentsOf: #"\\"#.utf8)
      case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
      case UInt8(ascii: "\r"): bytes.append(contentsOf: #"\r"#.utf8)
      case UInt8(ascii: "\t"): bytes.append(contentsOf: #"\t"#.utf8)
      case 0..<0x20, 0x7F:
        let digits = String(byte, radix: 16)
        bytes.append(contentsOf: (byte < 16 ? "\\u000\(digits)" : "\\u00\(digits)").utf8)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
