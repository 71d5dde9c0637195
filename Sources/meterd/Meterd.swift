internal import Glibc
internal import Kafka

/// The whole program: one command, one exit code.
enum Meterd {
  /// Runs what the words after the program's name ask for.
  static func run(_ words: [String]) -> Int32 {
    AllocatorTuning.apply()
    // A reader that goes away (`meterd ledger show | head`) is seen where it is written to.
    signal(SIGPIPE, SIG_IGN)
    let invocation: Invocation
    do {
      invocation = try CommandLineParser.parse(words)
    } catch {
      Terminal.note(error.description)
      return ExitCode.usage.rawValue
    }
    switch invocation {
    case .help(let text):
      Terminal.raw(text)
      return ExitCode.done.rawValue
    case .version:
      Terminal.raw(Version.text)
      return ExitCode.done.rawValue
    case .command(let command):
      do {
        try execute(command)
        return ExitCode.done.rawValue
      } catch {
        let failure = CommandFailure(error)
        Terminal.note("meterd \(command.command.rawValue): \(failure.description)")
        return failure.exitCode.rawValue
      }
    }
  }

  private static func execute(_ command: ParsedCommand) throws {
    switch command.command {
    case .load: try LoadCommand.run(command)
    case .fake: try FakeCommand.run(command)
    case .ledgerShow: try LedgerShowCommand.run(command)
    case .ledgerResolve: try LedgerResolveCommand.run(command)
    case .parkedList: try ParkedCommands.list(command)
    case .parkedRetry: try ParkedCommands.retry(command)
    case .run: try RunCommand.run(command)
    case .check: try CheckCommand.run(command)
    case .demo: try DemoCommand.run(command)
    }
  }
}
