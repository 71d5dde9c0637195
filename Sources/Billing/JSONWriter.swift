internal import Metering

/// JSON (RFC 8259) written straight into bytes, for the bodies of batches.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []
  private var time = TimeText()

  init(reserving capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  /// Text that is JSON already.
  mutating func raw(_ text: StaticString) {
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  /// A string of valid UTF-8.
  mutating func string(_ text: String) {
    var text = text
    text.withUTF8 { text in write(text.count * 6 + 2) { $0.string(text) } }
  }

  /// What `body` writes, of which the greatest number of bytes is known.
  @inline(__always) private mutating func write(_ most: Int, _ body: (inout TextCursor) -> Void) {
    bytes.append(addingCapacity: most) { span in
      span.withUnsafeMutableBufferPointer { room, count in
        var cursor = TextCursor(room, at: count)
        body(&cursor)
        count = room.count - cursor.room
      }
    }
  }

  /// The members of one row, without braces; the same for every body that holds rows.
  mutating func rowMembers(_ row: SinkRow) {
    var time = time
    row.withBytes { fields in
      let names = fields.customer.count + fields.meter.count
      // Names and punctuation of the members, a quantity of 40 digits, three other numbers, and the time.
      write(384 + row.keyCount + names * 6 + fields.dimensions.mostJSONBytes) { text in
        // A key has no letter that needs an escape.
        text.raw("\"key\":\"")
        row.writeKey(to: &text)
        text.raw("\",\"customer\":")
        text.string(fields.customer)
        text.raw(",\"meter\":")
        text.string(fields.meter)
        fields.dimensions.write(to: &text)
        text.raw(",\"value\":\"")
        QuantityText.write(fields.value, to: &text)
        text.raw("\",\"timestamp\":\"")
        time.write(unixMilliseconds: fields.timestampMilliseconds, to: &text)
        text.raw("\",\"unix_ms\":")
        text.number(fields.timestampMilliseconds)
        if fields.events > 0 {
          text.raw(",\"events\":")
          text.number(fields.events)
        }
      }
    }
    self.time = time
  }
}

extension SinkRow.Dimensions {
  /// The greatest number of bytes that ``write(to:)`` takes.
  fileprivate var mostJSONBytes: Int {
    switch self {
    // What stands around a name and a value is three bytes at most here, and six in JSON.
    case .encoded(let bytes): bytes.count * 6 + 32
    case .made(let made): made.reduce(32) { $0 + ($1.name.utf8.count + $1.text.utf8.count) * 6 + 8 }
    }
  }

  /// The dimensions as one object, with the comma before it; nothing where there are none.
  fileprivate func write(to text: inout TextCursor) {
    switch self {
    case .made(let made): Self.write(made, to: &text)
    case .encoded(let bytes):
      if bytes.isEmpty { return }
      let start = text
      var separator: StaticString = ",\"dimensions\":{"
      let isPlain = NamedDimensions.forEachPlain(in: bytes) { name, value in
        text.raw(separator)
        separator = ","
        text.string(name)
        text.byte(UInt8(ascii: ":"))
        switch value {
        case .string(let value): text.string(value)
        case .number(let value): text.raw(value)
        case .boolean(let isTrue): isTrue ? text.raw("true") : text.raw("false")
        }
      }
      if isPlain { return text.byte(UInt8(ascii: "}")) }
      text = start
      Self.write(RowDimension.all(in: Array(bytes)), to: &text)
    }
  }

  private static func write(_ dimensions: [RowDimension], to text: inout TextCursor) {
    if dimensions.isEmpty { return }
    text.raw(",\"dimensions\":{")
    for (index, dimension) in dimensions.enumerated() {
      if index > 0 { text.byte(UInt8(ascii: ",")) }
      var name = dimension.name
      name.withUTF8 { text.string($0) }
      text.byte(UInt8(ascii: ":"))
      var value = dimension.text
      switch dimension.kind {
      case .string: value.withUTF8 { text.string($0) }
      case .number, .boolean: value.withUTF8 { text.raw($0) }
      }
    }
    text.byte(UInt8(ascii: "}"))
  }
}
