internal import CLMDB

/// One named table of an environment, opened in a transaction.
public struct Database: Hashable, Sendable {
  let handle: UInt32
}

/// A transaction: it ends with its scope. One that was not committed leaves nothing behind.
///
/// Slices that it hands out are the file's own pages: valid until the transaction ends, and, in a write transaction,
/// until its next write.
public struct Transaction: ~Copyable {
  private var handle: OpaquePointer?
  private let environment: Environment

  init(_ environment: Environment, isReadOnly: Bool) throws(LMDBError) {
    var handle: OpaquePointer?
    try LMDBError.check(
      mdb_txn_begin(environment.handle, nil, isReadOnly ? UInt32(MDB_RDONLY) : 0, &handle), "mdb_txn_begin")
    self.handle = handle
    self.environment = environment
    environment.transactionBegan()
  }

  deinit {
    if let handle {
      mdb_txn_abort(handle)
      environment.transactionEnded()
    }
  }

  mutating func commit() throws(LMDBError) {
    let handle = open
    // Whatever the answer is, the handle is gone.
    self.handle = nil
    environment.transactionEnded()
    try LMDBError.check(mdb_txn_commit(handle), "mdb_txn_commit")
  }

  private var open: OpaquePointer {
    guard let handle else { preconditionFailure("the transaction has ended") }
    return handle
  }

  /// Opens a named database; with `create` it is made where it is missing.
  public func database(_ name: String, create: Bool = false) throws(LMDBError) -> Database {
    var database: UInt32 = 0
    try LMDBError.check(
      mdb_dbi_open(open, name, create ? UInt32(MDB_CREATE) : 0, &database), "mdb_dbi_open(\(name))")
    return Database(handle: database)
  }

  /// The number of entries.
  public func count(_ database: Database) throws(LMDBError) -> Int {
    var statistics = MDB_stat()
    try LMDBError.check(mdb_stat(open, database.handle, &statistics), "mdb_stat")
    return statistics.ms_entries
  }

  /// The value of a key, or `nil`.
  public func get(_ key: [UInt8], in database: Database) throws(LMDBError) -> UnsafeRawBufferPointer? {
    var value = MDB_val()
    let answer = Self.withValue(key) { mdb_get(open, database.handle, $0, &value) }
    if answer == MDB_NOTFOUND { return nil }
    try LMDBError.check(answer, "mdb_get")
    return UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
  }

  /// Stores a value.
  ///
  /// - Parameter append: the key is greater than all others (else ``LMDBError/Code/keyExists``): pages fill up from left
  ///   to right, without a search.
  public func put(_ value: [UInt8], for key: [UInt8], in database: Database, append: Bool = false) throws(LMDBError) {
    let target = try reserve(value.count, for: key, in: database, append: append)
    value.withUnsafeBytes { target.copyMemory(from: $0) }
  }

  /// Makes room for a value, which the caller writes before the next call on the transaction.
  public func reserve(
    _ count: Int, for key: [UInt8], in database: Database, append: Bool = false
  ) throws(LMDBError) -> UnsafeMutableRawBufferPointer {
    var value = MDB_val(mv_size: count, mv_data: nil)
    let flags = UInt32(MDB_RESERVE) | (append ? UInt32(MDB_APPEND) : 0)
    try LMDBError.check(
      Self.withValue(key) { mdb_put(open, database.handle, $0, &value, flags) }, "mdb_put")
    return UnsafeMutableRawBufferPointer(start: value.mv_data, count: count)
  }

  /// Removes a key; false where there was none.
  @discardableResult
  public func remove(_ key: [UInt8], from database: Database) throws(LMDBError) -> Bool {
    let answer = Self.withValue(key) { mdb_del(open, database.handle, $0, nil) }
    if answer == MDB_NOTFOUND { return false }
    try LMDBError.check(answer, "mdb_del")
    return true
  }

  /// Removes every key.
  public func removeAll(from database: Database) throws(LMDBError) {
    try LMDBError.check(mdb_drop(open, database.handle, 0), "mdb_drop")
  }

  /// A cursor over a database; it ends before the transaction does.
  public func withCursor<Result>(
    _ database: Database, _ body: (borrowing Cursor) throws -> Result
  ) throws -> Result {
    var handle: OpaquePointer?
    try LMDBError.check(mdb_cursor_open(open, database.handle, &handle), "mdb_cursor_open")
    guard let handle else { throw LMDBError(.invalid, in: "mdb_cursor_open") }
    return try body(Cursor(handle: handle))
  }

  static func withValue<Result>(_ key: [UInt8], _ body: (UnsafeMutablePointer<MDB_val>) -> Result) -> Result {
    key.withUnsafeBytes { bytes in
      // LMDB only reads keys, though its type is mutable.
      var value = MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
      return body(&value)
    }
  }
}

/// A place among a database's entries, in key order. The slices are valid until the transaction ends or writes.
public struct Cursor: ~Copyable {
  /// A key and its value.
  public typealias Entry = (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)

  fileprivate let handle: OpaquePointer

  fileprivate init(handle: OpaquePointer) { self.handle = handle }

  deinit { mdb_cursor_close(handle) }

  /// The first entry.
  public func first() throws(LMDBError) -> Entry? { try move(MDB_FIRST) }
  /// The last entry.
  public func last() throws(LMDBError) -> Entry? { try move(MDB_LAST) }
  /// The next entry; the first one of a new cursor.
  public func next() throws(LMDBError) -> Entry? { try move(MDB_NEXT) }
  /// The entry before; the last one of a new cursor.
  public func previous() throws(LMDBError) -> Entry? { try move(MDB_PREV) }

  /// The first entry whose key is not less than `key`.
  public func seek(_ key: [UInt8]) throws(LMDBError) -> Entry? {
    var value = MDB_val()
    var found = MDB_val()
    let answer = Transaction.withValue(key) { key in
      found = key.pointee
      return mdb_cursor_get(handle, &found, &value, MDB_SET_RANGE)
    }
    return try entry(answer, found, value)
  }

  /// Removes the entry that the cursor is at.
  public func remove() throws(LMDBError) {
    try LMDBError.check(mdb_cursor_del(handle, 0), "mdb_cursor_del")
  }

  private func move(_ operation: MDB_cursor_op) throws(LMDBError) -> Entry? {
    var key = MDB_val()
    var value = MDB_val()
    let answer = mdb_cursor_get(handle, &key, &value, operation)
    return try entry(answer, key, value)
  }

  private func entry(_ answer: Int32, _ key: MDB_val, _ value: MDB_val) throws(LMDBError) -> Entry? {
    if answer == MDB_NOTFOUND { return nil }
    try LMDBError.check(answer, "mdb_cursor_get")
    return (
      UnsafeRawBufferPointer(start: key.mv_data, count: key.mv_size),
      UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
    )
  }
}
