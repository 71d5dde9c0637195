import Foundation

/// A small file system of its own over one folder, in a user and mount namespace: what happens to a full disk can be seen
/// without filling the machine's.
///
/// A process that only sleeps keeps it alive; daemons and commands enter it with `nsenter`.
final class MountNamespace {
  private let holder: MeterdProcess
  private let folder: String
  private let logPath: String

  /// Mounts a tmpfs over `folder`; nil where the machine does not permit it.
  init?(over folder: String, megabytes: Int, log: String) throws {
    self.folder = folder
    logPath = log
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let script = "mount -t tmpfs -o size=\(megabytes)m,mode=755 tmpfs '\(folder)' && echo mounted && exec sleep 3600"
    guard let holder = try? MeterdProcess(words: ["unshare", "-Urm", "sh", "-c", script], logPath: log) else {
      return nil
    }
    self.holder = holder
    func hasMounted() -> Bool { ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").contains("mounted") }
    _ = poll(seconds: 10) { hasMounted() || holder.ended != nil }
    guard hasMounted(), holder.ended == nil else { return nil }
  }

  /// What a command line begins with that is to run inside.
  var entry: [String] { ["nsenter", "-t", "\(holder.pid)", "-U", "--preserve-credentials", "-m"] }

  /// Runs a shell script inside, with the folder as `$1`; whether it succeeded.
  @discardableResult
  func run(_ script: String) throws -> Bool {
    let process = try MeterdProcess(words: entry + ["sh", "-c", script, "sh", folder], logPath: logPath)
    return try process.wait(seconds: 30) == .exited(0)
  }

  func close() { _ = holder.kill() }
}
