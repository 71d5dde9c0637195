internal import Glibc
internal import LMDB

/// A folder on a local disk that this process alone has.
///
/// The lock is `flock`'s: it ends with the process, however that ends.
final class Folder: Sendable {
  let path: String
  private let lock: Int32

  /// Makes the folder where it is missing, and takes it.
  init(path: String) throws(StorageError) {
    self.path = path
    try Self.make(path)
    if let type = RemoteFileSystem.type(under: path) { throw .remoteFileSystem(path: path, type: type) }
    let file = path + "/lock"
    let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else { throw Self.failure("open", file) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(descriptor)
      throw code == EWOULDBLOCK ? .inUse(path: path) : Self.failure("flock", file, code)
    }
    lock = descriptor
  }

  deinit { close(lock) }

  private static func make(_ path: String) throws(StorageError) {
    // Each folder on the way; those that exist are well.
    var upTo = path.startIndex
    while upTo < path.endIndex {
      upTo = path[path.index(after: upTo)...].firstIndex(of: "/") ?? path.endIndex
      if mkdir(String(path[..<upTo]), 0o750) != 0, errno != EEXIST, errno != EISDIR {
        let code = errno
        var status = stat()
        if stat(String(path[..<upTo]), &status) != 0 { throw failure("mkdir", String(path[..<upTo]), code) }
      }
    }
  }

  /// Brings the folder's own entries to the disk: new and removed files.
  func sync() throws(StorageError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.failure("open", path) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw Self.failure("fsync", path) }
  }

  /// The names of the files in it.
  func files() throws(StorageError) -> [String] {
    guard let directory = opendir(path) else { throw Self.failure("opendir", path) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Removes a file; one that is not there is removed.
  func remove(_ name: String) throws(StorageError) {
    if unlink(path + "/" + name) != 0, errno != ENOENT { throw Self.failure("unlink", path + "/" + name) }
  }

  /// A file's size in bytes, or `nil` where it is not there.
  func size(of name: String) -> Int? {
    var status = stat()
    return stat(path + "/" + name, &status) == 0 ? Int(status.st_size) : nil
  }

  private static func failure(_ operation: String, _ path: String, _ code: Int32 = errno) -> StorageError {
    .of(LMDBError(LMDBError.Code(rawValue: code), in: operation), path: path)
  }
}
