/// A piece of a YAML document and the line on which it starts.
struct YAMLNode: Sendable {
  enum Content: Sendable {
    /// The text; `isPlain` where it is not quoted and not a block.
    case scalar(String, isPlain: Bool)
    case sequence([YAMLNode])
    case mapping([(key: String, keyLine: Int, value: YAMLNode)])
  }
  var content: Content
  var line: Int

  /// Written as nothing, `~` or `null`: the key keeps its default.
  var isNull: Bool {
    if case .scalar(let text, isPlain: true) = content { return text.isEmpty || text == "~" || text == "null" }
    return false
  }

  /// What an error says was found; a scalar as written, cut where it is long.
  var found: String {
    switch content {
    case .scalar(let text, _):
      return text.unicodeScalars.count <= 60 ? "\"\(text)\"" : "\"\(String(text.unicodeScalars.prefix(57)))…\""
    case .sequence: return "a list"
    case .mapping: return "a mapping"
    }
  }
}
