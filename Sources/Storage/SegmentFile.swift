internal import LMDB
public import Metering

/// A sealed segment, open for look-ups. Its file never changes; it may be unlinked while it is open.
///
/// One read transaction lasts as long as the segment, so the blocks' places are looked up once, at opening; a look-up
/// is two binary searches in the file's own pages. A block's checksum is verified when it is first read.
///
/// `@unchecked Sendable`: opened on one queue, then used by the one worker that owns the counter.
public final class SegmentFile: SealedSegment, @unchecked Sendable {
  private struct Block {
    var first: Fingerprint
    /// The entries, in the file's map.
    var entries: UnsafeRawPointer
    var count: Int
    var isVerified = false
  }

  /// Its entry in the manifest.
  public let description: SegmentDescription
  public let filter: SegmentFilter
  private var blocks: [Block] = []
  private let path: String
  /// Keeps the map, and so the blocks, in place.
  private let transaction: Transaction

  /// Why a look-up answered `unreadable`.
  public private(set) var failure: StorageError?

  public var identifier: UInt64 { description.identifier }
  public var bucket: Int64 { description.bucket }
  public var throughOffset: Int64 { description.throughOffset }
  public var count: Int { description.count }

  /// Opens a segment and checks that it is the one of the manifest: size, description, filter, number of entries.
  init(_ description: SegmentDescription, in folder: Folder) throws(StorageError) {
    let path = folder.path + "/" + description.fileName
    func corrupt(_ what: String) -> StorageError { .corrupt(path: path, what: what) }
    // The size first: a page beyond the file's end would be a SIGBUS.
    guard let size = folder.size(of: description.fileName) else { throw corrupt("the file is missing") }
    guard size == description.fileBytes else {
      throw corrupt("the file has \(size) bytes instead of \(description.fileBytes)")
    }
    self.description = description
    self.path = path
    do {
      let environment = try Environment(
        path: path, options: .init(mapSize: size, databases: SegmentFormat.databases, isReadOnly: true))
      transaction = try environment.beginRead()
      let about = SegmentFormat.about(
        identifier: description.identifier, bucket: description.bucket, throughOffset: description.throughOffset,
        count: description.count)
      guard let stated = try transaction.get(SegmentFormat.singleKey, in: try transaction.database("about")),
        stated.elementsEqual(about)
      else { throw corrupt("the file is not the segment of the manifest") }
      filter = try Self.filter(transaction, path)
      blocks = try Self.blocks(transaction, path)
    } catch {
      throw .of(error, path: path)
    }
    guard blocks.reduce(0, { $0 + $1.count }) == description.count else { throw corrupt("entries are missing") }
  }

  private static func filter(_ transaction: borrowing Transaction, _ path: String) throws -> SegmentFilter {
    let database = try transaction.database("filter")
    guard let stored = try transaction.get(SegmentFormat.singleKey, in: database),
      stored.count > SegmentFormat.checksumBytes
    else { throw StorageError.corrupt(path: path, what: "the filter is missing") }
    let bytes = UnsafeRawBufferPointer(rebasing: stored.dropLast(SegmentFormat.checksumBytes))
    let checksum = UInt64(littleEndian: stored.loadUnaligned(fromByteOffset: bytes.count, as: UInt64.self))
    guard checksum == Checksum64.of(bytes), let filter = SegmentFilter(bytes: bytes) else {
      throw StorageError.corrupt(path: path, what: "the filter's checksum is wrong")
    }
    return filter
  }

  private static func blocks(_ transaction: borrowing Transaction, _ path: String) throws -> [Block] {
    let database = try transaction.database("entries")
    return try transaction.withCursor(database) { cursor in
      var blocks: [Block] = []
      while let (key, value) = try cursor.next() {
        guard let first = SegmentFormat.fingerprint(of: key), let entries = value.baseAddress,
          value.count > SegmentFormat.checksumBytes,
          (value.count - SegmentFormat.checksumBytes) % SegmentFormat.entryBytes == 0
        else { throw StorageError.corrupt(path: path, what: "a block has a wrong size") }
        blocks.append(
          Block(
            first: first, entries: entries,
            count: (value.count - SegmentFormat.checksumBytes) / SegmentFormat.entryBytes))
      }
      return blocks
    }
  }

  public func look(up fingerprint: Fingerprint) -> SegmentAnswer {
    if failure != nil { return .unreadable }
    // The last block that does not begin beyond the fingerprint.
    var low = 0
    var high = blocks.count
    while low < high {
      let middle = (low + high) / 2
      if Self.precedes(fingerprint, blocks[middle].first) { high = middle } else { low = middle + 1 }
    }
    if low == 0 { return .absent }
    let block = low - 1
    if !blocks[block].isVerified, !verify(block) { return .unreadable }
    return Self.find(fingerprint, blocks[block])
  }

  private static func find(_ fingerprint: Fingerprint, _ block: Block) -> SegmentAnswer {
    var low = 0
    var high = block.count
    while low < high {
      let middle = (low + high) / 2
      let entry = block.entries.loadUnaligned(
        fromByteOffset: middle * SegmentFormat.entryBytes, as: DedupEntry.self)
      if entry.fingerprint == fingerprint { return .present(check: entry.check) }
      if precedes(entry.fingerprint, fingerprint) { low = middle + 1 } else { high = middle }
    }
    return .absent
  }

  private static func precedes(_ left: Fingerprint, _ right: Fingerprint) -> Bool {
    left.head != right.head ? left.head < right.head : left.tail < right.tail
  }

  private func verify(_ index: Int) -> Bool {
    let block = blocks[index]
    let bytes = UnsafeRawBufferPointer(start: block.entries, count: block.count * SegmentFormat.entryBytes)
    let stated = UInt64(littleEndian: block.entries.loadUnaligned(fromByteOffset: bytes.count, as: UInt64.self))
    if stated != Checksum64.of(bytes) {
      failure = .corrupt(path: path, what: "the checksum of block \(index) is wrong")
      return false
    }
    blocks[index].isVerified = true
    return true
  }
}
