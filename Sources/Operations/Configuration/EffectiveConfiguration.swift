internal import Daemon

extension ConfigurationFile {
  /// The configuration with every default filled in, as YAML that reads back to the same one, but for its credentials,
  /// which stand as `••••`.
  public var effectiveText: String {
    var writer = EffectiveWriter()
    writer.writeMembers(root, keys: ConfigurationSchema.root, indent: 0)
    return writer.output
  }
}

/// Writes values in the order of the schema's table.
private struct EffectiveWriter {
  var output = ""

  mutating func writeMembers(_ value: ParsedValue, keys: [SchemaKey], indent: Int) {
    for member in value.members {
      guard let key = keys.first(where: { $0.name == member.key }) else { continue }
      write(member.value, shape: key.shape, name: member.key, indent: indent)
    }
  }

  private mutating func write(_ value: ParsedValue, shape: SchemaShape, name: String, indent: Int) {
    let label = String(repeating: " ", count: indent) + EffectiveWriter.scalar(name, isKey: true) + ":"
    switch shape {
    case .leaf, .customers: output += "\(label) \(EffectiveWriter.flow(value))\n"
    case .mapping(let keys):
      output += "\(label)\n"
      writeMembers(value, keys: keys, indent: indent + 2)
    case .named(.mapping(let keys), _) where !value.members.isEmpty:
      output += "\(label)\n"
      for member in value.members {
        output += String(repeating: " ", count: indent + 2) + EffectiveWriter.scalar(member.key, isKey: true) + ":\n"
        writeMembers(member.value, keys: keys, indent: indent + 4)
      }
    case .kafkaProperties where !value.members.isEmpty:
      output += "\(label)\n"
      for member in value.members {
        output += String(repeating: " ", count: indent + 2) + EffectiveWriter.scalar(member.key, isKey: true) + ": "
        output += EffectiveWriter.flow(member.value) + "\n"
      }
    case .named, .kafkaProperties: output += "\(label) {}\n"
    case .list(.mapping(let keys), _) where !value.elements.isEmpty:
      output += "\(label)\n"
      for element in value.elements {
        var inner = EffectiveWriter()
        inner.writeMembers(element, keys: keys, indent: indent + 4)
        // The dash takes the place of two spaces before the first key.
        let spaces = String(repeating: " ", count: indent)
        output += "\(spaces)  - " + inner.output.dropFirst(indent + 4)
      }
    case .list: output += "\(label) []\n"
    }
  }

  private static func flow(_ value: ParsedValue) -> String {
    switch value.content {
    case .absent: "null"
    case .text(let text): scalar(text)
    case .integer(let number): String(number)
    case .boolean(let flag): String(flag)
    case .duration(let duration): ValueSyntax.text(duration)
    case .size(let bytes): ValueSyntax.text(bytes: bytes)
    case .instant(let milliseconds): Timestamp.rfc3339(milliseconds: milliseconds)
    case .secret: "\"\(Secret.mask)\""
    case .names(let names): "[" + names.map { scalar($0) }.joined(separator: ", ") + "]"
    case .list, .mapping([]): "{}"
    case .mapping(let members): "{" + members.map { "\($0.key): \(flow($0.value))" }.joined(separator: ", ") + "}"
    }
  }

  /// A text as a YAML scalar: plain where it can only be read as itself, else in double quotes.
  private static func scalar(_ text: String, isKey: Bool = false) -> String {
    let isPlain =
      !text.isEmpty && !["null", "true", "false"].contains(text) && text.first != "-"
      && text.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: "_-./".utf8.contains($0)
        }
      }
    if isPlain { return text }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
        quoted += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    quoted += "\""
    // Keys are taken as they stand; in values ${ would be filled in again.
    return isKey ? quoted : quoted.split(separator: "${", omittingEmptySubsequences: false).joined(separator: "$${")
  }
}
