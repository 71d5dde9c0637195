internal import Metering

/// Small records of the journal's environment: fields in order, little-endian, a checksum at the end.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  mutating func put(_ number: Int64) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func put(_ field: [UInt8]) {
    put(Int64(field.count))
    bytes.append(contentsOf: field)
  }

  /// The record, with its checksum.
  consuming func sealed() -> [UInt8] {
    put(Int64(bitPattern: bytes.withUnsafeBytes { Checksum64.of($0) }))
    return bytes
  }
}

/// Reads what ``ByteWriter`` wrote.
struct ByteReader {
  struct Damage: Error, CustomStringConvertible {
    var description: String { "a record's length or checksum is wrong" }
  }

  private let bytes: UnsafeRawBufferPointer
  private var at = 0

  /// Checks the checksum first.
  init(_ sealed: UnsafeRawBufferPointer) throws(Damage) {
    guard sealed.count >= 8 else { throw Damage() }
    bytes = UnsafeRawBufferPointer(rebasing: sealed[..<(sealed.count - 8)])
    let stated = sealed.loadUnaligned(fromByteOffset: bytes.count, as: UInt64.self)
    guard UInt64(littleEndian: stated) == Checksum64.of(bytes) else { throw Damage() }
  }

  mutating func number() throws(Damage) -> Int64 {
    guard at + 8 <= bytes.count else { throw Damage() }
    defer { at += 8 }
    return Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int64.self))
  }

  mutating func field() throws(Damage) -> [UInt8] {
    let count = try number()
    guard count >= 0, count <= bytes.count - at else { throw Damage() }
    defer { at += Int(count) }
    return [UInt8](bytes[at..<(at + Int(count))])
  }

  func end() throws(Damage) { if at != bytes.count { throw Damage() } }
}

/// Keys that sort as their numbers do.
enum OrderedKey {
  static func of(_ number: UInt64) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) } }
  static func of(bucket: Int64, identifier: UInt64) -> [UInt8] {
    of(UInt64(bitPattern: bucket) ^ 1 << 63) + of(identifier)
  }
}
