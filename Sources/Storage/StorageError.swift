public import LMDB

/// What can go wrong with a partition's local state. Kafka has everything that is in it, so no error here costs money:
/// at worst the state is wiped and rebuilt.
public enum StorageError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Another process, or another part of this one, has the folder.
  case inUse(path: String)
  /// The folder lies on a file system of another machine.
  case remoteFileSystem(path: String, type: String)
  /// No space is left, or the quota is used up.
  case diskFull(path: String, operation: String)
  /// The file system takes no writes.
  case readOnly(path: String, operation: String)
  /// What is there is not what was written: it must be wiped and rebuilt.
  case corrupt(path: String, what: String)
  /// A write or a sync failed before; nothing is tried again on this store.
  case failedBefore(path: String, cause: String)
  /// A chunk does not begin where the journal ends.
  case discontinuous(expected: Int64, found: Int64)
  /// A segment was to be sealed that reaches beyond the head or the journal on disk.
  case beyondDurableHead(throughOffset: Int64, durableOffset: Int64)
  /// Another answer of the system.
  case system(path: String, operation: String, code: LMDBError.Code)

  /// What, where, and what to do.
  public var description: String {
    switch self {
    case .inUse(let path):
      "\(path) is in use by another process: stop it, or give this one another storage.path"
    case .remoteFileSystem(let path, let type):
      "\(path) is on a remote file system (\(type)), where locks and syncs cannot be relied on: use a local disk"
    case .diskFull(let path, let operation):
      "no space left for \(path) (\(operation)): free some and restart; nothing that was counted is lost"
    case .readOnly(let path, let operation):
      "\(path) is on a read-only file system (\(operation)): make it writable and restart"
    case .corrupt(let path, let what):
      "\(path) is damaged (\(what)): it is rebuilt from Kafka"
    case .failedBefore(let path, let cause):
      "\(path) takes no more writes since one failed (\(cause)): restart once the disk is well"
    case .discontinuous(let expected, let found):
      "a journal chunk begins at offset \(found), but the journal ends at \(expected)"
    case .beyondDurableHead(let throughOffset, let durableOffset):
      "a segment through offset \(throughOffset) cannot be sealed while only \(durableOffset) is durable"
    case .system(let path, let operation, let code):
      "\(path): \(operation): \(code.name): \(code.message)"
    }
  }

  /// Whether wiping the state and rebuilding it from Kafka is the cure.
  public var needsRebuild: Bool {
    if case .corrupt = self { true } else { false }
  }

  /// What an error of LMDB, or of anything in a transaction, means here.
  static func of(_ error: any Error, path: String) -> StorageError {
    switch error {
    case let error as StorageError: error
    case let error as LMDBError: of(error, path: path)
    default: .corrupt(path: path, what: "\(error)")
    }
  }

  static func of(_ error: LMDBError, path: String) -> StorageError {
    if error.isDiskFull { return .diskFull(path: path, operation: error.operation) }
    if error.isReadOnly { return .readOnly(path: path, operation: error.operation) }
    if error.isCorruption { return .corrupt(path: path, what: error.description) }
    return .system(path: path, operation: error.operation, code: error.code)
  }
}
