/// What local state says of the log it was made from: by it the owner judges whether it may be used as it stands.
/// The byte fields are the caller's; the store only keeps them.
public struct StoreState: Hashable, Sendable {
  /// The identity of the ledger: GENESIS's.
  public var genesis: [UInt8]
  /// The digest of the configuration under which the open range is counted.
  public var configurationDigest: [UInt8]
  /// The ledger offset up to which the ledger had been read.
  public var ledgerPosition: Int64
  /// The chained digest of the ledger up to there.
  public var ledgerDigest: [UInt8]
  /// The last head record that was read back: the SEAL's identity, or GENESIS's.
  public var headRecord: [UInt8]
  /// Its offset in the usage topic: the b of that cut, or the start offset.
  public var headOffset: Int64
  /// The clock that it states, Unix milliseconds.
  public var headClockMilliseconds: Int64
  /// The length of a bucket, τ, in milliseconds: sightings in other buckets are of no use.
  public var bucketMilliseconds: Int64

  /// A state of these values.
  public init(
    genesis: [UInt8], configurationDigest: [UInt8], ledgerPosition: Int64, ledgerDigest: [UInt8], headRecord: [UInt8],
    headOffset: Int64, headClockMilliseconds: Int64, bucketMilliseconds: Int64
  ) {
    self.genesis = genesis
    self.configurationDigest = configurationDigest
    self.ledgerPosition = ledgerPosition
    self.ledgerDigest = ledgerDigest
    self.headRecord = headRecord
    self.headOffset = headOffset
    self.headClockMilliseconds = headClockMilliseconds
    self.bucketMilliseconds = bucketMilliseconds
  }

  func encoded() -> [UInt8] {
    var writer = ByteWriter()
    for field in [genesis, configurationDigest, ledgerDigest, headRecord] { writer.put(field) }
    for number in [ledgerPosition, headOffset, headClockMilliseconds, bucketMilliseconds] { writer.put(number) }
    return writer.sealed()
  }

  init(encoded: UnsafeRawBufferPointer) throws(ByteReader.Damage) {
    var reader = try ByteReader(encoded)
    genesis = try reader.field()
    configurationDigest = try reader.field()
    ledgerDigest = try reader.field()
    headRecord = try reader.field()
    ledgerPosition = try reader.number()
    headOffset = try reader.number()
    headClockMilliseconds = try reader.number()
    bucketMilliseconds = try reader.number()
    try reader.end()
  }
}

/// A sealed segment's entry in the manifest. A segment exists by its entry; a file without one is rubbish.
public struct SegmentDescription: Hashable, Sendable {
  public let identifier: UInt64
  public let bucket: Int64
  /// The head below which all of its sightings are.
  public let throughOffset: Int64
  /// Its fingerprints.
  public let count: Int
  /// The file's size.
  public let fileBytes: Int

  var fileName: String { "segment-\(bucket)-\(identifier).mdb" }
  var key: [UInt8] { OrderedKey.of(bucket: bucket, identifier: identifier) }

  func encoded() -> [UInt8] {
    var writer = ByteWriter()
    for number in [Int64(bitPattern: identifier), bucket, throughOffset, Int64(count), Int64(fileBytes)] {
      writer.put(number)
    }
    return writer.sealed()
  }

  init(identifier: UInt64, bucket: Int64, throughOffset: Int64, count: Int, fileBytes: Int) {
    self.identifier = identifier
    self.bucket = bucket
    self.throughOffset = throughOffset
    self.count = count
    self.fileBytes = fileBytes
  }

  init(encoded: UnsafeRawBufferPointer) throws(ByteReader.Damage) {
    var reader = try ByteReader(encoded)
    identifier = UInt64(bitPattern: try reader.number())
    bucket = try reader.number()
    throughOffset = try reader.number()
    count = Int(try reader.number())
    fileBytes = Int(try reader.number())
    try reader.end()
  }
}
