/// `application/x-www-form-urlencoded` (WHATWG URL, section 5), also the form of query strings.
public enum FormEncoding {
  /// Encodes pairs in their order: letters, digits and `*-._` as they are, a space as `+`, every other byte as `%XX`.
  /// Stripe's SDKs leave the brackets in names bare: `bareBrackets` does the same.
  public static func encode(_ pairs: [(String, String)], bareBrackets: Bool = false) -> [UInt8] {
    var out: [UInt8] = []
    for (index, pair) in pairs.enumerated() {
      if index > 0 { out.append(UInt8(ascii: "&")) }
      append(pair.0, to: &out, bareBrackets: bareBrackets)
      out.append(UInt8(ascii: "="))
      append(pair.1, to: &out, bareBrackets: false)
    }
    return out
  }

  /// Decodes pairs in their order; `nil` where an escape is cut or not hexadecimal, or the text is not UTF-8.
  public static func decode(_ bytes: [UInt8]) -> [(String, String)]? {
    var pairs: [(String, String)] = []
    for part in bytes.split(separator: UInt8(ascii: "&")) {
      let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
      guard let name = unescape(part[..<equals], plusIsSpace: true),
        let value = unescape(part[min(equals + 1, part.endIndex)...], plusIsSpace: true)
      else { return nil }
      pairs.append((name, value))
    }
    return pairs
  }

  /// Decodes `%XX`; in forms and queries `+` is a space, in paths it is itself.
  package static func unescape(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) -> String? {
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count)
    var index = bytes.startIndex
    while index < bytes.endIndex {
      let byte = bytes[index]
      if byte == UInt8(ascii: "%") {
        guard index + 2 < bytes.endIndex, let high = hexValue(bytes[index + 1]), let low = hexValue(bytes[index + 2])
        else { return nil }
        out.append(high << 4 | low)
        index += 3
      } else {
        out.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
        index += 1
      }
    }
    return String(validating: out, as: UTF8.self)
  }

  private static func append(_ text: String, to out: inout [UInt8], bareBrackets: Bool) {
    let digits = Array("0123456789ABCDEF".utf8)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "*"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"):
        out.append(byte)
      case UInt8(ascii: "[") where bareBrackets, UInt8(ascii: "]") where bareBrackets:
        out.append(byte)
      case UInt8(ascii: " "):
        out.append(UInt8(ascii: "+"))
      default:
        out.append(UInt8(ascii: "%"))
        out.append(digits[Int(byte >> 4)])
        out.append(digits[Int(byte & 15)])
      }
    }
  }
}

private func hexValue(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
