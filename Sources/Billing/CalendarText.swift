/// Instants as text: RFC 3339 for bodies, HTTP dates of replies. Proleptic Gregorian calendar, UTC.
enum CalendarText {
  /// `2025-11-01T11:54:56.789Z`, always with milliseconds. Years 0000 to 9999.
  static func appendRFC3339(unixMilliseconds: Int64, to out: inout [UInt8]) {
    let days = floorDivide(unixMilliseconds, 86_400_000)
    let rest = unixMilliseconds - days * 86_400_000
    let (year, month, day) = date(daysSince1970: days)
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { text in
      func put(_ value: Int64, at place: Int, _ width: Int, then end: StaticString) {
        var rest = value
        for digit in stride(from: place + width - 1, through: place, by: -1) {
          text[digit] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
          rest /= 10
        }
        text[place + width] = end.utf8Start.pointee
      }
      put(year, at: 0, 4, then: "-")
      put(month, at: 5, 2, then: "-")
      put(day, at: 8, 2, then: "T")
      put(rest / 3_600_000, at: 11, 2, then: ":")
      put(rest / 60_000 % 60, at: 14, 2, then: ":")
      put(rest / 1_000 % 60, at: 17, 2, then: ".")
      put(rest % 1_000, at: 20, 3, then: "Z")
      out.append(contentsOf: text)
    }
  }

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

  private static func floorDivide(_ value: Int64, _ by: Int64) -> Int64 {
    value >= 0 ? value / by : -((-value + by - 1) / by)
  }
}
