internal import LMDB
internal import Metering

/// The layout of a sealed segment's file: three databases.
///
/// - `entries`: blocks of up to 4,094 sorted entries of 16 bytes and a checksum: with LMDB's own 16 bytes, 16 pages.
///   The key is the block's first fingerprint, big-endian, so that keys sort as fingerprints do.
/// - `filter`: the Bloom filter and its checksum.
/// - `about`: what the manifest says, so that a file in a wrong place is found out.
enum SegmentFormat {
  static let entryBytes = MemoryLayout<DedupEntry>.stride
  static let blockEntries = 4_094
  static let checksumBytes = 8
  static let databases = 3
  static let singleKey: [UInt8] = [0]

  static func key(of fingerprint: Fingerprint) -> [UInt8] {
    OrderedKey.of(fingerprint.head) + withUnsafeBytes(of: fingerprint.tail.bigEndian) { [UInt8]($0) }
  }

  static func fingerprint(of key: UnsafeRawBufferPointer) -> Fingerprint? {
    guard key.count == 12 else { return nil }
    return Fingerprint(
      first: UInt64(bigEndian: key.loadUnaligned(as: UInt64.self)),
      second: UInt64(UInt32(bigEndian: key.loadUnaligned(fromByteOffset: 8, as: UInt32.self))))
  }

  static func about(identifier: UInt64, bucket: Int64, throughOffset: Int64, count: Int) -> [UInt8] {
    var writer = ByteWriter()
    for number in [Int64(bitPattern: identifier), bucket, throughOffset, Int64(count)] { writer.put(number) }
    return writer.sealed()
  }
}

/// Writes one sealed segment: sequentially, in transactions of some 16 MiB, one sync at the end.
struct SegmentWriter {
  private static let blocksPerTransaction = 256

  private let segment: SegmentToSeal
  private let environment: Environment
  private let faults: FaultPoints
  private let filter: SegmentFilter
  private var block: [DedupEntry] = []
  private var blocks: [[DedupEntry]] = []

  /// Writes `segment` to a new file at `path`, durably.
  static func write(_ segment: SegmentToSeal, path: String, faults: FaultPoints) throws {
    let blocks = segment.count / SegmentFormat.blockEntries + 1
    let filter = SegmentFilter(keys: segment.count)
    // Room for tree pages and for those that a later transaction rewrites; what is not used takes no disk.
    let mapSize = blocks * 68_000 + filter.bytes.count + (8 << 20)
    let environment = try Environment(
      path: path,
      options: .init(mapSize: mapSize, databases: SegmentFormat.databases, syncsByHand: true))
    var writer = SegmentWriter(segment: segment, environment: environment, faults: faults, filter: filter)
    try segment.forEachSorted { entry in try writer.append(entry) }
    try writer.finish()
  }

  private init(segment: SegmentToSeal, environment: Environment, faults: FaultPoints, filter: SegmentFilter) {
    self.segment = segment
    self.environment = environment
    self.faults = faults
    self.filter = filter
    block.reserveCapacity(SegmentFormat.blockEntries)
  }

  private mutating func append(_ entry: DedupEntry) throws {
    filter.insert(entry.fingerprint)
    block.append(entry)
    if block.count == SegmentFormat.blockEntries {
      blocks.append(block)
      block.removeAll(keepingCapacity: true)
      if blocks.count == Self.blocksPerTransaction { try writeBlocks() }
    }
  }

  private mutating func writeBlocks() throws {
    try faults.check(.segmentWrite)
    let pending = blocks
    blocks = []
    try environment.write { transaction in
      let database = try transaction.database("entries", create: true)
      for block in pending {
        try block.withUnsafeBytes { bytes in
          let target = try transaction.reserve(
            bytes.count + SegmentFormat.checksumBytes, for: SegmentFormat.key(of: block[0].fingerprint), in: database,
            append: true)
          Self.copy(bytes, withChecksumTo: target)
        }
      }
    }
  }

  private static func copy(_ bytes: UnsafeRawBufferPointer, withChecksumTo target: UnsafeMutableRawBufferPointer) {
    target.copyMemory(from: bytes)
    target.storeBytes(of: Checksum64.of(bytes).littleEndian, toByteOffset: bytes.count, as: UInt64.self)
  }

  private mutating func finish() throws {
    if !block.isEmpty { blocks.append(block) }
    try writeBlocks()
    try environment.write { transaction in
      let filters = try transaction.database("filter", create: true)
      let target = try transaction.reserve(
        filter.bytes.count + SegmentFormat.checksumBytes, for: SegmentFormat.singleKey, in: filters)
      Self.copy(filter.bytes, withChecksumTo: target)
      let about = SegmentFormat.about(
        identifier: segment.identifier, bucket: segment.bucket, throughOffset: segment.throughOffset,
        count: segment.count)
      try transaction.put(about, for: SegmentFormat.singleKey, in: try transaction.database("about", create: true))
    }
    try faults.check(.segmentSync)
    try environment.sync()
  }
}
