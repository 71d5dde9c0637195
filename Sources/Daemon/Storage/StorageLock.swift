internal import Glibc

/// The storage folder belongs to one process at a time: a second one ends with 75.
final class StorageLock: Sendable {
  private let descriptor: Int32

  /// Makes the folder where it is missing, and takes it.
  init(path: String) throws(StartError) {
    try Self.makeFolders(path)
    let file = path + "/lock"
    let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw Self.unusable(path, "cannot open \(file): \(String(cString: strerror(errno)))")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let isTaken = errno == EWOULDBLOCK
      let why = String(cString: strerror(errno))
      Glibc.close(descriptor)
      guard isTaken else { throw Self.unusable(path, "cannot lock \(file): \(why)") }
      throw StartError(
        exitCode: .tryAgain, code: "storage_in_use", setting: "storage.path",
        what: "\(path) is in use by another meterd", remedy: "Stop that one, or give this one a folder of its own.")
    }
    self.descriptor = descriptor
  }

  deinit { Glibc.close(descriptor) }

  private static func makeFolders(_ path: String) throws(StartError) {
    var made = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      made += "/" + part
      if mkdir(made, 0o755) != 0, errno != EEXIST {
        // A read-only root is fine as long as the folder itself is there.
        let code = errno
        var info = stat()
        if stat(made, &info) == 0 { continue }
        throw unusable(path, "cannot make \(made): \(String(cString: strerror(code)))")
      }
    }
  }

  private static func unusable(_ path: String, _ what: String) -> StartError {
    StartError(
      exitCode: .configuration, code: "storage_unusable", setting: "storage.path", what: what,
      remedy: "Name a folder on a local disk that meterd's user can write.")
  }
}

/// The storage folder, before anybody takes it.
public enum StorageFolder {
  /// Why this user could not make the folder or write to it; nil where nothing is known against it. Changes nothing.
  public static func obstacle(path: String) -> String? {
    var nearest = absolutePath(path)
    var info = stat()
    while stat(nearest, &info) != 0 {
      guard errno == ENOENT, let slash = nearest.lastIndex(of: "/"), nearest != "/" else {
        return "\(nearest): \(String(cString: strerror(errno)))"
      }
      nearest = slash == nearest.startIndex ? "/" : String(nearest[..<slash])
    }
    guard info.st_mode & S_IFMT == S_IFDIR else { return "\(nearest) is not a folder" }
    guard faccessat(AT_FDCWD, nearest, W_OK | X_OK, AT_EACCESS) == 0 else {
      return "\(nearest) cannot be written: \(String(cString: strerror(errno)))"
    }
    return nil
  }
}
