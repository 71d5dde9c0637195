internal import Metering

/// Exact decimal text of quantities: never an exponent, no needless zeros (`-12.5`, `3`, `0`).
enum QuantityText {
  /// 39 digits, a sign and a point.
  static let mostBytes = 41

  static func write(_ value: Quantity, to text: inout TextCursor) {
    if value.units < 0 { text.byte(UInt8(ascii: "-")) }
    let (whole, fraction) = parts(value.units.magnitude)
    if let small = UInt64(exactly: whole) {
      text.number(small)
    } else {
      var digits = String(whole)
      digits.withUTF8 { text.raw($0) }
    }
    guard fraction > 0 else { return }
    text.byte(UInt8(ascii: "."))
    var digits = fraction
    var count = 9
    while digits % 10 == 0 {
      digits /= 10
      count -= 1
    }
    text.digits(digits, count: count)
  }

  /// Ones and units; a division of 128 bits costs ten times one of 64, and is seldom needed.
  private static func parts(_ units: UInt128) -> (whole: UInt128, fraction: UInt64) {
    guard let small = UInt64(exactly: units) else {
      let (whole, fraction) = units.quotientAndRemainder(dividingBy: UInt128(Quantity.scale))
      return (whole, UInt64(fraction))
    }
    let (whole, fraction) = small.quotientAndRemainder(dividingBy: 1_000_000_000)
    return (UInt128(whole), fraction)
  }

  static func string(_ value: Quantity) -> String {
    String(unsafeUninitializedCapacity: mostBytes) { room in
      var text = TextCursor(room, at: 0)
      write(value, to: &text)
      return room.count - text.room
    }
  }
}
