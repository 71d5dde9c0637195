/// The rules of texts that have a form of their own.
enum ValueRules {
  static let topicDescription = "a topic name: 1–249 letters, digits, ., _ and -, not . or .."

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  /// Kafka's own rule of topic names.
  static func isTopic(_ text: String) -> Bool { isKafkaName(text, maximum: 249) }

  /// A group becomes a part of two topics' names, which Kafka limits to 249 bytes.
  static func isGroup(_ text: String) -> Bool { isKafkaName(text, maximum: 200) }

  private static func isKafkaName(_ text: String, maximum: Int) -> Bool {
    (1...maximum).contains(text.utf8.count) && text != "." && text != ".."
      && text.utf8.allSatisfy { isLetterOrDigit($0) || "._-".utf8.contains($0) }
  }

  /// `[a-z0-9][a-z0-9_-]{0,39}`.
  static func isSinkName(_ text: String) -> Bool {
    guard (1...40).contains(text.utf8.count), let first = text.utf8.first, first != UInt8(ascii: "_"),
      first != UInt8(ascii: "-")
    else { return false }
    return text.utf8.allSatisfy {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
    }
  }

  static func isPath(_ text: String) -> Bool { (1...4_000).contains(text.utf8.count) && !text.utf8.contains(0) }

  static func isBootstrapServers(_ text: String) -> Bool {
    if text == "embedded" { return true }
    let servers = text.split(separator: ",", omittingEmptySubsequences: false)
    return servers.allSatisfy { server in
      var server = String(server.drop { $0 == " " })
      while server.last == " " { server.removeLast() }
      // librdkafka takes a protocol in front (SASL_SSL://host:port).
      if let scheme = server.firstRange(of: "://") { server = String(server[scheme.upperBound...]) }
      return isAddress(server, ports: 1...65_535)
    }
  }

  static func isListenAddress(_ text: String) -> Bool { isAddress(text, ports: 0...65_535) }

  private static func isAddress(_ text: String, ports: ClosedRange<Int>) -> Bool {
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return false }
    let host = text[..<colon]
    guard let port = Int(text[text.utf8.index(after: colon)...]), ports.contains(port), !host.isEmpty else {
      return false
    }
    if host.hasPrefix("[") { return host.hasSuffix("]") && host.utf8.count > 2 }
    return host.utf8.allSatisfy { isLetterOrDigit($0) || "._-*".utf8.contains($0) }
  }

  /// An absolute http or https URL with a host; credentials within it would be printed, so it may not hold any.
  static func isURL(_ text: String) -> Bool {
    guard let scheme = ["https://", "http://"].first(where: { text.hasPrefix($0) }) else { return false }
    let rest = text.dropFirst(scheme.count)
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    return !authority.isEmpty && !authority.contains("@") && !authority.hasPrefix(":")
      && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && text.utf8.count <= 2_000
  }

  /// Whether credentials sent to that URL would cross a network in the clear.
  static func isPlainHTTPToElsewhere(_ url: String) -> Bool {
    guard url.hasPrefix("http://") else { return false }
    let authority = url.dropFirst(7).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
    return !(host == "localhost" || host.hasPrefix("127.") || host == "[::1]")
  }

  /// Exactly one `{customer}`, no other brace.
  static func isCustomerTemplate(_ text: String) -> Bool {
    let parts = text.split(separator: "{customer}", omittingEmptySubsequences: false)
    return parts.count == 2 && !parts.joined().contains { $0 == "{" || $0 == "}" } && text.utf8.count <= 256
  }
}
