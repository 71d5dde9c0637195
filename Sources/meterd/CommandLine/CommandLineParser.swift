internal import Operations

/// Reads a command line by ``CommandTable``.
///
/// Options may stand anywhere after the command, as `--name VALUE` or `--name=VALUE`; what follows `--` is never an
/// option. An option given twice is refused: which one was meant is not for a program to guess.
struct CommandLineParser {
  /// Reads the words after the program's name.
  static func parse(_ words: [String]) throws(UsageError) -> Invocation {
    guard let first = words.first else { throw UsageError(message: "no command", command: nil) }
    if first == "--help" || first == "-h" || first == "help" {
      return .help(try help(for: Array(words.dropFirst())))
    }
    if first == "--version" { return .version }
    let (specification, rest) = try findCommand(words)
    guard let specification else { return .help(Help.group(first)) }
    var parser = CommandLineParser(specification: specification)
    return try parser.run(rest)
  }

  // MARK: The command

  /// The command and the words after it; no command where help on a group (`ledger --help`) is asked for.
  private static func findCommand(_ words: [String]) throws(UsageError) -> (CommandSpecification?, [String]) {
    let first = words[0]
    if let command = Command(rawValue: first) {
      return (CommandTable.specification(of: command), Array(words.dropFirst()))
    }
    let group = CommandTable.commands.filter { $0.command.rawValue.hasPrefix(first + " ") }
    if !group.isEmpty {
      let names = group.map { String($0.command.rawValue.dropFirst(first.count + 1)) }
      guard words.count > 1 else {
        throw UsageError(message: "\(first) needs a word more: \(names.joined(separator: ", "))", command: first)
      }
      if words[1] == "--help" || words[1] == "-h" { return (nil, []) }
      if let command = Command(rawValue: "\(first) \(words[1])") {
        return (CommandTable.specification(of: command), Array(words.dropFirst(2)))
      }
      throw UsageError(
        message: "unknown command \"\(first) \(words[1])\""
          + meant(nearestName(to: words[1], among: names).map { "\(first) \($0)" })
          + "; there is: \(names.map { "\(first) \($0)" }.joined(separator: ", "))", command: first)
    }
    if CommandTable.later.contains(first) {
      throw UsageError(message: "the command \"\(first)\" is not in this version", command: nil)
    }
    if first.hasPrefix("-") {
      throw UsageError(
        message:
          "unknown option \"\(first)\"\(meant(nearestName(to: first, among: ["--help", "--version"]))); the command comes first",
        command: nil)
    }
    // `parked-list` and `ledgershow` are near to the two words, and so is `parkd` to its first one.
    let names = Command.allCases.map(\.rawValue) + ["ledger", "parked"]
    throw UsageError(
      message: "unknown command \"\(first)\"\(meant(nearestName(to: first, among: names)))", command: nil)
  }

  private static func help(for words: [String]) throws(UsageError) -> String {
    if words.isEmpty { return Help.overview() }
    let (specification, _) = try findCommand(words.count == 1 ? words + ["--help"] : words)
    return specification.map { Help.command($0) } ?? Help.group(words[0])
  }

  fileprivate static func meant(_ name: String?) -> String { name.map { "; did you mean \($0)?" } ?? "" }

  // MARK: Options and arguments

  private let specification: CommandSpecification
  private var options: [String: ParsedCommand.Value] = [:]
  private var flags: Set<String> = []
  private var arguments: [ParsedCommand.Value] = []

  private init(specification: CommandSpecification) { self.specification = specification }

  private func error(_ message: String) -> UsageError {
    UsageError(message: message, command: specification.command.rawValue)
  }

  private mutating func run(_ words: [String]) throws(UsageError) -> Invocation {
    // A question for help is answered even where the rest of the line is wrong.
    let beforeDashes = words.prefix { $0 != "--" }
    if beforeDashes.contains("--help") || beforeDashes.contains("-h") { return .help(Help.command(specification)) }
    var rest = words[...]
    var areOptionsOver = false
    while let word = rest.popFirst() {
      if !areOptionsOver, word == "--" {
        areOptionsOver = true
      } else if !areOptionsOver, word.hasPrefix("-"), word != "-" {
        try takeOption(word, &rest)
      } else {
        try takeArgument(word)
      }
    }
    try fillIn()
    return .command(
      ParsedCommand(command: specification.command, options: options, flags: flags, arguments: arguments))
  }

  private mutating func takeOption(_ word: String, _ rest: inout ArraySlice<String>) throws(UsageError) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard let option = specification.options.first(where: { $0.name == parts[0] }) else {
      let near = nearestName(to: parts[0], among: specification.options.map(\.name) + ["--help"])
      throw error("\(specification.command.rawValue): unknown option \"\(parts[0])\"\(Self.meant(near))")
    }
    guard !flags.contains(option.name), options[option.name] == nil else {
      throw error("\(option.name) is given twice")
    }
    guard let placeholder = option.placeholder else {
      guard parts.count == 1 else { throw error("\(option.name) takes no value") }
      flags.insert(option.name)
      return
    }
    let value: String
    if parts.count == 2 {
      value = parts[1]
    } else {
      // `--config --dry-run` has forgotten the file: another option is no value. A value with dashes is given by `=`.
      guard let next = rest.first, !specification.options.contains(where: { $0.name == next }) else {
        throw error("\(option.name) needs a value: \(option.name) \(placeholder)")
      }
      rest = rest.dropFirst()
      value = next
    }
    options[option.name] = try parse(value, option.type, name: option.name)
  }

  private mutating func takeArgument(_ word: String) throws(UsageError) {
    let index = min(arguments.count, specification.arguments.count - 1)
    guard index >= 0, arguments.count < specification.arguments.count || specification.arguments[index].isRepeated
    else { throw error("\(specification.command.rawValue): \"\(word)\" is one word too many") }
    let argument = specification.arguments[index]
    arguments.append(try parse(word, argument.type, name: argument.placeholder))
  }

  private mutating func fillIn() throws(UsageError) {
    if arguments.count < specification.arguments.count {
      let missing = specification.arguments[arguments.count]
      throw error("\(specification.command.rawValue): \(missing.placeholder) is missing: \(missing.help)")
    }
    for option in specification.options where option.placeholder != nil && options[option.name] == nil {
      if option.isRequired {
        throw error(
          "\(specification.command.rawValue): \(option.name) \(option.placeholder ?? "") is missing: \(option.help)")
      }
      if let standard = option.standard {
        options[option.name] = try parse(standard, option.type, name: option.name)
      }
    }
  }

  private func parse(_ text: String, _ type: ArgumentType, name: String) throws(UsageError) -> ParsedCommand.Value {
    func refused(_ allowed: String, _ near: String? = nil) -> UsageError {
      error("\(name): found \"\(text)\"; allowed: \(allowed)\(Self.meant(near))")
    }
    switch type {
    case .text, .file:
      guard !text.isEmpty else { throw refused("a text that is not empty") }
      return .text(text)
    case .integer(let range):
      // Underscores help to read what was typed: 10_000_000.
      guard let value = Int64(text.filter { $0 != "_" }), range.contains(value) else {
        throw refused("a whole number from \(range.lowerBound) to \(range.upperBound)")
      }
      return .integer(value)
    case .duration(let range):
      guard let value = ValueSyntax.duration(text), range.contains(value) else {
        throw refused(
          "a duration from \(ValueSyntax.text(range.lowerBound)) to \(ValueSyntax.text(range.upperBound)), such as 30s")
      }
      return .duration(value)
    case .percentage:
      let digits = text.hasSuffix("%") ? String(text.dropLast()) : text == "0" ? text : ""
      guard digits.utf8.allSatisfy({ "0123456789.".utf8.contains($0) }), let value = Double(digits), value < 100 else {
        throw refused("a share from 0% to below 100%, such as 2%")
      }
      return .fraction(value / 100)
    case .choice(let words):
      guard words.contains(text) else {
        throw refused(words.joined(separator: ", "), nearestName(to: text, among: words))
      }
      return .text(text)
    case .address:
      guard let colon = text.lastIndex(of: ":"), colon != text.startIndex,
        let port = Int(text[text.index(after: colon)...]), (0...65_535).contains(port)
      else { throw refused("host:port, such as 127.0.0.1:12111") }
      return .text(text)
    }
  }
}
