internal import Glibc
internal import LMDB

extension PartitionStore {
  /// What a folder says of the log, without taking the folder or changing anything in it: for a look from outside.
  ///
  /// - Returns: nil where there is no folder, or nothing was committed in it.
  /// - Throws: `inUse` while a store has it; `corrupt` where a run would rebuild it; else why it cannot be read.
  public static func look(into path: String) throws(StorageError) -> StoreState? {
    let file = path + "/" + StoreContents.journalName
    var status = stat()
    guard stat(file, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw .of(LMDBError(LMDBError.Code(rawValue: errno), in: "stat"), path: file)
    }
    // Shared and for this moment: a store that opens meanwhile tries again.
    let lock = open(path + "/lock", O_RDONLY | O_CLOEXEC)
    defer { if lock >= 0 { close(lock) } }
    if lock >= 0, flock(lock, LOCK_SH | LOCK_NB) != 0 { throw .inUse(path: path) }
    guard status.st_size > 0 else { return nil }
    do {
      let options = Environment.Options(mapSize: max(1 << 20, Int(status.st_size)), isReadOnly: true)
      return try Environment(path: file, options: options).read { try StoreContents.state($0, file) }
    } catch {
      throw .of(error, path: file)
    }
  }
}
