internal import Operations

/// A command line that was understood: every value is there and in range, so the getters do not fail. A getter of a name
/// that the command does not have is a mistake in meterd, and traps.
struct ParsedCommand: Sendable, Equatable {
  enum Value: Sendable, Equatable {
    case text(String)
    case integer(Int64)
    case duration(Duration)
    case fraction(Double)
  }

  let command: Command
  /// By option name, dashes included; defaults filled in.
  let options: [String: Value]
  let flags: Set<String>
  let arguments: [Value]

  /// Whether the flag was given.
  func flag(_ name: String) -> Bool {
    checkName(name)
    return flags.contains(name)
  }

  /// A text, file, choice or address; `nil` where it was not given and has no default.
  func optionalText(_ name: String) -> String? {
    checkName(name)
    switch options[name] {
    case nil: return nil
    case .text(let text): return text
    default: preconditionFailure("\(name) is no text")
    }
  }

  /// A required text, file, choice or address.
  func text(_ name: String) -> String {
    guard let text = optionalText(name) else { preconditionFailure("\(name) is not required") }
    return text
  }

  /// A whole number; `nil` where it was not given and has no default.
  func optionalInteger(_ name: String) -> Int64? {
    checkName(name)
    switch options[name] {
    case nil: return nil
    case .integer(let integer): return integer
    default: preconditionFailure("\(name) is no integer")
    }
  }

  /// A whole number with a default.
  func integer(_ name: String) -> Int64 {
    guard let integer = optionalInteger(name) else { preconditionFailure("\(name) has no default") }
    return integer
  }

  /// A duration with a default.
  func duration(_ name: String) -> Duration {
    checkName(name)
    guard case .duration(let duration) = options[name] else { preconditionFailure("\(name) is no duration") }
    return duration
  }

  /// A share of 1 with a default.
  func fraction(_ name: String) -> Double {
    checkName(name)
    guard case .fraction(let fraction) = options[name] else { preconditionFailure("\(name) is no percentage") }
    return fraction
  }

  /// All arguments as texts (`parked retry ROW…`).
  var argumentTexts: [String] {
    arguments.map { value in
      switch value {
      case .text(let text): text
      case .integer(let integer): String(integer)
      case .duration, .fraction: preconditionFailure("no argument is a duration or a percentage")
      }
    }
  }

  /// The argument at `index` as a text.
  func argument(_ index: Int) -> String { argumentTexts[index] }

  /// The argument at `index` as a whole number (`ledger resolve PARTITION`).
  func integerArgument(_ index: Int) -> Int64 {
    guard case .integer(let integer) = arguments[index] else { preconditionFailure("argument \(index) is no integer") }
    return integer
  }

  private func checkName(_ name: String) {
    precondition(
      CommandTable.specification(of: command).options.contains { $0.name == name },
      "\(command.rawValue) has no option \(name)")
  }
}

/// What the command line asks for.
enum Invocation: Sendable, Equatable {
  case command(ParsedCommand)
  /// `--help`: the text for standard output.
  case help(String)
  case version
}

/// Why a command line was not understood; exit code 64.
struct UsageError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One or two sentences, with the nearest name where there is one.
  var message: String
  /// The command whose help says more; `nil`: meterd's own.
  var command: String?

  var description: String {
    "meterd: \(message)\nTry: meterd \(command.map { $0 + " " } ?? "")--help"
  }
}
