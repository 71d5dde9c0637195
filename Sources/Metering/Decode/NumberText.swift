/// A JSON number as its decimal digits: (−1)^negative · digits · 10^exponent, digits without leading or trailing zeros.
///
/// Nothing is ever turned into a floating-point number, and the work is linear in the text whatever its exponent.
/// It borrows the text.
struct NumberText {
  /// The exponent beyond which it is no longer counted: larger ones are all the same. The text of one record (64 KiB)
  /// shifts it by far less, so that no valid comparison is touched, and sums of exponents cannot overflow.
  static let exponentLimit: Int64 = 100_000_000_000_000_000

  /// The bytes from the first to the last digit that is not 0, with the decimal point where there is one in between.
  let significant: ByteSlice
  /// How many digits ``significant`` holds; 0 for zero.
  let digitCount: Int
  /// The power of ten of the last significant digit; 0 for zero.
  let exponent: Int64
  /// Whether the number is below zero; never for zero.
  let isNegative: Bool
  /// Whether the exponent in the text is beyond ``exponentLimit``, so that ``exponent`` is only a bound.
  let isBeyondLimit: Bool

  /// Reads a text that is one JSON number (``length(in:from:)`` has said so).
  init(_ text: ByteSlice) {
    let negative = text[0] == UInt8(ascii: "-")
    var first = -1  // of the significant digits
    var last = -1
    var digitsAfterLast = 0  // zeros and the like after the last significant digit
    var digits = 0
    var point = false
    var fractionDigits: Int64 = 0
    var at = negative ? 1 : 0
    while at < text.count {
      let byte = text[at]
      if byte == UInt8(ascii: ".") {
        point = true
      } else {
        let digit = byte &- 48
        guard digit <= 9 else { break }
        if point { fractionDigits += 1 }
        if digit != 0 {
          if first < 0 { first = at } else { digits += digitsAfterLast }
          digits += 1
          last = at
          digitsAfterLast = 0
        } else if first >= 0 {
          digitsAfterLast += 1
        }
      }
      at += 1
    }
    guard first >= 0 else {
      significant = ByteSlice(start: text.baseAddress, count: 0)
      digitCount = 0
      exponent = 0
      isNegative = false
      isBeyondLimit = false
      return
    }
    var stated: Int64 = 0
    if at < text.count {  // e or E
      at += 1
      let negativeExponent = text[at] == UInt8(ascii: "-")
      if negativeExponent || text[at] == UInt8(ascii: "+") { at += 1 }
      while at < text.count {
        if stated < Self.exponentLimit { stated = stated * 10 + Int64(text[at] &- 48) }
        at += 1
      }
      if stated > Self.exponentLimit { stated = Self.exponentLimit }
      if negativeExponent { stated = -stated }
    }
    significant = ByteSlice(rebasing: text[first...last])
    digitCount = digits
    exponent = stated - fractionDigits + Int64(digitsAfterLast)
    isNegative = negative
    isBeyondLimit = stated == Self.exponentLimit || stated == -Self.exponentLimit
  }

  /// Whether both are the same number.
  func isSameValue(as other: NumberText) -> Bool {
    guard digitCount == other.digitCount, exponent == other.exponent, isNegative == other.isNegative else {
      return false
    }
    var left = 0
    var right = 0
    for _ in 0..<digitCount {
      if significant[left] == UInt8(ascii: ".") { left += 1 }
      if other.significant[right] == UInt8(ascii: ".") { right += 1 }
      guard significant[left] == other.significant[right] else { return false }
      left += 1
      right += 1
    }
    return true
  }

  /// Whether the number is a multiple of 10⁻⁹.
  var isExact: Bool { exponent >= -9 }
  /// Whether the magnitude is below 10¹⁸.
  var isInRange: Bool { Int64(digitCount) + exponent <= 18 }

  /// The digits as one integer. At most 38 of them (``digitCount``).
  var digitsValue: UInt128 {
    var value: UInt128 = 0
    for byte in significant where byte != UInt8(ascii: ".") { value = value &* 10 &+ UInt128(byte &- 48) }
    return value
  }

  /// The quantity of one event: exact and in range (both asked before).
  var eventQuantity: Quantity {
    guard digitCount > 0 else { return .zero }
    var units = Int128(digitsValue)
    for _ in 0..<(exponent + 9) { units = units &* 10 }
    return Quantity(units: isNegative ? -units : units)
  }

  /// The quantity, or `nil` where it is no multiple of 10⁻⁹ or does not fit.
  var exactQuantity: Quantity? {
    guard digitCount > 0 else { return .zero }
    guard isExact, Int64(digitCount) + exponent <= 30 else { return nil }
    var units = Int128(0)
    // Negative from the start: the least value has no positive counterpart.
    for byte in significant where byte != UInt8(ascii: ".") {
      let (tenfold, overflow) = units.multipliedReportingOverflow(by: 10)
      let (next, under) = tenfold.subtractingReportingOverflow(Int128(byte &- 48))
      guard !overflow, !under else { return nil }
      units = next
    }
    for _ in 0..<(exponent + 9) {
      let (tenfold, overflow) = units.multipliedReportingOverflow(by: 10)
      guard !overflow else { return nil }
      units = tenfold
    }
    if isNegative { return Quantity(units: units) }
    let (positive, overflow) = Int128(0).subtractingReportingOverflow(units)
    return overflow ? nil : Quantity(units: positive)
  }

  /// The number as an integer, or `nil` where it has a fraction or 10¹⁸ or more.
  var integer: Int64? {
    guard digitCount > 0 else { return 0 }
    guard exponent >= 0, isInRange else { return nil }
    var value = Int64(digitsValue)
    for _ in 0..<exponent { value *= 10 }
    return isNegative ? -value : value
  }

  /// The length of the JSON number that starts at `start`, or 0 where there is none. What follows it is not judged.
  @inline(__always)
  static func length(in bytes: ByteSlice, from start: Int) -> Int {
    let count = bytes.count
    var at = start
    @inline(__always) func digits() -> Bool {
      let first = at
      while at < count, bytes[at] &- 48 <= 9 { at += 1 }
      return at > first
    }
    if at < count, bytes[at] == UInt8(ascii: "-") { at += 1 }
    guard at < count else { return 0 }
    if bytes[at] == UInt8(ascii: "0") {
      at += 1
    } else if !digits() {
      return 0
    }
    if at < count, bytes[at] == UInt8(ascii: ".") {
      at += 1
      guard digits() else { return 0 }
    }
    if at < count, bytes[at] | 0x20 == UInt8(ascii: "e") {
      at += 1
      if at < count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
      guard digits() else { return 0 }
    }
    return at - start
  }
}
