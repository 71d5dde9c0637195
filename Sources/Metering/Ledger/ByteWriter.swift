/// Writes the ledger's primitive values (LEDGER-FORMAT.md, "Primitives").
struct ByteWriter {
  var bytes: [UInt8] = []

  init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  @inline(__always) mutating func byte(_ value: UInt8) { bytes.append(value) }

  mutating func fixed32(_ value: UInt32) {
    for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
  }

  mutating func fixed64(_ value: UInt64) {
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
  }

  @inline(__always) mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  mutating func varint(_ value: Int) { varint(UInt64(value)) }

  @inline(__always) mutating func signed(_ value: Int64) {
    varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
  }

  /// A 128-bit integer, zigzag.
  mutating func signed(_ value: Int128) {
    var rest = UInt128(bitPattern: (value << 1) ^ (value >> 127))
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  /// A quantity: bit 0 of the first byte says whether the number is whole (then it counts ones, else units).
  mutating func quantity(_ value: Quantity) {
    if let small = Int64(exactly: value.units) {
      let (whole, fraction) = small.quotientAndRemainder(dividingBy: 1_000_000_000)
      let isWhole = fraction == 0
      let number = isWhole ? whole : small
      let zigzag = UInt64(bitPattern: (number << 1) ^ (number >> 63))
      let first = UInt8(truncatingIfNeeded: zigzag & 0x3f) << 1 | (isWhole ? 1 : 0)
      let rest = zigzag >> 6
      bytes.append(rest == 0 ? first : first | 0x80)
      if rest != 0 { varint(rest) }
      return
    }
    let (whole, fraction) = value.units.quotientAndRemainder(dividingBy: Quantity.scale)
    let number = fraction == 0 ? whole : value.units
    let zigzag = UInt128(bitPattern: (number << 1) ^ (number >> 127))
    let first = UInt8(truncatingIfNeeded: zigzag & 0x3f) << 1 | (fraction == 0 ? 1 : 0)
    var rest = zigzag >> 6
    bytes.append(rest == 0 ? first : first | 0x80)
    if rest == 0 { return }
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  mutating func flag(_ value: Bool) { bytes.append(value ? 1 : 0) }

  /// A byte string with its length before it.
  mutating func string(_ value: [UInt8]) {
    varint(value.count)
    bytes.append(contentsOf: value)
  }

  /// A text as UTF-8 with its length before it.
  mutating func text(_ value: String) {
    // Most codes are empty.
    if value.isEmpty { return byte(0) }
    varint(value.utf8.count)
    bytes.append(contentsOf: value.utf8)
  }

  mutating func digest(_ value: Digest) {
    fixed64(value.high)
    fixed64(value.low)
  }

  mutating func identity(_ value: RecordIdentity) {
    fixed64(value.nonce)
    varint(value.sequence)
  }
}
