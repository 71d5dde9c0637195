internal import Metering

/// Exact decimal text of quantities: never an exponent, no needless zeros (`-12.5`, `3`, `0`).
enum QuantityText {
  static func append(_ value: Quantity, to out: inout [UInt8]) {
    let (whole, fraction) = parts(value.units.magnitude)
    if value.units < 0 { out.append(UInt8(ascii: "-")) }
    if let small = Int64(exactly: whole) {
      DecimalDigits.append(small, to: &out)
    } else {
      out.append(contentsOf: String(whole).utf8)
    }
    guard fraction > 0 else { return }
    out.append(UInt8(ascii: "."))
    var digits = UInt64(fraction)
    var place: UInt64 = 100_000_000
    while digits > 0 {
      out.append(UInt8(ascii: "0") + UInt8(digits / place))
      digits %= place
      place /= 10
    }
  }

  /// Ones and units; a division of 128 bits costs ten times one of 64, and is seldom needed.
  private static func parts(_ units: UInt128) -> (whole: UInt128, fraction: UInt128) {
    guard let small = UInt64(exactly: units) else {
      let (whole, fraction) = units.quotientAndRemainder(dividingBy: UInt128(Quantity.scale))
      return (whole, fraction)
    }
    let (whole, fraction) = small.quotientAndRemainder(dividingBy: 1_000_000_000)
    return (UInt128(whole), UInt128(fraction))
  }

  static func string(_ value: Quantity) -> String {
    var out: [UInt8] = []
    append(value, to: &out)
    return String(decoding: out, as: UTF8.self)
  }
}

/// Integers as decimal text, without a string between.
enum DecimalDigits {
  static func append(_ value: Int64, to out: inout [UInt8]) {
    if value < 0 { out.append(UInt8(ascii: "-")) }
    var rest = value.magnitude
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var start = 20
      repeat {
        start -= 1
        digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest > 0
      out.append(contentsOf: digits[start..<20])
    }
  }
}
