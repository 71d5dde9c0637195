/// RFC 3339 times of one body: `2025-11-01T11:54:56.789Z`, always with milliseconds. Years 0000 to 9999.
///
/// Rows of a body mostly are of one day, whose date is worked out once.
struct TimeText {
  /// Days since 1970-01-01.
  private var day = Int64.min
  private var date: (year: Int64, month: Int64, day: Int64) = (0, 0, 0)

  /// 24 bytes.
  mutating func write(unixMilliseconds: Int64, to text: inout TextCursor) {
    let days = CalendarText.floorDivide(unixMilliseconds, 86_400_000)
    let rest = UInt64(unixMilliseconds - days * 86_400_000)
    if days != day {
      date = CalendarText.date(daysSince1970: days)
      day = days
    }
    func put(_ value: UInt64, _ width: Int, then end: UInt8) {
      text.digits(value, count: width)
      text.byte(end)
    }
    put(date.year.magnitude, 4, then: UInt8(ascii: "-"))
    put(date.month.magnitude, 2, then: UInt8(ascii: "-"))
    put(date.day.magnitude, 2, then: UInt8(ascii: "T"))
    put(rest / 3_600_000, 2, then: UInt8(ascii: ":"))
    put(rest / 60_000 % 60, 2, then: UInt8(ascii: ":"))
    put(rest / 1_000 % 60, 2, then: UInt8(ascii: "."))
    put(rest % 1_000, 3, then: UInt8(ascii: "Z"))
  }
}

/// Instants as text: dates of bodies, HTTP dates of replies. Proleptic Gregorian calendar, UTC.
enum CalendarText {
  /// Unix seconds of an HTTP date in any of its three forms (RFC 9110, section 5.6.7); nil for anything else.
  static func unixSeconds(httpDate text: String) -> Int64? {
    let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    let words = text.lowercased().split { " ,-".contains($0) }.dropFirst()
    var numbers: [Int64] = []
    var month: Int64?
    var seconds: Int64?
    for word in words {
      if let index = months.firstIndex(of: String(word)) {
        month = Int64(index + 1)
      } else if word.contains(":") {
        let parts = word.split(separator: ":").compactMap { Int64($0) }
        guard parts.count == 3, parts[0] < 24, parts[1] < 60, parts[2] < 61, parts.allSatisfy({ $0 >= 0 }) else {
          return nil
        }
        seconds = parts[0] * 3_600 + parts[1] * 60 + parts[2]
      } else if word != "gmt" {
        guard let number = Int64(word), number >= 0, number < 10_000 else { return nil }
        numbers.append(number)
      }
    }
    guard let month, let seconds, numbers.count == 2, (1...31).contains(numbers[0]) else { return nil }
    // Two digits (RFC 850) mean this century, but for what would be far ahead.
    let year = numbers[1] < 70 ? numbers[1] + 2_000 : numbers[1] < 100 ? numbers[1] + 1_900 : numbers[1]
    return days(year: year, month: month, day: numbers[0]) * 86_400 + seconds
  }

  /// Days since 1970-01-01: years counted from March, so that the leap day is the last one.
  static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = floorDivide(shifted, 400)
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  static func date(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = daysSince1970 + 719_468
    let era = floorDivide(shifted, 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
  }

  static func floorDivide(_ value: Int64, _ by: Int64) -> Int64 {
    value >= 0 ? value / by : -((-value + by - 1) / by)
  }
}
