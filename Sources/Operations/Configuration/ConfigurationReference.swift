/// The reference of all configuration keys in Markdown, as the README has it, read off the schema's table.
public func configurationReference() -> String { ConfigurationReference.markdown() }

enum ConfigurationReference {

  static func markdown() -> String {
    var output = "| key | default | allowed | meaning |\n|---|---|---|---|\n"
    appendRows(ConfigurationSchema.root, path: "", to: &output)
    output += "\nIn `kafka.properties`, meterd keeps to itself:\n\n"
    // Properties with one reason share a line.
    var reasons: [String] = []
    for property in KafkaPropertyRules.owned where !reasons.contains(property.reason) {
      reasons.append(property.reason)
    }
    for reason in reasons {
      let names = KafkaPropertyRules.owned.filter { $0.reason == reason }.map { "`\($0.name)`" }
      output += "- \(names.joined(separator: ", ")): \(reason)\n"
    }
    return output
  }

  private static func appendRows(_ keys: [SchemaKey], path: String, to output: inout String) {
    for key in keys {
      let name = path.isEmpty ? key.name : "\(path).\(key.name)"
      let meaning =
        key.documentation + (key.providers.map { " (only \($0.map(\.rawValue).joined(separator: ", ")))" } ?? "")
      switch key.shape {
      case .leaf(let type, let standard):
        let shown = key.isRequired ? "(required)" : standard.map { "`\($0)`" } ?? "–"
        let suffix = key.isSecret ? ", `\(name)_file`" : ""
        output += row("`\(name)`\(suffix)", shown, type.allowedText, meaning)
      case .mapping(let keys): appendRows(keys, path: name, to: &output)
      case .named(.mapping(let keys), let placeholder):
        output += row("`\(name)`", "`{}`", key.allowedText, meaning)
        appendRows(keys, path: "\(name).\(placeholder)", to: &output)
      case .list(.mapping(let keys), _):
        output += row("`\(name)`", "`[]`", key.allowedText, meaning)
        appendRows(keys, path: "\(name)[]", to: &output)
      case .kafkaProperties: output += row("`\(name)`", "`{}`", key.allowedText, meaning)
      case .customers: output += row("`\(name)`", "`identity`", key.allowedText, meaning)
      case .named, .list: continue
      }
    }
  }

  private static func row(_ cells: String...) -> String {
    "| "
      + cells.map { $0.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|") }
      .joined(separator: " | ") + " |\n"
  }
}
