/// Reads what ``ByteWriter`` wrote. Never traps: whatever the bytes, the outcome is a value or a typed error.
struct ByteReader {
  private let bytes: [UInt8]
  private(set) var position: Int
  private let end: Int

  /// Reads `bytes[from..<to]`; the range is the caller's own and must lie within the array.
  init(_ bytes: [UInt8], from: Int = 0, to: Int? = nil) {
    self.bytes = bytes
    self.position = from
    self.end = to ?? bytes.count
  }

  var remaining: Int { end - position }
  var isAtEnd: Bool { position == end }

  @inline(__always) mutating func byte() throws(LedgerCodecError) -> UInt8 {
    guard position < end else { throw .truncated }
    let value = bytes[position]
    position += 1
    return value
  }

  mutating func fixed32() throws(LedgerCodecError) -> UInt32 {
    var value: UInt32 = 0
    for shift in stride(from: 0, to: 32, by: 8) { value |= UInt32(try byte()) << UInt32(shift) }
    return value
  }

  mutating func fixed64() throws(LedgerCodecError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 8) { value |= UInt64(try byte()) << UInt64(shift) }
    return value
  }

  @inline(__always) mutating func varint() throws(LedgerCodecError) -> UInt64 {
    let first = try byte()
    if first < 0x80 { return UInt64(first) }
    var value = UInt64(first & 0x7f)
    var shift: UInt64 = 7
    while true {
      let next = try byte()
      // The tenth byte holds one bit; a last byte of zero would be a longer spelling of the same number.
      if shift == 63 && next > 1 { throw .malformed("varint too large") }
      value |= UInt64(next & 0x7f) << shift
      if next < 0x80 {
        if next == 0 { throw .malformed("varint not minimal") }
        return value
      }
      shift += 7
    }
  }

  /// A number of at most nine bytes; nil, and nothing read, where it is longer or cut short.
  @inline(__always) private mutating func shortVarint() throws(LedgerCodecError) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    var at = position
    while at < end, shift < 63 {
      let next = bytes[at]
      at += 1
      value |= UInt64(next & 0x7f) << shift
      if next < 0x80 {
        if next == 0 && shift > 0 { throw .malformed("varint not minimal") }
        position = at
        return value
      }
      shift += 7
    }
    return nil
  }

  mutating func varint128(startingAt firstShift: UInt128 = 0) throws(LedgerCodecError) -> UInt128 {
    var value: UInt128 = 0
    var shift: UInt128 = 0
    let limit = 128 - firstShift
    while true {
      let next = try byte()
      let part = UInt128(next & 0x7f)
      if shift >= limit || (part << shift) >> shift != part || (limit - shift < 7 && part >> (limit - shift) != 0) {
        throw .malformed("varint too large")
      }
      value |= part << shift
      if next < 0x80 {
        if next == 0 && shift > 0 { throw .malformed("varint not minimal") }
        return value
      }
      shift += 7
    }
  }

  /// A number of things of which each takes at least `size` bytes: never more than what is left could hold.
  mutating func count(ofAtLeast size: Int = 1) throws(LedgerCodecError) -> Int {
    let value = try varint()
    guard let count = Int(exactly: value), count <= remaining / size else { throw .truncated }
    return count
  }

  @inline(__always) mutating func signed() throws(LedgerCodecError) -> Int64 {
    let value = try varint()
    return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }

  mutating func signed128() throws(LedgerCodecError) -> Int128 {
    let value = try varint128()
    return Int128(bitPattern: value >> 1) ^ (0 &- Int128(bitPattern: value & 1))
  }

  mutating func unsigned32() throws(LedgerCodecError) -> UInt32 {
    guard let value = UInt32(exactly: try varint()) else { throw .malformed("number beyond 32 bits") }
    return value
  }

  mutating func signed32() throws(LedgerCodecError) -> Int32 {
    guard let value = Int32(exactly: try signed()) else { throw .malformed("number beyond 32 bits") }
    return value
  }

  mutating func quantity() throws(LedgerCodecError) -> Quantity {
    let first = try byte()
    var zigzag = UInt128((first >> 1) & 0x3f)
    if first & 0x80 != 0 {
      let rest = if let short = try shortVarint() { UInt128(short) } else { try varint128(startingAt: 6) }
      if rest == 0 { throw .malformed("quantity not minimal") }
      zigzag |= rest << 6
    }
    let number = Int128(bitPattern: zigzag >> 1) ^ (0 &- Int128(bitPattern: zigzag & 1))
    guard first & 1 == 1 else {
      if Int64(exactly: number).map({ $0 % 1_000_000_000 == 0 }) ?? (number % Quantity.scale == 0) {
        throw .malformed("whole quantity not spelled as one")
      }
      return Quantity(units: number)
    }
    let (units, overflow) = number.multipliedReportingOverflow(by: Quantity.scale)
    if overflow { throw .malformed("quantity beyond 128 bits") }
    return Quantity(units: units)
  }

  mutating func flag() throws(LedgerCodecError) -> Bool {
    switch try byte() {
    case 0: return false
    case 1: return true
    default: throw .malformed("flag is neither 0 nor 1")
    }
  }

  mutating func string() throws(LedgerCodecError) -> [UInt8] {
    let count = try count()
    return try take(count)
  }

  /// A byte string, behind what `target` holds already.
  mutating func appendString(to target: inout [UInt8]) throws(LedgerCodecError) {
    let count = try count()
    target.append(contentsOf: bytes[position..<position + count])
    position += count
  }

  mutating func take(_ count: Int) throws(LedgerCodecError) -> [UInt8] {
    guard count >= 0, count <= remaining else { throw .truncated }
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  mutating func text() throws(LedgerCodecError) -> String {
    // Most codes are empty.
    if position < end, bytes[position] == 0 {
      position += 1
      return ""
    }
    let raw = try string()
    guard let text = String(validating: raw, as: UTF8.self) else { throw .malformed("text is not UTF-8") }
    return text
  }

  mutating func digest() throws(LedgerCodecError) -> Digest {
    let high = try fixed64()
    return Digest(high: high, low: try fixed64())
  }

  mutating func identity() throws(LedgerCodecError) -> RecordIdentity {
    let nonce = try fixed64()
    return RecordIdentity(nonce: nonce, sequence: try varint())
  }
}
