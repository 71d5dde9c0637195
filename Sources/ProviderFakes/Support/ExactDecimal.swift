/// An exact decimal in units of 10⁻⁹, as receivers of usage must keep it. The fakes have their own, so that they judge
/// meterd's arithmetic rather than share it.
public struct ExactDecimal: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The value in units of 10⁻⁹.
  public var units: Int128

  /// Units in one.
  private static let scale: Int128 = 1_000_000_000

  public init(units: Int128) { self.units = units }

  /// Reads `-?(0|[1-9][0-9]*)(\.[0-9]{1,9})?` and nothing else: no exponent, no plus sign, no spaces, no leading
  /// zeros, at most 18 digits before the point. `nil` for anything else, and for a negative zero.
  public init?(_ text: String) {
    var digits = text.utf8[...]
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative { digits = digits.dropFirst() }
    let parts = digits.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), (1...18).contains(parts[0].count),
      parts[0].first != UInt8(ascii: "0") || parts[0].count == 1,
      parts.count == 1 || (1...9).contains(parts[1].count),
      parts.allSatisfy({ $0.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } })
    else { return nil }
    var units: Int128 = 0
    for digit in parts[0] { units = units * 10 + Int128(digit - UInt8(ascii: "0")) }
    var fraction: Int128 = 0
    var places = 0
    if parts.count == 2 {
      for digit in parts[1] { fraction = fraction * 10 + Int128(digit - UInt8(ascii: "0")) }
      places = parts[1].count
    }
    for _ in places..<9 { fraction *= 10 }
    units = units * Self.scale + fraction
    guard !(isNegative && units == 0) else { return nil }
    self.units = isNegative ? -units : units
  }

  /// Without trailing zeros: `-12.5`, `3`, `0.000000001`.
  public var description: String {
    let magnitude = units.magnitude
    let whole = magnitude / Self.scale.magnitude
    var fraction = String(magnitude % Self.scale.magnitude)
    fraction = String(repeating: "0", count: 9 - fraction.count) + fraction
    while fraction.last == "0" { fraction.removeLast() }
    return (units < 0 ? "-" : "") + String(whole) + (fraction.isEmpty ? "" : "." + fraction)
  }

  // One value is below 10²⁷ units, so that a sum of 10¹¹ of them fits: an overflow cannot be reached.
  public static func + (left: ExactDecimal, right: ExactDecimal) -> ExactDecimal {
    ExactDecimal(units: left.units + right.units)
  }
  public static func - (left: ExactDecimal, right: ExactDecimal) -> ExactDecimal {
    ExactDecimal(units: left.units - right.units)
  }
  public static func < (left: ExactDecimal, right: ExactDecimal) -> Bool { left.units < right.units }
  public static let zero = ExactDecimal(units: 0)
}
