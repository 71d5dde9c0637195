/// Event times: RFC 3339 text and Unix integers, as Unix milliseconds. An instant finer than a millisecond is cut
/// towards the past.
enum TimeText {
  /// 0000-01-01T00:00:00Z and the last millisecond of 9999, the range that RFC 3339 can write.
  static let earliest: Int64 = -62_167_219_200_000
  static let latest: Int64 = 253_402_300_799_999

  /// An integer of Unix seconds, milliseconds (magnitude from 10¹¹) or microseconds (from 10¹⁴), or `nil` where it is
  /// outside the years 0000 to 9999.
  static func milliseconds(unix value: Int64) -> Int64? {
    let magnitude = value.magnitude
    let result: Int64
    if magnitude < 100_000_000_000 {
      result = value * 1000
    } else if magnitude < 100_000_000_000_000 {
      result = value
    } else {
      result = value >= 0 ? value / 1000 : -((-value + 999) / 1000)
    }
    return result >= earliest && result <= latest ? result : nil
  }

  /// An RFC 3339 instant, or `nil` where the text is none.
  ///
  /// `t` and `z` may be lower case, the fraction of any length. A leap second is taken at 23:59:60 UTC on the last day
  /// of a month, and is the first second of the next day, as in Unix time.
  static func milliseconds(rfc3339 text: ByteSlice) -> Int64? {
    guard text.count >= 20, let date = DateText(text) else { return nil }
    return milliseconds(days: date.daysSinceEpoch, isLastOfMonth: date.isLastOfMonth, text)
  }

  /// The days and the shape of the date; kept apart so that a run of events of one day reads its date once.
  struct DateText {
    var daysSinceEpoch: Int64
    var isLastOfMonth: Bool

    /// Reads `YYYY-MM-DD`; at least ten bytes.
    init?(_ text: ByteSlice) {
      var wrong: UInt8 = 0
      @inline(__always) func digit(_ at: Int) -> Int64 {
        let value = text[at] &- 48
        wrong |= value > 9 ? 1 : 0
        return Int64(value)
      }
      let year = digit(0) * 1000 + digit(1) * 100 + digit(2) * 10 + digit(3)
      let month = digit(5) * 10 + digit(6)
      let day = digit(8) * 10 + digit(9)
      guard wrong == 0, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"), month >= 1, month <= 12, day >= 1
      else { return nil }
      let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
      let length: Int64 =
        switch month {
        case 2: isLeap ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
      guard day <= length else { return nil }
      isLastOfMonth = day == length
      // Years that begin in March put the leap day at their end; 719,468 days lie between 0000-03-01 and 1970-01-01.
      let shifted = month <= 2 ? year - 1 : year
      let era = (shifted >= 0 ? shifted : shifted - 399) / 400
      let yearOfEra = shifted - era * 400
      let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
      let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
      daysSinceEpoch = era * 146_097 + dayOfEra - 719_468
    }
  }

  /// Reads what follows the date; at least twenty bytes.
  static func milliseconds(days: Int64, isLastOfMonth: Bool, _ text: ByteSlice) -> Int64? {
    let count = text.count
    var wrong: UInt8 = 0
    @inline(__always) func digit(_ at: Int) -> Int64 {
      let value = text[at] &- 48
      wrong |= value > 9 ? 1 : 0
      return Int64(value)
    }
    let hour = digit(11) &* 10 &+ digit(12)
    let minute = digit(14) &* 10 &+ digit(15)
    let second = digit(17) &* 10 &+ digit(18)
    guard wrong == 0, text[10] | 0x20 == UInt8(ascii: "t"), text[13] == UInt8(ascii: ":"),
      text[16] == UInt8(ascii: ":"), hour <= 23, minute <= 59, second <= 60
    else { return nil }
    var at = 19
    var fraction: Int64 = 0
    if text[at] == UInt8(ascii: ".") {
      at += 1
      let first = at
      var weight: Int64 = 100
      while at < count, text[at] &- 48 <= 9 {
        fraction = fraction &+ Int64(text[at] &- 48) &* weight
        weight = weight == 100 ? 10 : weight == 10 ? 1 : 0
        at += 1
      }
      guard at > first, at < count else { return nil }
    }
    var offset: Int64 = 0
    switch text[at] {
    case UInt8(ascii: "Z"), UInt8(ascii: "z"):
      guard at + 1 == count else { return nil }
    case UInt8(ascii: "+"), UInt8(ascii: "-"):
      guard at + 6 == count, text[at + 3] == UInt8(ascii: ":") else { return nil }
      let hours = digit(at + 1) &* 10 &+ digit(at + 2)
      let minutes = digit(at + 4) &* 10 &+ digit(at + 5)
      guard wrong == 0, hours <= 23, minutes <= 59 else { return nil }
      offset = hours * 60 + minutes
      if text[at] == UInt8(ascii: "-") { offset = -offset }
    default: return nil
    }
    let minuteOfDay = hour * 60 + minute - offset  // in UTC; may be of the day before or after
    if second == 60 {
      // The last minute of a month in UTC; an offset may write it as a minute of its neighbour days.
      let isLeapMinute: Bool
      switch minuteOfDay {
      case 1439: isLeapMinute = isLastOfMonth
      case -1: isLeapMinute = text[8] == UInt8(ascii: "0") && text[9] == UInt8(ascii: "1")
      default: isLeapMinute = false
      }
      guard isLeapMinute else { return nil }
    }
    return ((days * 1440 + minuteOfDay) * 60 + second) * 1000 + fraction
  }
}
