/// The ledger's binary format, version 2: LEDGER-FORMAT.md says it byte by byte.
public enum LedgerCodec {
  /// The first four bytes of every record: "MTRL".
  package static let magic: [UInt8] = [0x4d, 0x54, 0x52, 0x4c]
  /// The format that this meterd writes, and the only one that it reads.
  public static let version: UInt8 = 2
  /// The greatest payload of one chunk of a set, bytes (512 KiB): a record stays far below Kafka's 1 MiB.
  public static let chunkLimit = 512 * 1024

  /// Encodes a record.
  public static func encode(_ record: LedgerRecord, identity: RecordIdentity) -> [UInt8] {
    var writer = ByteWriter(capacity: 64)
    if case .chunk(let chunk) = record { writer.bytes.reserveCapacity(chunk.payload.count + 64) }
    writer.bytes.append(contentsOf: magic)
    writer.byte(version)
    writer.byte(RecordType(of: record).rawValue)
    writer.identity(identity)
    writer.body(of: record)
    writer.fixed32(CRC32C.checksum(writer.bytes))
    return writer.bytes
  }

  /// Decodes a record: what it says, and whose it is.
  ///
  /// The order of the checks: length, magic, version, checksum, type, fields. So a record of another format is told
  /// from a damaged one as long as it begins alike.
  public static func decode(
    _ bytes: [UInt8]
  ) throws(LedgerCodecError) -> (identity: RecordIdentity, record: LedgerRecord) {
    guard bytes.count >= magic.count + 1 else { throw .truncated }
    guard bytes.prefix(magic.count).elementsEqual(magic) else { throw .badMagic }
    guard bytes[magic.count] == version else { throw .unknownVersion(bytes[magic.count], reads: version) }
    let bodyStart = magic.count + 1
    let bodyEnd = bytes.count - 4
    guard bodyEnd > bodyStart else { throw .truncated }
    var trailer = ByteReader(bytes, from: bodyEnd)
    guard try trailer.fixed32() == CRC32C.checksum(bytes, count: bodyEnd) else { throw .checksum }
    var reader = ByteReader(bytes, from: bodyStart, to: bodyEnd)
    let code = try reader.byte()
    guard let type = RecordType(rawValue: code) else { throw .unknownType(code) }
    let identity = try reader.identity()
    let record = try reader.body(of: type)
    guard reader.isAtEnd else { throw .trailingBytes }
    return (identity, record)
  }

  /// Whose a record is that ``decode(_:)`` has taken before; nil where the bytes are too few to say.
  static func identity(of bytes: [UInt8]) -> RecordIdentity? {
    var reader = ByteReader(bytes, from: min(magic.count + 2, bytes.count))
    return try? reader.identity()
  }
}

/// The type byte of a record.
enum RecordType: UInt8 {
  case genesis = 1
  case owner = 2
  case config = 3
  case chunk = 4
  case cut = 5
  case claim = 6
  case sending = 7
  case unsent = 8
  case done = 9
  case park = 10
  case resolve = 11
  case snapshot = 12

  init(of record: LedgerRecord) {
    self =
      switch record {
      case .genesis: .genesis
      case .owner: .owner
      case .config: .config
      case .chunk: .chunk
      case .cut: .cut
      case .claim: .claim
      case .sending: .sending
      case .unsent: .unsent
      case .done: .done
      case .park: .park
      case .resolve: .resolve
      case .snapshot: .snapshot
      }
  }
}
