/// Why a chunk of the journal cannot be used. The state is then rebuilt from Kafka.
public enum JournalCorruption: Error, Hashable, Sendable {
  /// Fewer bytes than the chunk says, or than any chunk has.
  case truncated
  /// Not a chunk, or one of another format version.
  case unknownFormat
  /// The checksum is not that of the bytes.
  case checksumMismatch
  /// The checksum is right, but the content contradicts itself.
  case inconsistent
}

/// A chunk as it stands in the journal, borrowed: valid while the bytes are.
public struct JournalChunkView {
  public let from: Int64
  public let to: Int64
  public let rangeFrom: Int64
  public let clockAtStart: Int64
  public let clockAtEnd: Int64
  public let counters: RangeCounters
  private let bytes: UnsafeRawBufferPointer
  private let groupCount: Int
  private let entryCount: Int
  private let rowCount: Int
  package let stringCounts: (customers: Int, features: Int, dimensions: Int)
  private let stringsAt: Int

  /// Reads a chunk and checks all of it: format, length, checksum, and that its parts fit together.
  public init(_ bytes: UnsafeRawBufferPointer) throws(JournalCorruption) {
    guard bytes.count >= JournalFormat.headerBytes else { throw .truncated }
    func word(_ index: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
    }
    func signed(_ index: Int) -> Int64 { Int64(bitPattern: word(index)) }
    guard word(0) == JournalFormat.magic else { throw .unknownFormat }
    guard signed(2) == Int64(bytes.count) else { throw .truncated }
    guard word(1) == Checksum64.of(UnsafeRawBufferPointer(rebasing: bytes[16...])) else { throw .checksumMismatch }
    self.bytes = bytes
    from = signed(3)
    to = signed(4)
    rangeFrom = signed(5)
    clockAtStart = signed(6)
    clockAtEnd = signed(7)
    guard (8..<15).allSatisfy({ word($0) <= UInt64(bytes.count) }) else { throw .inconsistent }
    groupCount = Int(word(8))
    entryCount = Int(word(9))
    rowCount = Int(word(10))
    stringCounts = (Int(word(12)), Int(word(13)), Int(word(14)))
    counters = JournalFormat.counters { signed(15 + $0) }
    let fixed = JournalFormat.headerBytes + groupCount * 16
    stringsAt = fixed + entryCount * MemoryLayout<DedupEntry>.stride + rowCount * JournalRow.words * 8
    guard stringsAt + Int(word(11)) == bytes.count, from <= to, rangeFrom <= from, clockAtStart <= clockAtEnd,
      groups.reduce(0, { $0 &+ $1.count }) == entryCount, groups.allSatisfy({ $0.count > 0 })
    else { throw .inconsistent }
  }

  package var groups: [JournalChunk.Group] {
    (0..<groupCount).map { index in
      let at = JournalFormat.headerBytes + index * 16
      return JournalChunk.Group(bucket: signed(at), count: signed(at + 8))
    }
  }

  /// Each bucket in which the chunk made sightings, and how many.
  public var sightingsByBucket: [(bucket: Int64, count: Int64)] { groups.map { ($0.bucket, $0.count) } }

  private func signed(_ at: Int) -> Int64 {
    Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int64.self))
  }

  @inline(__always) package func entry(_ index: Int) -> DedupEntry {
    bytes.loadUnaligned(
      fromByteOffset: JournalFormat.headerBytes + groupCount * 16 + index * MemoryLayout<DedupEntry>.stride,
      as: DedupEntry.self)
  }

  package func forEachRow(_ body: (OpenTotal) -> Void) {
    let start = stringsAt - rowCount * JournalRow.words * 8
    for row in 0..<rowCount {
      body(JournalRow.row { UInt64(bitPattern: signed(start + (row * JournalRow.words + $0) * 8)) })
    }
  }

  /// A chunk's place and buckets, read without looking at its content: what decides when it may be removed.
  public struct Outline: Sendable {
    public let from: Int64
    public let to: Int64
    /// Each bucket in which it made sightings.
    public let buckets: [Int64]

    public init(of chunk: JournalChunk) {
      from = chunk.from
      to = chunk.to
      buckets = chunk.buckets
    }

    /// Reads the outline of a chunk whose checksum is looked at later.
    public init(_ bytes: UnsafeRawBufferPointer) throws(JournalCorruption) {
      guard bytes.count >= JournalFormat.headerBytes else { throw .truncated }
      func word(_ at: Int) -> Int64 { Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int64.self)) }
      guard UInt64(bitPattern: word(0)) == JournalFormat.magic else { throw .unknownFormat }
      let groups = word(64)
      guard word(16) == Int64(bytes.count), groups >= 0,
        groups <= (bytes.count - JournalFormat.headerBytes) / 16
      else { throw .truncated }
      from = word(24)
      to = word(32)
      buckets = (0..<Int(groups)).map { word(JournalFormat.headerBytes + $0 * 16) }
    }
  }

  /// Calls `body` with each string in order: customers, features, dimensions.
  package func forEachString(
    _ body: (UnsafeRawBufferPointer) -> Void
  ) throws(JournalCorruption) {
    var at = stringsAt
    for _ in 0..<(stringCounts.customers + stringCounts.features + stringCounts.dimensions) {
      guard at + 4 <= bytes.count else { throw .inconsistent }
      let count = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
      guard at + 4 + count <= bytes.count else { throw .inconsistent }
      body(UnsafeRawBufferPointer(rebasing: bytes[(at + 4)..<(at + 4 + count)]))
      at += 4 + count
    }
    guard at == bytes.count else { throw .inconsistent }
  }
}
