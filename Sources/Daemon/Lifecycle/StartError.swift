/// Why meterd does not start: what it exits with, where the cause lies, and what to do.
public struct StartError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The command line's exit codes (INTERFACE.md section 3).
  public enum ExitCode: Int32, Sendable {
    case data = 65
    case unavailable = 69
    case `internal` = 70
    case tryAgain = 75
    case configuration = 78
  }

  /// What the process exits with.
  public var exitCode: ExitCode
  /// A stable code for logs, such as `topic_missing`.
  public var code: String
  /// The configuration key that it is about, such as `kafka.topic`.
  public var setting: String
  /// What was found.
  public var what: String
  /// What to do.
  public var remedy: String

  /// An error of these parts.
  public init(exitCode: ExitCode, code: String, setting: String, what: String, remedy: String) {
    self.exitCode = exitCode
    self.code = code
    self.setting = setting
    self.what = what
    self.remedy = remedy
  }

  public var description: String { "\(setting): \(what). \(remedy)" }
}
