/// How durations, sizes and instants are written, read and printed.
public enum ValueSyntax {
  private static let durationUnits: [(name: String, milliseconds: Int64)] = [
    ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
  ]
  private static let sizeUnits: [(name: String, bytes: Int64)] = [
    ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
  ]

  /// A duration of whole numbers with units, largest first: `60s`, `24h`, `1h30m`, `250ms`. `nil` where it is not one,
  /// or is beyond 292 years.
  public static func duration(_ text: String) -> Duration? {
    guard let parts = numbersWithUnits(text) else { return nil }
    var total: Int64 = 0
    var smallestSoFar = Int64.max
    for (number, unit) in parts {
      guard let scale = durationUnits.first(where: { $0.name == unit })?.milliseconds, scale < smallestSoFar else {
        return nil
      }
      smallestSoFar = scale
      let (product, tooLarge) = number.multipliedReportingOverflow(by: scale)
      let (sum, overflow) = total.addingReportingOverflow(product)
      if tooLarge || overflow { return nil }
      total = sum
    }
    return .milliseconds(total)
  }

  /// The shortest spelling that ``duration(_:)`` reads back, to the millisecond.
  public static func text(_ duration: Duration) -> String {
    var rest = duration.wholeMilliseconds
    if rest == 0 { return "0s" }
    var text = ""
    // 35d and 24h are how people write days: a number of days only where it is at least two.
    for (name, scale) in durationUnits {
      let count = rest / scale
      if count == 0 || (name == "d" && (count < 2 || rest % scale != 0)) { continue }
      text += "\(count)\(name)"
      rest -= count * scale
    }
    return text
  }

  /// A size with a binary unit: `64MiB`, `1GiB`, `512B`.
  public static func bytes(_ text: String) -> Int64? {
    guard let parts = numbersWithUnits(text), parts.count == 1,
      let scale = sizeUnits.first(where: { $0.name == parts[0].unit })?.bytes
    else { return nil }
    let (product, tooLarge) = parts[0].number.multipliedReportingOverflow(by: scale)
    return tooLarge ? nil : product
  }

  /// The shortest spelling that ``bytes(_:)`` reads back.
  public static func text(bytes: Int64) -> String {
    for (name, scale) in sizeUnits where bytes >= scale && bytes % scale == 0 { return "\(bytes / scale)\(name)" }
    return "0B"
  }

  /// An RFC 3339 instant as Unix milliseconds: `2026-11-21T12:49:44Z`, `…44.5+01:00`; digits beyond the millisecond are
  /// cut. A leap second is read as the second after. `nil` where it is not one.
  public static func instant(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int64? {
      guard range.upperBound <= bytes.count else { return nil }
      var value: Int64 = 0
      for byte in bytes[range] {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        value = value * 10 + Int64(byte - UInt8(ascii: "0"))
      }
      return value
    }
    func isByte(_ index: Int, _ allowed: String) -> Bool { index < bytes.count && allowed.utf8.contains(bytes[index]) }
    guard let year = number(0..<4), isByte(4, "-"), let month = number(5..<7), isByte(7, "-"), let day = number(8..<10),
      isByte(10, "Tt "), let hour = number(11..<13), isByte(13, ":"), let minute = number(14..<16), isByte(16, ":"),
      let second = number(17..<19), (1...12).contains(month), hour < 24, minute < 60, second <= 60,
      (1...daysIn(month: month, year: year)).contains(day)
    else { return nil }
    var index = 19
    var milliseconds: Int64 = 0
    if isByte(index, ".") {
      let start = index + 1
      index = start
      while isByte(index, "0123456789") { index += 1 }
      guard index > start else { return nil }
      for place in 0..<3 {
        milliseconds = milliseconds * 10 + (start + place < index ? number(start + place..<start + place + 1) ?? 0 : 0)
      }
    }
    var offsetMinutes: Int64 = 0
    if isByte(index, "Zz") {
      index += 1
    } else {
      guard isByte(index, "+-"), let hours = number(index + 1..<index + 3), isByte(index + 3, ":"),
        let minutes = number(index + 4..<index + 6), hours < 24, minutes < 60
      else { return nil }
      offsetMinutes = (hours * 60 + minutes) * (isByte(index, "-") ? -1 : 1)
      index += 6
    }
    guard index == bytes.count else { return nil }
    let days = daysSinceEpoch(year: year, month: month, day: day)
    return ((days * 24 + hour) * 60 + minute - offsetMinutes) * 60_000 + second * 1_000 + milliseconds
  }

  private static func daysIn(month: Int64, year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Howard Hinnant's days_from_civil, for years from 0 on.
  private static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  /// `1h30m` as [(1, h), (30, m)]; `nil` where anything else stands between, before or after.
  private static func numbersWithUnits(_ text: String) -> [(number: Int64, unit: String)]? {
    var parts: [(number: Int64, unit: String)] = []
    var rest = text.utf8[...]
    while !rest.isEmpty {
      let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      rest = rest.dropFirst(digits.count)
      let unit = rest.prefix { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      rest = rest.dropFirst(unit.count)
      guard let number = Int64(String(decoding: digits, as: UTF8.self)), !unit.isEmpty else { return nil }
      parts.append((number, String(decoding: unit, as: UTF8.self)))
    }
    return parts.isEmpty ? nil : parts
  }
}

extension Duration {
  /// Whole milliseconds, cut towards zero.
  public var wholeMilliseconds: Int64 {
    components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
  }
}
