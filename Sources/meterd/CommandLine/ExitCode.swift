/// What the process ends with; sysexits.h names most of them.
enum ExitCode: Int32, Sendable, CaseIterable {
  case done = 0
  /// The command line is wrong.
  case usage = 64
  /// A difference was found, or `check` found what would stop a partition.
  case data = 65
  /// A service cannot be reached.
  case unavailable = 69
  /// A mistake in meterd.
  case `internal` = 70
  /// The storage or the group member is in use.
  case tryAgain = 75
  /// The configuration is wrong, or what it names is not as it must be.
  case configuration = 78
}
