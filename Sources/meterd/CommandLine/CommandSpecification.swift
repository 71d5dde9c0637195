/// What the value of an option or an argument is.
enum ArgumentType: Sendable {
  case text
  /// A path; nothing is opened while parsing.
  case file
  case integer(ClosedRange<Int64>)
  case duration(ClosedRange<Duration>)
  /// `2%`, `0.5%` or `0`: a share of 1.
  case percentage
  case choice([String])
  /// `host:port`.
  case address
}

/// One `--name`, or `--name VALUE`.
struct OptionSpecification: Sendable {
  /// With its dashes.
  var name: String
  /// The value's name in the help, `nil` for a flag.
  var placeholder: String?
  var type: ArgumentType
  /// As it would be typed; `nil` is none.
  var standard: String?
  var isRequired: Bool
  var help: String

  static func flag(_ name: String, _ help: String) -> OptionSpecification {
    OptionSpecification(name: name, placeholder: nil, type: .text, standard: nil, isRequired: false, help: help)
  }

  static func option(
    _ name: String, _ placeholder: String, _ type: ArgumentType, default standard: String? = nil,
    required: Bool = false, _ help: String
  ) -> OptionSpecification {
    OptionSpecification(
      name: name, placeholder: placeholder, type: type, standard: standard, isRequired: required, help: help)
  }
}

/// One word after the command's name that is not an option.
struct ArgumentSpecification: Sendable {
  var placeholder: String
  var type: ArgumentType
  /// Whether several may stand there (at least one must).
  var isRepeated = false
  var help: String
}

/// One command: its words, what it takes and what it does.
struct CommandSpecification: Sendable {
  var command: Command
  /// One line.
  var summary: String
  /// Some sentences for its own help.
  var details: String
  var arguments: [ArgumentSpecification] = []
  var options: [OptionSpecification] = []

  /// `ledger resolve PARTITION --reason CODE [--yes]`.
  var usage: String {
    var parts = ["meterd", command.rawValue]
    parts += arguments.map { $0.isRepeated ? "\($0.placeholder)…" : $0.placeholder }
    parts += options.map { option in
      let text = option.placeholder.map { "\(option.name) \($0)" } ?? option.name
      return option.isRequired ? text : "[\(text)]"
    }
    return parts.joined(separator: " ")
  }
}
