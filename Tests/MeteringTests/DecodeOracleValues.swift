// The oracle's numbers and times, by way of text and of counting: nothing of the decoder's arithmetic.

/// A decimal number as its digits and the place of its last one; zeros at both ends are stripped.
struct OracleDecimal: Hashable {
  var isNegative = false
  var digits = ""
  var exponent = 0
  var isHuge = false

  /// Reads a JSON number.
  init(_ text: [UInt8]) {
    var rest = Substring(String(decoding: text, as: UTF8.self))
    if rest.hasPrefix("-") {
      isNegative = true
      rest.removeFirst()
    }
    let parts = rest.split(whereSeparator: { $0 == "e" || $0 == "E" })
    let mantissa = parts[0].split(separator: ".")
    digits = mantissa.joined()
    exponent = mantissa.count == 2 ? -mantissa[1].count : 0
    if parts.count == 2 {
      var stated = parts[1]
      let isBelow = stated.hasPrefix("-")
      if stated.hasPrefix("-") || stated.hasPrefix("+") { stated.removeFirst() }
      let magnitude = stated.drop(while: { $0 == "0" })
      // From 10¹⁷ on, exponents are all the same (DECODING.md).
      let value = magnitude.count >= 18 ? 100_000_000_000_000_000 : Int(magnitude) ?? 0
      isHuge = magnitude.count >= 18
      exponent += isBelow ? -value : value
    }
    while digits.hasSuffix("0") {
      digits.removeLast()
      exponent += 1
    }
    digits = String(digits.drop(while: { $0 == "0" }))
    if digits.isEmpty {
      self.isNegative = false
      self.exponent = 0
      self.isHuge = false
    }
  }

  /// In units of 10⁻⁹, or the reason why not.
  func units() -> Result<Int128, OracleReason> {
    if digits.isEmpty { return .success(0) }
    if exponent < -9 { return .failure(OracleReason("quantity_not_exact")) }
    if exponent > 18 { return .failure(OracleReason("quantity_out_of_range")) }
    let text = digits + String(repeating: "0", count: exponent + 9)
    guard text.count <= 27, let magnitude = Int128(text) else {
      return .failure(OracleReason("quantity_out_of_range"))
    }
    return .success(isNegative ? -magnitude : magnitude)
  }

  /// As an integer of at most 18 digits.
  var integer: Int? {
    if digits.isEmpty { return 0 }
    guard exponent >= 0, exponent <= 18 else { return nil }
    let text = digits + String(repeating: "0", count: exponent)
    guard text.count <= 18 else { return nil }
    return Int((isNegative ? "-" : "") + text)
  }

  /// The text of ``DimensionValue/number(_:)``.
  var canonical: String {
    if digits.isEmpty { return "0" }
    let sign = isNegative ? "-" : ""
    if exponent >= 0, digits.count + exponent <= 40 {
      return sign + digits + String(repeating: "0", count: exponent)
    }
    if exponent < 0, exponent > -45 {
      let padded = String(repeating: "0", count: max(0, 1 - exponent - digits.count)) + digits
      let text = padded.dropLast(-exponent) + "." + padded.suffix(-exponent)
      if text.count <= 40 { return sign + text }
    }
    return sign + digits + "e" + String(exponent)
  }
}

struct OracleReason: Error, Equatable {
  var code: String
  init(_ code: String) { self.code = code }
}

enum OracleTime {
  /// Days from 1970-01-01 to the first of each year from 0 to 9999, by counting.
  private static let firstDays: [Int] = {
    var days = [Int](repeating: 0, count: 10_001)
    for year in 1970..<10_000 { days[year + 1] = days[year] + (isLeap(year) ? 366 : 365) }
    for year in (0..<1970).reversed() { days[year] = days[year + 1] - (isLeap(year) ? 366 : 365) }
    return days
  }()

  private static func isLeap(_ year: Int) -> Bool { year % 400 == 0 || (year % 4 == 0 && year % 100 != 0) }

  static func unix(_ value: Int) -> Int? {
    var milliseconds = value
    if abs(value) < 100_000_000_000 {
      milliseconds = value * 1000
    } else if abs(value) >= 100_000_000_000_000 {
      milliseconds = (value - ((value % 1000) + 1000) % 1000) / 1000  // towards the past
    }
    let first = firstDays[0] * 86_400_000
    let end = firstDays[10_000] * 86_400_000
    return milliseconds >= first && milliseconds < end ? milliseconds : nil
  }

  /// An RFC 3339 instant in Unix milliseconds.
  static func rfc3339(_ bytes: [UInt8]) -> Int? {
    guard bytes.allSatisfy({ $0 < 0x80 }) else { return nil }
    let text = String(decoding: bytes, as: UTF8.self).uppercased()
    guard let match = text.wholeMatch(of: /(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+\-]\d\d:\d\d)/) else {
      return nil
    }
    guard let year = Int(match.1), let month = Int(match.2), let day = Int(match.3), let hour = Int(match.4),
      let minute = Int(match.5), let second = Int(match.6), (1...12).contains(month), hour < 24, minute < 60,
      second <= 60
    else { return nil }
    let lengths = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard day >= 1, day <= lengths[month - 1] else { return nil }
    var offset = 0
    if match.8 != "Z" {
      let parts = match.8.dropFirst().split(separator: ":").compactMap { Int($0) }
      guard parts[0] < 24, parts[1] < 60 else { return nil }
      offset = (parts[0] * 60 + parts[1]) * (match.8.hasPrefix("-") ? -1 : 1)
    }
    let days = firstDays[year] + lengths.prefix(month - 1).reduce(0, +) + day - 1
    let minutes = days * 1440 + hour * 60 + minute - offset
    if second == 60 {
      // The next minute in UTC has to begin a month.
      guard (minutes + 1) % 1440 == 0, isFirstOfMonth((minutes + 1) / 1440) else { return nil }
    }
    let fraction = (String(match.7?.dropFirst() ?? "") + "000").prefix(3)
    return (minutes * 60 + second) * 1000 + (Int(fraction) ?? 0)
  }

  private static func isFirstOfMonth(_ days: Int) -> Bool {
    guard let next = firstDays.firstIndex(where: { $0 > days }) else { return true }
    let year = next - 1
    guard year >= 0 else { return false }
    var first = firstDays[year]
    for length in [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
      if first == days { return true }
      first += length
    }
    return false
  }
}
