/// Why a text is not a value of its type.
enum ValueMismatch: String, Error {
  case wrongType = "wrong type"
  case outOfRange = "out of range"
  case notAllowed = "not one of the allowed values"
}

extension ValueType {
  static let customersText = "identity, {map: FILE.csv} or {template: \"cus_{customer}\"}"

  /// Whether the value may stand in quotes; numbers and truth values may not: a quoted one is a text.
  var takesQuotes: Bool {
    switch self {
    case .integer, .boolean, .wordOrInteger: false
    default: true
    }
  }

  /// The words among which a misspelt one is looked for.
  var words: [String]? {
    switch self {
    case .choice(let words), .instantOr(let words): words
    case .wordOrInteger(let word, _): [word]
    case .boolean: ["true", "false"]
    default: nil
    }
  }

  /// What may stand there, for errors and the reference.
  var allowedText: String {
    switch self {
    case .text(let range): "text of \(range.lowerBound)–\(range.upperBound) bytes"
    case .rule(let description, _): description
    case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .wordOrInteger(let word, let range):
      "\(word), or a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .boolean: "true, false"
    case .duration(let range):
      "a duration from \(ValueSyntax.text(range.lowerBound)) to \(ValueSyntax.text(range.upperBound)), such as 90s, 24h, 35d or 1h30m"
    case .size(let range):
      "a size from \(ValueSyntax.text(bytes: range.lowerBound)) to \(ValueSyntax.text(bytes: range.upperBound)), such as 64MiB or 1GiB"
    case .choice(let words): words.joined(separator: ", ")
    case .instantOr(let words): (words + ["an RFC 3339 instant such as 2026-01-31T00:00:00Z"]).joined(separator: ", ")
    case .secret: "a credential, best as ${NAME} or through the key with _file at its end"
    case .names(let count):
      "a list of \(count.lowerBound)–\(count.upperBound) different names of 1–256 bytes, such as [model, region]"
    }
  }

  /// Reads a scalar's text. Lists and credentials have readers of their own.
  func parse(_ text: String) -> Result<ParsedContent, ValueMismatch> {
    switch self {
    case .text(let range): return range.contains(text.utf8.count) ? .success(.text(text)) : .failure(.outOfRange)
    case .rule(_, let isAllowed): return isAllowed(text) ? .success(.text(text)) : .failure(.notAllowed)
    case .integer(let range):
      guard let value = Int64(text) else { return .failure(.wrongType) }
      return range.contains(value) ? .success(.integer(value)) : .failure(.outOfRange)
    case .wordOrInteger(let word, let range):
      if text == word { return .success(.text(word)) }
      guard let value = Int64(text) else { return .failure(.wrongType) }
      return range.contains(value) ? .success(.integer(value)) : .failure(.outOfRange)
    case .boolean:
      switch text {
      case "true": return .success(.boolean(true))
      case "false": return .success(.boolean(false))
      default: return .failure(.wrongType)
      }
    case .duration(let range):
      guard let value = ValueSyntax.duration(text) else { return .failure(.wrongType) }
      return range.contains(value) ? .success(.duration(value)) : .failure(.outOfRange)
    case .size(let range):
      guard let value = ValueSyntax.bytes(text) else { return .failure(.wrongType) }
      return range.contains(value) ? .success(.size(value)) : .failure(.outOfRange)
    case .choice(let words): return words.contains(text) ? .success(.text(text)) : .failure(.notAllowed)
    case .instantOr(let words):
      if words.contains(text) { return .success(.text(text)) }
      guard let instant = ValueSyntax.instant(text) else { return .failure(.notAllowed) }
      return .success(.instant(instant))
    case .secret, .names: preconditionFailure("lists and credentials have readers of their own")
    }
  }
}
