internal import Metering

/// Exact decimal text of quantities: never an exponent, no needless zeros (`-12.5`, `3`, `0`).
enum QuantityText {
  static func append(_ value: Quantity, to out: inout [UInt8]) {
    let (whole, fraction) = value.units.magnitude.quotientAndRemainder(dividingBy: UInt128(Quantity.scale))
    if value.units < 0 { out.append(UInt8(ascii: "-")) }
    out.append(contentsOf: String(whole).utf8)
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

  static func string(_ value: Quantity) -> String {
    var out: [UInt8] = []
    append(value, to: &out)
    return String(decoding: out, as: UTF8.self)
  }
}
