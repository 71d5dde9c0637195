internal import LMDB
internal import Metering

/// What a store holds, behind its lock: the journal's environment and a picture of it in memory.
///
/// Databases: `chunks` (sequence → chunk), `segments` (the manifest), `about` (format, state).
struct StoreContents {
  struct Chunk {
    var sequence: UInt64
    var outline: JournalChunkView.Outline
  }

  /// Version of everything in the folder; another one is rebuilt.
  static let format: [UInt8] = Array("meterd local state 1".utf8)
  static let journalName = "journal.mdb"
  private static let formatKey: [UInt8] = [0]
  private static let stateKey: [UInt8] = [1]

  private(set) var environment: Environment?
  private(set) var state: StoreState?
  /// The journal's chunks, in order, without a gap.
  private(set) var chunks: [Chunk] = []
  private(set) var segments: [SegmentFile] = []
  /// Buckets before this one have left every window.
  private var expiredBefore = Int64.min
  private var failure: String?

  /// Reads the journal's outline and opens the segments; makes an empty journal where there is none.
  init(folder: Folder) throws(StorageError) {
    let path = folder.path + "/" + Self.journalName
    do {
      let size = folder.size(of: Self.journalName) ?? 0
      let environment = try Environment(path: path, options: .init(mapSize: max(1 << 20, size * 2)))
      self.environment = environment
      if size == 0 {
        try environment.write { transaction in
          let about = try transaction.database("about", create: true)
          try transaction.put(Self.format, for: Self.formatKey, in: about)
          for name in ["chunks", "segments"] { _ = try transaction.database(name, create: true) }
        }
        try folder.sync()
      }
      let descriptions = try environment.read { transaction in try readOutline(transaction, path) }
      for description in descriptions { segments.append(try SegmentFile(description, in: folder)) }
    } catch {
      throw .of(error, path: path)
    }
    try removeRubbish(folder)
  }

  /// What was last committed; nil where nothing was.
  static func state(_ transaction: borrowing Transaction, _ path: String) throws -> StoreState? {
    let about = try transaction.database("about")
    guard let format = try transaction.get(formatKey, in: about), format.elementsEqual(Self.format) else {
      throw StorageError.corrupt(path: path, what: "another format version")
    }
    return try transaction.get(stateKey, in: about).map { try StoreState(encoded: $0) }
  }

  private mutating func readOutline(
    _ transaction: borrowing Transaction, _ path: String
  ) throws -> [SegmentDescription] {
    state = try Self.state(transaction, path)
    let journal = try transaction.database("chunks")
    var chunks: [Chunk] = []
    try transaction.withCursor(journal) { cursor in
      while let (key, value) = try cursor.next() {
        guard key.count == 8 else { throw StorageError.corrupt(path: path, what: "a chunk's key is wrong") }
        let outline = try JournalChunkView.Outline(value)
        if let last = chunks.last, last.outline.to != outline.from {
          throw StorageError.corrupt(path: path, what: "the journal has a gap at offset \(last.outline.to)")
        }
        chunks.append(Chunk(sequence: UInt64(bigEndian: key.loadUnaligned(as: UInt64.self)), outline: outline))
      }
    }
    self.chunks = chunks
    guard chunks.isEmpty || state != nil else {
      throw StorageError.corrupt(path: path, what: "the journal's state is missing")
    }
    var descriptions: [SegmentDescription] = []
    try transaction.withCursor(try transaction.database("segments")) { cursor in
      while let (_, value) = try cursor.next() { descriptions.append(try SegmentDescription(encoded: value)) }
    }
    return descriptions
  }

  /// Removes files that the manifest does not know: segments that were not finished, or have expired.
  private func removeRubbish(_ folder: Folder) throws(StorageError) {
    let known = Set(segments.map(\.description.fileName) + [Self.journalName])
    for name in try folder.files() where name.hasSuffix(".mdb") && !known.contains(name) { try folder.remove(name) }
  }

  mutating func close() {
    environment = nil
    segments = []
  }

  // MARK: Writing

  func checkUsable(path: String) throws(StorageError) {
    if let failure { throw .failedBefore(path: path, cause: failure) }
    if environment == nil { throw .failedBefore(path: path, cause: "the store was wiped, and could not be made anew") }
  }

  /// Runs `body` in a write transaction, with room for `bytes` more. Any failure is final.
  mutating func change(
    path: String, _ bytes: Int, _ body: (borrowing Transaction, inout StoreContents) throws -> Void
  ) throws(StorageError) {
    guard let environment else { throw .failedBefore(path: path, cause: "closed") }
    do {
      // Removed pages come back only a transaction later, and a large value needs pages in a row.
      let wanted = environment.usedBytes + 2 * bytes + (16 << 20)
      if environment.mapSize < wanted { try environment.resize(to: wanted * 2) }
      while true {
        var changed = self
        do {
          try environment.write { transaction in try body(transaction, &changed) }
          self = changed
          environment.forgetCache()
          return
        } catch let error as LMDBError where error.code == .mapFull {
          try environment.resize(to: environment.mapSize * 2)
        }
      }
    } catch {
      let error = StorageError.of(error, path: path)
      failure = error.description
      throw error
    }
  }

  mutating func append(
    _ new: [JournalChunk], state: StoreState, in transaction: borrowing Transaction
  ) throws {
    let journal = try transaction.database("chunks")
    for chunk in new {
      let sequence = (chunks.last?.sequence ?? 0) + 1
      let target = try transaction.reserve(
        chunk.byteCount, for: OrderedKey.of(sequence), in: journal, append: true)
      chunk.encode(into: target)
      chunks.append(Chunk(sequence: sequence, outline: JournalChunkView.Outline(of: chunk)))
    }
    self.state = state
    try transaction.put(state.encoded(), for: Self.stateKey, in: try transaction.database("about"))
    try trim(in: transaction)
  }

  mutating func add(_ segment: SegmentFile, in transaction: borrowing Transaction) throws {
    segments.append(segment)
    segments.sort { ($0.bucket, $0.identifier) < ($1.bucket, $1.identifier) }
    try transaction.put(
      segment.description.encoded(), for: segment.description.key, in: try transaction.database("segments"))
    try trim(in: transaction)
  }

  /// Takes the segments before `bucket` out of the manifest; their files are the caller's to remove.
  mutating func expire(before bucket: Int64, in transaction: borrowing Transaction) throws -> [SegmentDescription] {
    expiredBefore = max(expiredBefore, bucket)
    let manifest = try transaction.database("segments")
    let expired = segments.filter { $0.bucket < bucket }.map(\.description)
    for description in expired { try transaction.remove(description.key, from: manifest) }
    segments.removeAll { $0.bucket < bucket }
    try trim(in: transaction)
    return expired
  }

  mutating func cutBack(in transaction: borrowing Transaction) throws {
    let head = state?.headOffset ?? .min
    let journal = try transaction.database("chunks")
    while let last = chunks.last, last.outline.from >= head {
      try transaction.remove(OrderedKey.of(last.sequence), from: journal)
      chunks.removeLast()
    }
    if let last = chunks.last, last.outline.to > head {
      throw StorageError.corrupt(path: "journal", what: "a chunk spans the head at offset \(head)")
    }
  }

  /// Removes chunks from the front whose rows are in a cut that was read back, and whose sightings are all in sealed
  /// segments or have left the window. The last one below the head stays: it says where the state begins.
  private mutating func trim(in transaction: borrowing Transaction) throws {
    guard let head = state?.headOffset else { return }
    let journal = try transaction.database("chunks")
    var removed = 0
    while removed + 1 < chunks.count {
      let chunk = chunks[removed]
      guard chunk.outline.to <= head, chunks[removed + 1].outline.to <= head,
        chunk.outline.buckets.allSatisfy({ isDone($0, through: chunk.outline.to) })
      else { break }
      try transaction.remove(OrderedKey.of(chunk.sequence), from: journal)
      removed += 1
    }
    chunks.removeFirst(removed)
  }

  private func isDone(_ bucket: Int64, through offset: Int64) -> Bool {
    bucket < expiredBefore || segments.contains { $0.bucket == bucket && $0.throughOffset >= offset }
  }

  // MARK: Reading

  func firstChunk(path: String) throws(StorageError) -> (from: Int64, clockAtStart: Int64)? {
    var first: (Int64, Int64)?
    guard let sequence = chunks.first?.sequence else { return nil }
    try withChunks(path: path, from: sequence, count: 1) { first = ($0.from, $0.clockAtStart) }
    return first
  }

  func forEachChunk(path: String, _ body: (JournalChunkView) throws -> Void) throws(StorageError) {
    guard let sequence = chunks.first?.sequence else { return }
    try withChunks(path: path, from: sequence, count: chunks.count, body)
  }

  private func withChunks(
    path: String, from sequence: UInt64, count: Int, _ body: (JournalChunkView) throws -> Void
  ) throws(StorageError) {
    guard let environment else { throw .failedBefore(path: path, cause: "closed") }
    do {
      try environment.read { transaction in
        try transaction.withCursor(try transaction.database("chunks")) { cursor in
          var entry = try cursor.seek(OrderedKey.of(sequence))
          for _ in 0..<count {
            guard let (_, value) = entry else {
              throw StorageError.corrupt(path: path, what: "a chunk of the journal is missing")
            }
            try body(try JournalChunkView(value))
            entry = try cursor.next()
          }
        }
      }
    } catch {
      throw .of(error, path: path)
    }
  }
}
