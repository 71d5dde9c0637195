/// HTML that is safe by construction: literals are markup, everything interpolated is text and is escaped, unless it is
/// HTML itself.
struct HTML: ExpressibleByStringInterpolation, Sendable {
  private(set) var markup: String

  init(stringLiteral value: String) { markup = value }
  init(stringInterpolation: StringInterpolation) { markup = stringInterpolation.markup }

  struct StringInterpolation: StringInterpolationProtocol {
    var markup = ""
    init(literalCapacity: Int, interpolationCount: Int) { markup.reserveCapacity(literalCapacity * 2) }
    mutating func appendLiteral(_ literal: String) { markup += literal }
    mutating func appendInterpolation(_ html: HTML) { markup += html.markup }
    mutating func appendInterpolation(_ parts: [HTML]) { for part in parts { markup += part.markup } }
    mutating func appendInterpolation(_ text: String) { markup += HTML.escaped(text) }
    mutating func appendInterpolation(_ number: Int) { markup += String(number) }
    mutating func appendInterpolation(_ number: Int32) { markup += String(number) }
  }

  /// A text for element content and quoted attributes.
  static func escaped(_ text: String) -> String {
    var output = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": output += "&amp;"
      case "<": output += "&lt;"
      case ">": output += "&gt;"
      case "\"": output += "&quot;"
      case "'": output += "&#39;"
      // Controls have no place in HTML; they show as what they are.
      case _ where scalar.value < 0x20 && scalar != "\n" && scalar != "\t": output += "\u{FFFD}"
      default: output.unicodeScalars.append(scalar)
      }
    }
    return output
  }
}

/// Numbers as people read them.
enum PeopleText {
  /// `12,345,678`.
  static func count(_ number: Int64) -> String {
    let digits = Array(String(number.magnitude))
    var output = number < 0 ? "−" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { output += "," }
      output.append(digit)
    }
    return output
  }

  /// `3 partitions`, `1 partition`.
  static func count(_ number: Int, _ noun: String) -> String {
    "\(count(Int64(number))) \(noun)\(number == 1 ? "" : "s")"
  }

  /// `now`, `12 s`, `4 min`, `3 h 20 min`, `2 d 4 h`.
  static func duration(seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0.5, seconds < 1e12 else { return seconds < 0.5 ? "0 s" : "–" }
    let whole = Int64(seconds.rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3_600 { return "\(whole / 60) min" + (whole < 600 && whole % 60 > 0 ? " \(whole % 60) s" : "") }
    if whole < 86_400 { return "\(whole / 3_600) h" + (whole / 60 % 60 > 0 ? " \(whole / 60 % 60) min" : "") }
    return "\(count(whole / 86_400)) d" + (whole / 3_600 % 24 > 0 ? " \(whole / 3_600 % 24) h" : "")
  }
}
