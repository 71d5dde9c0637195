/// Why bytes are not a record of the ledger.
public enum LedgerCodecError: Error, Hashable, Sendable {
  /// The bytes end before the record does.
  case truncated
  /// The bytes do not begin as a record of a ledger does.
  case badMagic
  /// Written by a newer or an older meterd: this one, which reads that one version, must not guess.
  case unknownVersion(UInt8, reads: UInt8)
  /// A type that this format version does not have.
  case unknownType(UInt8)
  /// The CRC-32C at the end is not that of the bytes before it.
  case checksum
  /// The record ends before its bytes do.
  case trailingBytes
  /// A field holds what no writer writes; the text says which.
  case malformed(StaticText)
  /// What a record would have to hold is more than it may.
  case tooLarge(bytes: Int, limit: Int)

  /// A text that is known when this is compiled.
  public struct StaticText: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public let description: String
    public init(stringLiteral value: StaticString) { description = value.description }
  }
}

extension LedgerCodecError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .truncated: "the record ends too early"
    case .badMagic: "this is no record of a ledger"
    case .unknownVersion(let version, let known):
      "format version \(version) is \(version > known ? "newer" : "older") than what this meterd reads (\(known))"
    case .unknownType(let type): "record type \(type) is unknown"
    case .checksum: "the checksum does not match"
    case .trailingBytes: "there are bytes behind the record's end"
    case .malformed(let what): "malformed: \(what)"
    case .tooLarge(let bytes, let limit): "\(bytes) bytes, where a record may hold \(limit)"
    }
  }
}
