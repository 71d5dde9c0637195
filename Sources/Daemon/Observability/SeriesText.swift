/// The name and labels of one series, rendered once to the bytes that stand before its number in the Prometheus text
/// format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
package struct SeriesText: Sendable {
  private let name: String
  /// `a="1",b="2"`, without braces.
  private let labels: String
  /// `name{labels} `, ready to be followed by a number.
  package let prefix: [UInt8]

  package init(name: String, labelNames: [String], labelValues: [String]) {
    precondition(labelNames.count == labelValues.count, "\(name): a value for each label name")
    self.name = name
    // An empty value equals an absent label; leaving it out keeps `equation="events"` free of `sink=""`.
    labels = zip(labelNames, labelValues).filter { !$0.1.isEmpty }
      .map { "\($0)=\"\(SeriesText.escapedValue($1))\"" }.joined(separator: ",")
    prefix = Array((labels.isEmpty ? "\(name) " : "\(name){\(labels)} ").utf8)
  }

  /// The prefix of a derived series such as `name_bucket{labels,le="0.1"} `.
  package func derived(_ suffix: String, extra: String = "") -> [UInt8] {
    let all = [labels, extra].filter { !$0.isEmpty }.joined(separator: ",")
    return Array((all.isEmpty ? "\(name)\(suffix) " : "\(name)\(suffix){\(all)} ").utf8)
  }

  /// A label's value with backslash, quote and line feed escaped.
  package static func escapedValue(_ value: String) -> String {
    var escaped = ""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// A help text with backslash and line feed escaped.
  package static func escapedHelp(_ help: String) -> String {
    var escaped = ""
    for scalar in help.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// A number as the text format writes it: whole numbers without a fraction, `+Inf`, `-Inf`, `NaN`.
  package static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    if value == value.rounded(), value.magnitude < 1e15 { return String(Int64(value)) }
    return "\(value)"
  }

  /// A count of nanoseconds as exact decimal seconds.
  package static func seconds(nanoseconds: UInt64) -> String {
    let (whole, fraction) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    if fraction == 0 { return String(whole) }
    let digits = String(fraction)
    return "\(whole)." + String(repeating: "0", count: 9 - digits.count) + digits
  }
}
