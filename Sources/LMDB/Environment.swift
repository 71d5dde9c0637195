internal import CLMDB
internal import Glibc
internal import Synchronization

/// One LMDB environment: a file of its own.
///
/// No lock file is used: one process at a time may open an environment for writing, and its owner sees to that (as to
/// there being one write at a time). The map is never written through (`MDB_WRITEMAP`), since a full disk would become
/// a SIGBUS.
///
/// `@unchecked Sendable`: LMDB's environment handle may be used from any thread; a write transaction begins and commits
/// inside one call, on one thread.
public final class Environment: @unchecked Sendable {
  let handle: OpaquePointer
  /// The file's path.
  public let path: String
  private let openTransactions = Atomic<Int>(0)

  /// How an environment is opened.
  public struct Options: Hashable, Sendable {
    /// Bytes of the map to begin with: the most that the file may grow to, until ``Environment/resize(to:)``.
    public var mapSize: Int
    /// Most named databases.
    public var databases: Int
    /// No writes: for files that are complete.
    public var isReadOnly: Bool
    /// Commits do not reach the disk by themselves; ``Environment/sync()`` ends the building of a new file. A crash
    /// before that leaves a file that must not be used.
    public var syncsByHand: Bool

    public init(mapSize: Int = 1 << 20, databases: Int = 8, isReadOnly: Bool = false, syncsByHand: Bool = false) {
      self.mapSize = mapSize
      self.databases = databases
      self.isReadOnly = isReadOnly
      self.syncsByHand = syncsByHand
    }
  }

  /// Opens the file at `path`, or makes it where it may be written.
  public init(path: String, options: Options = Options()) throws(LMDBError) {
    var handle: OpaquePointer?
    try LMDBError.check(mdb_env_create(&handle), "mdb_env_create")
    guard let handle else { throw LMDBError(.invalid, in: "mdb_env_create") }
    var flags = UInt32(MDB_NOSUBDIR | MDB_NOTLS | MDB_NOLOCK)
    if options.isReadOnly { flags |= UInt32(MDB_RDONLY) }
    if options.syncsByHand { flags |= UInt32(MDB_NOSYNC) }
    do {
      try LMDBError.check(mdb_env_set_mapsize(handle, Self.rounded(options.mapSize)), "mdb_env_set_mapsize")
      try LMDBError.check(mdb_env_set_maxdbs(handle, UInt32(options.databases)), "mdb_env_set_maxdbs")
      try LMDBError.check(mdb_env_open(handle, path, flags, 0o640), "mdb_env_open")
    } catch {
      // The documentation asks for a close after a failed open, too.
      mdb_env_close(handle)
      throw error
    }
    self.handle = handle
    self.path = path
  }

  deinit {
    precondition(openTransactions.load(ordering: .relaxed) == 0, "a transaction outlives its environment")
    mdb_env_close(handle)
  }

  private static func rounded(_ bytes: Int) -> Int { (max(bytes, 1 << 16) + 65_535) / 65_536 * 65_536 }

  /// The bytes to which the file may grow.
  public var mapSize: Int {
    var info = MDB_envinfo()
    mdb_env_info(handle, &info)
    return info.me_mapsize
  }

  /// The bytes of pages that have ever been used: the file's size, once it is written.
  public var usedBytes: Int {
    var info = MDB_envinfo()
    mdb_env_info(handle, &info)
    var statistics = MDB_stat()
    mdb_env_stat(handle, &statistics)
    return (info.me_last_pgno + 1) * Int(statistics.ms_psize)
  }

  /// Lets the file grow to so many bytes. No transaction may be open.
  public func resize(to bytes: Int) throws(LMDBError) {
    precondition(openTransactions.load(ordering: .relaxed) == 0, "the map moves: no transaction may be open")
    try LMDBError.check(mdb_env_set_mapsize(handle, Self.rounded(bytes)), "mdb_env_set_mapsize")
  }

  /// Brings everything that is committed to the disk.
  public func sync() throws(LMDBError) { try LMDBError.check(mdb_env_sync(handle, 1), "mdb_env_sync") }

  /// Tells the kernel that what is on the disk need not stay in memory as well: for values that are written and, but for
  /// a restart, not read again. The next pages that are written then lie in the same memory: new memory costs more than the
  /// write itself on a virtual machine (8 % of what the whole daemon takes). Pages that are mapped stay. Advice:
  /// nothing depends on it.
  public func forgetCache() {
    var file: mdb_filehandle_t = -1
    guard mdb_env_get_fd(handle, &file) == MDB_SUCCESS else { return }
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
  }

  // MARK: Transactions

  /// Runs `body` in a write transaction and commits it: durable on return, unless ``Options/syncsByHand``. An error of
  /// `body` aborts it, and nothing of it is left.
  public func write<Result>(_ body: (borrowing Transaction) throws -> Result) throws -> Result {
    var transaction = try Transaction(self, isReadOnly: false)
    let result = try body(transaction)
    try transaction.commit()
    return result
  }

  /// Runs `body` on the state as it is now.
  public func read<Result>(_ body: (borrowing Transaction) throws -> Result) throws -> Result {
    let transaction = try Transaction(self, isReadOnly: true)
    return try body(transaction)
  }

  /// The state as it is now, for as long as the transaction lives. While it does, pages that it sees are not reused.
  public func beginRead() throws(LMDBError) -> Transaction { try Transaction(self, isReadOnly: true) }

  func transactionBegan() { openTransactions.add(1, ordering: .relaxed) }
  func transactionEnded() { openTransactions.subtract(1, ordering: .relaxed) }
}
