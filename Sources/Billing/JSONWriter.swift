internal import Metering

/// JSON (RFC 8259) written straight into bytes, for the bodies of batches.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []
  private static let digits = Array("0123456789abcdef".utf8)

  init(reserving capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  /// Text that is JSON already.
  mutating func raw(_ text: StaticString) {
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  mutating func raw(_ text: some Sequence<UInt8>) { bytes.append(contentsOf: text) }

  mutating func number(_ value: Int64) { DecimalDigits.append(value, to: &bytes) }

  /// A string of valid UTF-8.
  mutating func string(_ text: [UInt8]) { text.withUnsafeBufferPointer { string($0) } }

  mutating func string(_ text: String) {
    var text = text
    text.withUTF8 { string($0) }
  }

  mutating func string(_ text: UnsafeBufferPointer<UInt8>) {
    bytes.append(UInt8(ascii: "\""))
    // Up to the next byte that needs an escape all is copied at once; mostly there is none.
    var start = 0
    for (place, byte) in text.enumerated() where Self.needsEscape(byte) {
      bytes.append(contentsOf: text[start..<place])
      start = place + 1
      if byte < 0x20 {
        raw("\\u00")
        bytes.append(Self.digits[Int(byte >> 4)])
        bytes.append(Self.digits[Int(byte & 15)])
      } else {
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      }
    }
    bytes.append(contentsOf: text[start...])
    bytes.append(UInt8(ascii: "\""))
  }

  private static func needsEscape(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  /// The dimensions as one object.
  private mutating func dimensions(_ dimensions: [RowDimension]) {
    if dimensions.isEmpty { return }
    raw(",\"dimensions\":{")
    for (index, dimension) in dimensions.enumerated() {
      if index > 0 { raw(",") }
      string(dimension.name)
      raw(":")
      switch dimension.kind {
      case .string: string(dimension.text)
      case .number, .boolean: raw(dimension.text.utf8)
      }
    }
    raw("}")
  }

  private mutating func dimensions(encoded: UnsafeBufferPointer<UInt8>) {
    if encoded.isEmpty { return }
    let start = bytes.count
    var separator: StaticString = ",\"dimensions\":{"
    let isPlain = NamedDimensions.forEachPlain(in: encoded) { name, value in
      raw(separator)
      separator = ","
      string(name)
      raw(":")
      switch value {
      case .string(let text): string(text)
      case .number(let text): bytes.append(contentsOf: text)
      case .boolean(let isTrue): isTrue ? raw("true") : raw("false")
      }
    }
    if isPlain { return raw("}") }
    bytes.removeSubrange(start...)
    dimensions(RowDimension.all(in: Array(encoded)))
  }

  /// The members of one row, without braces; the same for every body that holds rows.
  mutating func rowMembers(_ row: SinkRow) {
    // A key has no letter that needs an escape.
    raw("\"key\":\"")
    row.appendKey(to: &bytes)
    raw("\",\"customer\":")
    row.withBytes { row in
      string(row.customer)
      raw(",\"meter\":")
      string(row.meter)
      switch row.dimensions {
      case .encoded(let encoded): dimensions(encoded: encoded)
      case .made(let made): dimensions(made)
      }
      raw(",\"value\":\"")
      QuantityText.append(row.value, to: &bytes)
      raw("\",\"timestamp\":\"")
      CalendarText.appendRFC3339(unixMilliseconds: row.timestampMilliseconds, to: &bytes)
      raw("\",\"unix_ms\":")
      number(row.timestampMilliseconds)
      if row.events > 0 {
        raw(",\"events\":")
        number(row.events)
      }
    }
  }
}
