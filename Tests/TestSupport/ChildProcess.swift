internal import Glibc

/// A program beside the test. (Foundation's `Process` waits on a socket that other children inherit: two at a time hang.)
package final class ChildProcess: Sendable {
  private let pid: pid_t

  package struct SpawnError: Error {
    package let path: String
    package let code: Int32
  }

  /// Starts it with no input; what it prints goes nowhere.
  package init(_ path: String, _ arguments: [String]) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor in 0...2 as ClosedRange<Int32> {
      posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var id = pid_t()
    let code = posix_spawn(&id, path, &actions, nil, words, environ)
    guard code == 0 else { throw SpawnError(path: path, code: code) }
    pid = id
  }

  /// Waits for its end; its exit status.
  package func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    return status >> 8
  }

  package func kill() {
    Glibc.kill(pid, SIGKILL)
    _ = wait()
  }
}
