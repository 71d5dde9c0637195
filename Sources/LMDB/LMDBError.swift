internal import CLMDB
internal import Glibc

/// What LMDB, or the system below it, answered.
public struct LMDBError: Error, Hashable, Sendable, CustomStringConvertible {
  /// An LMDB code (negative) or an `errno` (positive). Open: unknown codes are kept as they are.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static let keyExists = Code(rawValue: MDB_KEYEXIST)
    public static let notFound = Code(rawValue: MDB_NOTFOUND)
    public static let pageNotFound = Code(rawValue: MDB_PAGE_NOTFOUND)
    public static let corrupted = Code(rawValue: MDB_CORRUPTED)
    public static let panic = Code(rawValue: MDB_PANIC)
    public static let versionMismatch = Code(rawValue: MDB_VERSION_MISMATCH)
    public static let invalid = Code(rawValue: MDB_INVALID)
    public static let mapFull = Code(rawValue: MDB_MAP_FULL)
    public static let transactionFull = Code(rawValue: MDB_TXN_FULL)
    public static let badTransaction = Code(rawValue: MDB_BAD_TXN)
    public static let badValueSize = Code(rawValue: MDB_BAD_VALSIZE)
    public static let noSpace = Code(rawValue: ENOSPC)
    public static let quotaExceeded = Code(rawValue: EDQUOT)
    public static let readOnlyFileSystem = Code(rawValue: EROFS)
    public static let inputOutput = Code(rawValue: EIO)

    /// The code's name, as manuals spell it; the number where this room does not know one.
    public var name: String {
      switch self {
      case .keyExists: "MDB_KEYEXIST"
      case .notFound: "MDB_NOTFOUND"
      case .pageNotFound: "MDB_PAGE_NOTFOUND"
      case .corrupted: "MDB_CORRUPTED"
      case .panic: "MDB_PANIC"
      case .versionMismatch: "MDB_VERSION_MISMATCH"
      case .invalid: "MDB_INVALID"
      case .mapFull: "MDB_MAP_FULL"
      case .transactionFull: "MDB_TXN_FULL"
      case .badTransaction: "MDB_BAD_TXN"
      case .badValueSize: "MDB_BAD_VALSIZE"
      case .noSpace: "ENOSPC"
      case .quotaExceeded: "EDQUOT"
      case .readOnlyFileSystem: "EROFS"
      case .inputOutput: "EIO"
      default: "\(rawValue)"
      }
    }

    /// What LMDB says of it.
    public var message: String { String(cString: mdb_strerror(rawValue)) }
  }

  /// The answer.
  public let code: Code
  /// The call that got it, such as `mdb_txn_commit`.
  public let operation: String

  /// An answer to a call.
  public init(_ code: Code, in operation: String) {
    self.code = code
    self.operation = operation
  }

  /// Whether the disk, or the share of it that may be used, is full.
  public var isDiskFull: Bool { code == .noSpace || code == .quotaExceeded }
  /// Whether the file system takes no writes.
  public var isReadOnly: Bool { code == .readOnlyFileSystem }
  /// Whether the file is not what LMDB wrote.
  public var isCorruption: Bool {
    [.corrupted, .pageNotFound, .invalid, .versionMismatch, .panic].contains(code)
  }

  public var description: String { "\(operation): \(code.name): \(code.message)" }

  /// Throws what a call answered, unless that is success.
  static func check(_ answer: Int32, _ operation: String) throws(LMDBError) {
    if answer != 0 { throw LMDBError(Code(rawValue: answer), in: operation) }
  }
}

/// The LMDB that is linked, such as `0.9.24`.
public var lmdbVersion: String {
  var major: Int32 = 0
  var minor: Int32 = 0
  var patch: Int32 = 0
  mdb_version(&major, &minor, &patch)
  return "\(major).\(minor).\(patch)"
}
