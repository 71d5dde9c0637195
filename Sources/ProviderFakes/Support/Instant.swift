/// RFC 3339 instants as Unix milliseconds, in the proleptic Gregorian calendar.
public enum RFC3339 {
  /// `2026-11-21T12:00:00.000Z`, always UTC, always three decimals.
  public static func text(unixMilliseconds: Int64) -> String {
    let days = Int(floorDivide(unixMilliseconds, 86_400_000))
    let rest = Int(unixMilliseconds - Int64(days) * 86_400_000)
    let (year, month, day) = civil(days)
    return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(rest / 3_600_000, 2)):"
      + "\(pad(rest / 60_000 % 60, 2)):\(pad(rest / 1000 % 60, 2)).\(pad(rest % 1000, 3))Z"
  }

  /// Reads `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)`; finer than a millisecond is cut. `nil` for anything else.
  public static func parse(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int? {
      guard range.upperBound <= bytes.count else { return nil }
      var value = 0
      for byte in bytes[range] {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        value = value * 10 + Int(byte - UInt8(ascii: "0"))
      }
      return value
    }
    func isByte(_ index: Int, _ character: Unicode.Scalar) -> Bool {
      index < bytes.count && bytes[index] == UInt8(ascii: character)
    }
    guard let year = number(0..<4), isByte(4, "-"), let month = number(5..<7), isByte(7, "-"),
      let day = number(8..<10), isByte(10, "T"), let hour = number(11..<13), isByte(13, ":"),
      let minute = number(14..<16), isByte(16, ":"), let second = number(17..<19),
      (1...12).contains(month), day >= 1, hour < 24, minute < 60, second < 60
    else { return nil }
    let days = daysFromCivil(year, month, day)
    guard civil(days) == (year, month, day) else { return nil }  // the 31st of a month of 30 days
    var milliseconds = Int64(days) * 86_400_000 + Int64(hour * 3600 + minute * 60 + second) * 1000
    var index = 19
    if isByte(index, ".") {
      index += 1
      let start = index
      while index < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index]) { index += 1 }
      guard index > start else { return nil }
      var fraction = 0
      for place in 0..<3 {
        fraction = fraction * 10 + (start + place < index ? Int(bytes[start + place] - UInt8(ascii: "0")) : 0)
      }
      milliseconds += Int64(fraction)
    }
    if isByte(index, "Z") { return index + 1 == bytes.count ? milliseconds : nil }
    guard isByte(index, "+") || isByte(index, "-"), index + 6 == bytes.count, isByte(index + 3, ":"),
      let offsetHours = number(index + 1..<index + 3), let offsetMinutes = number(index + 4..<index + 6),
      offsetHours < 24, offsetMinutes < 60
    else { return nil }
    let offset = Int64(offsetHours * 60 + offsetMinutes) * 60_000
    return isByte(index, "+") ? milliseconds - offset : milliseconds + offset
  }

  private static func pad(_ value: Int, _ width: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, width - text.count)) + text
  }

  private static func floorDivide(_ value: Int64, _ by: Int64) -> Int64 {
    let quotient = value / by
    return value % by < 0 ? quotient - 1 : quotient
  }

  // Years of the calendar counted from March, so that the leap day is a year's last: eras of 400 years have 146,097 days.
  private static func daysFromCivil(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = Int(floorDivide(Int64(shifted), 400))
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func civil(_ days: Int) -> (Int, Int, Int) {
    let shifted = days + 719_468
    let era = Int(floorDivide(Int64(shifted), 146_097))
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }
}
