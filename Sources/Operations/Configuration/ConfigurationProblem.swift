/// One thing that is wrong in a configuration file: where, what was found, what is allowed, and what was probably meant.
public struct ConfigurationProblem: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file as it was named.
  public var file: String
  /// From 1; 0 where the whole file is meant.
  public var line: Int
  /// The path of the key, such as `sinks[0].rate.requests_per_second`; empty where the whole file is meant.
  public var key: String
  /// What is wrong, in a few words.
  public var summary: String
  /// What stands there, as written (before `${NAME}` is filled in); never a credential.
  public var found: String?
  /// What may stand there.
  public var allowed: String?
  /// The known key or word that is nearest to what was found.
  public var nearest: String?

  public init(
    file: String, line: Int, key: String, summary: String, found: String? = nil, allowed: String? = nil,
    nearest: String? = nil
  ) {
    self.file = file
    self.line = line
    self.key = key
    self.summary = summary
    self.found = found
    self.allowed = allowed
    self.nearest = nearest
  }

  public var description: String {
    var text = line > 0 ? "\(file):\(line): " : "\(file): "
    if !key.isEmpty { text += "\(key): " }
    text += summary
    if let found { text += "; found: \(found)" }
    if let allowed { text += "; allowed: \(allowed)" }
    if let nearest { text += "; did you mean \(nearest)?" }
    return text
  }
}

/// Everything that is wrong in a configuration file, in the order of its lines; exit code 78.
public struct ConfigurationErrors: Error, Sendable, Hashable, CustomStringConvertible {
  public let problems: [ConfigurationProblem]

  public init(_ problems: [ConfigurationProblem]) {
    // Stable by line: problems of one line stay in the order in which they were found.
    self.problems = problems.enumerated()
      .sorted { ($0.element.line, $0.offset) < ($1.element.line, $1.offset) }.map(\.element)
  }

  /// One line for each problem.
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}
