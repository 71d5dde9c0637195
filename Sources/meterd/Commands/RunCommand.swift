internal import Daemon
internal import Dispatch
internal import Glibc
internal import Operations
internal import Synchronization

/// `meterd run`: the daemon, until it is told to stop.
enum RunCommand {
  static func run(_ command: ParsedCommand) throws {
    let isDryRun = command.flag("--dry-run")
    let file = try loadConfiguration(command, needsSinks: !isDryRun)
    let configuration = file.configuration
    let log = Log(
      level: configuration.log.level, format: configuration.log.format, redacting: configuration.secrets)
    for warning in file.warnings { log.emit(.configurationWarning(warning)) }
    let signals = StopSignals()
    var broker: EmbeddedBroker?
    var temporary: TemporaryFolder?
    defer { temporary?.remove() }
    if configuration.kafka.isEmbedded {
      broker = try EmbeddedBroker(topic: configuration.kafka.topic, group: configuration.kafka.group)
      if let broker { Terminal.note("the embedded broker listens on \(broker.bootstrapServers)") }
    }
    // The embedded broker forgets everything with its process, and a dry run must leave nothing behind.
    if isDryRun || configuration.kafka.isEmbedded { temporary = try TemporaryFolder() }
    var settings = try DaemonSettings(
      configuration, log: log, bootstrapServers: broker?.bootstrapServers, storagePath: temporary?.path,
      isDryRun: isDryRun)
    settings.configurationPath = command.text("--config")
    let fatal = Mutex<StartError?>(nil)
    let running = try RunningDaemon(settings, listen: configuration.http.listen, log: log) { error in
      fatal.withLock { $0 = $0 ?? error }
      signals.ask(error.code)
    }
    let watch = configuration.kafka.isEmbedded ? watchLedger(running.daemon, signals) : nil
    let signal = signals.wait()
    watch?.cancel()
    running.stop(signal: signal, graceMilliseconds: milliseconds(command.duration("--grace")))
    broker?.close()
    if let error = fatal.withLock({ $0 }) { throw error }
  }
}

extension RunCommand {
  /// The embedded broker drops a partition's oldest records at 5 MiB; a ledger must not lose its beginning.
  private static func watchLedger(_ daemon: MeteringDaemon, _ signals: StopSignals) -> any DispatchSourceTimer {
    let timer = DispatchSource.makeTimerSource()
    timer.schedule(deadline: .now() + 1, repeating: 1)
    timer.setEventHandler {
      guard daemon.greatestLedgerBytes > 7 << 19 else { return }
      Terminal.note("the embedded broker has no room for a longer ledger: this trial ends here")
      signals.ask("embedded_ledger_full")
    }
    timer.resume()
    return timer
  }
}

/// A folder of its own, for what nobody keeps.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws(CommandFailure) {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/meterd-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw CommandFailure(.unavailable, "no temporary folder in \(base): \(String(cString: strerror(errno)))")
    }
    path = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Removes it with what is in it; what cannot be removed is left to the system.
  func remove() { Self.remove(path) }

  private static func remove(_ path: String) {
    if let folder = opendir(path) {
      while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { remove("\(path)/\(name)") }
      }
      closedir(folder)
      rmdir(path)
    } else {
      unlink(path)
    }
  }
}
