import Metering
import TestSupport
import Testing

@testable import Billing

/// The text of rows against one that is put together in the plainest way.
@Suite("Text of rows")
struct RowTextTests {
  private func json(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x22, 0x5c: out += "\\" + String(scalar)
      case ..<0x20: out += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }

  private func decimal(_ value: Quantity) -> String {
    let digits = String(value.units.magnitude)
    let padded = String(repeating: "0", count: max(0, 10 - digits.count)) + digits
    var fraction = padded.suffix(9)
    while fraction.last == "0" { fraction.removeLast() }
    return (value.units < 0 ? "-" : "") + padded.dropLast(9) + (fraction.isEmpty ? "" : "." + fraction)
  }

  /// Counts days year by year and month by month.
  private func time(_ milliseconds: Int64) -> String {
    func pad(_ value: Int64, _ width: Int) -> String {
      String(repeating: "0", count: width - String(value).count) + String(value)
    }
    var days = milliseconds / 86_400_000
    let rest = milliseconds % 86_400_000
    var year: Int64 = 1970
    func isLeap() -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
    while days >= (isLeap() ? 366 : 365) {
      days -= isLeap() ? 366 : 365
      year += 1
    }
    var month: Int64 = 1
    for length in [31, isLeap() ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as [Int64] {
      if days < length { break }
      days -= length
      month += 1
    }
    return "\(pad(year, 4))-\(pad(month, 2))-\(pad(days + 1, 2))T\(pad(rest / 3_600_000, 2)):"
      + "\(pad(rest / 60_000 % 60, 2)):\(pad(rest / 1_000 % 60, 2)).\(pad(rest % 1_000, 3))Z"
  }

  private func text(_ random: inout SeededRandom) -> String {
    let scalars: [Unicode.Scalar] = [
      "a", "Z", "0", "-", " ", "\"", "\\", "\0", "\n", "\u{1f}", "\u{7f}", "é", "€", "😀",
    ]
    // Mostly without a letter that needs an escape.
    let kinds = random.chance(50) ? 5 : scalars.count
    var text = String.UnicodeScalarView()
    for _ in 0..<random.below(40) { text.append(scalars[random.below(kinds)]) }
    return String(text)
  }

  private func number(_ random: inout SeededRandom) -> Int64 {
    let edge = random.pick([0, 9, 10, 99, 100, 999_999_999_999, 1_000_000_000_000, Int64.max - 1] as [Int64])
    return random.chance(30)
      ? edge : Int64.random(in: 0...(.max), using: &random) >> Int64.random(in: 0..<63, using: &random)
  }

  @Test("any row is the same text, byte for byte")
  func rows() {
    var random = SeededRandom(seed: 21)
    var writer = JSONWriter()
    var expected = ""
    for index in 0..<2_000 {
      let customer = text(&random)
      let meter = text(&random)
      let milliseconds = Int64.random(in: 0...253_402_300_799_999, using: &random)
      var units = (Int128(random.next()) << Int128(random.below(64))) >> Int128(random.below(90))
      if random.chance(30) { units = units / 1_000_000_000 * 1_000_000_000 }
      if random.chance(5) { units = random.chance(50) ? .max : .min }
      let value = Quantity(units: random.chance(30) ? 0 &- units : units)
      let events = number(&random)
      let dimensions = (0..<random.below(3)).map { _ in
        RowDimension(name: text(&random), text: random.chance(30) ? "-1.5" : text(&random), kind: .string)
      }
      writer.rowMembers(
        SinkRow(
          reference: RowReference(claim: 0, row: UInt32(index)), key: "k-\(index)", customer: Array(customer.utf8),
          meter: Array(meter.utf8), dimensions: dimensions, value: value, timestampMilliseconds: milliseconds,
          events: events))
      expected += "\"key\":\"k-\(index)\",\"customer\":\(json(customer)),\"meter\":\(json(meter))"
      if !dimensions.isEmpty {
        let members = dimensions.map { json($0.name) + ":" + json($0.text) }
        expected += ",\"dimensions\":{" + members.joined(separator: ",") + "}"
      }
      expected += ",\"value\":\"\(decimal(value))\",\"timestamp\":\"\(time(milliseconds))\",\"unix_ms\":\(milliseconds)"
      if events > 0 { expected += ",\"events\":\(events)" }
      #expect(QuantityText.string(value) == decimal(value))
    }
    #expect(writer.bytes == Array(expected.utf8))
  }

  @Test("a row's number is spelled with as many digits as it is said to take")
  func keys() {
    for shift in 0..<32 {
      for row in [UInt32(1) << UInt32(shift), (UInt32(1) << UInt32(shift)) &- 1] {
        let key = IdempotencyKey.text(
          incarnation: Array(0..<16), sink: "s", partition: 1, reference: RowReference(claim: 2, row: row))
        #expect(key.split(separator: ".").last.map(String.init) == String(row, radix: 32))
      }
    }
  }
}
