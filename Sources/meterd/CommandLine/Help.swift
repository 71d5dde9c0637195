/// The help texts, read off the table. They fit in 100 columns.
enum Help {
  private static let width = 100

  /// `meterd --help`.
  static func overview() -> String {
    var text = """
      meterd counts usage events from Kafka exactly once, and reports exact totals to billing providers.

      Usage: meterd COMMAND [OPTIONS]

      Commands:

      """
    text += list(CommandTable.commands.map { ($0.command.rawValue, $0.summary) })
    text += """

      meterd COMMAND --help says more about one of them; meterd --version prints the versions.

      Exit codes: 0 done; 64 wrong usage; 65 data: a difference was found, or what would stop a
      partition; 69 a service is unavailable; 70 internal; 75 try again: the storage or the group member
      is in use; 78 configuration.

      """
    return text
  }

  /// `meterd ledger --help`.
  static func group(_ name: String) -> String {
    let commands = CommandTable.commands.filter { $0.command.rawValue.hasPrefix(name + " ") }
    return "Usage: meterd \(name) COMMAND [OPTIONS]\n\nCommands:\n"
      + list(commands.map { ($0.command.rawValue, $0.summary) })
  }

  /// `meterd run --help`.
  static func command(_ specification: CommandSpecification) -> String {
    var text = "meterd \(specification.command.rawValue): \(specification.summary)\n\n"
    text += wrapped("Usage: " + specification.usage, indent: 0, hanging: 2) + "\n"
    text += wrapped(specification.details.split(separator: "\n").joined(separator: " "), indent: 0, hanging: 0)
    if !specification.arguments.isEmpty {
      text += "\nArguments:\n" + list(specification.arguments.map { ($0.placeholder, $0.help) })
    }
    text += "\nOptions:\n"
    text += list(
      specification.options.map { option in
        let left = option.placeholder.map { "\(option.name) \($0)" } ?? option.name
        let note = option.isRequired ? " (required)" : option.standard.map { " (default: \($0))" } ?? ""
        return (left, option.help + note)
      } + [("--help", "This text.")])
    return text
  }

  private static func list(_ rows: [(left: String, right: String)]) -> String {
    let column = (rows.map(\.left.count).max() ?? 0) + 4
    return rows.map { row in
      let left = "  " + row.left + String(repeating: " ", count: column - row.left.count - 2)
      return left + wrapped(row.right, indent: column, hanging: column).drop { $0 == " " }
    }.joined()
  }

  private static func wrapped(_ text: String, indent: Int, hanging: Int) -> String {
    var lines: [String] = []
    var line = String(repeating: " ", count: indent)
    var isEmpty = true
    for word in text.split(separator: " ") {
      if !isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = String(repeating: " ", count: hanging)
        isEmpty = true
      }
      line += isEmpty ? word : " " + word
      isEmpty = false
    }
    lines.append(line)
    return lines.joined(separator: "\n") + "\n"
  }
}
