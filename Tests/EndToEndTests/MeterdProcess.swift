import Foundation
import Glibc
import Synchronization

/// One run of the binary. (Foundation's `Process` waits on a socket that other children inherit: two at a time hang.)
final class MeterdProcess: Sendable {
  let pid: pid_t
  /// Where both of its outputs are appended to.
  let logPath: String
  private let end = Mutex<End?>(nil)

  /// How it ended.
  enum End: Equatable, Sendable {
    case exited(Int32)
    case killed(Int32)
  }

  /// Starts `meterd` with these arguments; `through` are a program and its arguments that end by becoming it.
  convenience init(
    arguments: [String], environment: [String: String] = [:], logPath: String, through: [String] = []
  ) throws {
    guard let binary = Surroundings.binary else { throw EndToEndFailure(description: "\(Surroundings.comment)") }
    try self.init(words: through + [binary] + arguments, environment: environment, logPath: logPath)
  }

  /// Starts any program.
  init(words line: [String], environment: [String: String] = [:], logPath: String) throws {
    self.logPath = logPath
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, logPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // The fakes' sockets are not the daemon's.
    for descriptor in 3..<1024 as Range<Int32> { posix_spawn_file_actions_addclose(&actions, descriptor) }
    var variables = ProcessInfo.processInfo.environment
    variables.merge(environment) { $1 }
    var words: [UnsafeMutablePointer<CChar>?] = line.map { strdup($0) } + [nil]
    var settings: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in words + settings { free(text) } }
    var id = pid_t()
    let code = posix_spawnp(&id, line[0], &actions, nil, &words, &settings)
    guard code == 0 else {
      throw EndToEndFailure(description: "\(line[0]) cannot be started: \(String(cString: strerror(code)))")
    }
    pid = id
  }

  deinit {
    if ended == nil { _ = kill() }
  }

  /// How it ended; `nil` while it runs.
  var ended: End? { reap(blocking: false) }

  private func reap(blocking: Bool) -> End? {
    end.withLock { end in
      if let end { return end }
      var status: Int32 = 0
      var result = waitpid(pid, &status, blocking ? 0 : WNOHANG)
      while result < 0, errno == EINTR { result = waitpid(pid, &status, blocking ? 0 : WNOHANG) }
      guard result == pid else { return nil }
      let signal = status & 0x7F
      end = signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal)
      return end
    }
  }

  func send(_ signal: Int32) { if ended == nil { Glibc.kill(pid, signal) } }

  /// `kill -9`, and waits until it is gone.
  func kill() -> End? {
    send(SIGKILL)
    return reap(blocking: true)
  }

  /// Waits for its own end.
  func wait(seconds: Double) throws -> End {
    guard poll(seconds: seconds, { ended != nil }), let ended else {
      throw EndToEndFailure(description: "meterd did not end within \(seconds) s\n\(tail())")
    }
    return ended
  }

  /// The last lines that it has printed.
  func tail(_ lines: Int = 50) -> String { Self.tail(logPath, lines) }

  static func tail(_ path: String, _ lines: Int = 50) -> String {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? "(no log at \(path))"
    let last = text.split(separator: "\n").suffix(lines).joined(separator: "\n")
    return "--- the last \(lines) lines of \(path)\n\(last)\n---"
  }
}
