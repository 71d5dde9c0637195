/// SipHash-2-4 with 128 bits of result, streaming, under a fixed public key: tells byte strings apart by accident, not
/// against an adversary. (The fingerprints of the dedup window are keyed by GENESIS, and have a hash of their own.)
public struct DigestHasher: Sendable, Hashable {
  private var v0: UInt64
  private var v1: UInt64
  private var v2: UInt64
  private var v3: UInt64
  /// Bytes that do not yet fill a word, in its low end.
  private var tail: UInt64 = 0
  private var length: UInt64 = 0

  /// A hasher under the ledger's public key: the ASCII of "meterd ledger v1".
  public init() { self.init(key0: 0x6c20_6472_6574_656d, key1: 0x3176_2072_6567_6465) }

  /// A hasher under another key (the reference vectors' one).
  package init(key0: UInt64, key1: UInt64) {
    v0 = key0 ^ 0x736f_6d65_7073_6575
    v1 = key1 ^ 0x646f_7261_6e64_6f6d ^ 0xee
    v2 = key0 ^ 0x6c79_6765_6e65_7261
    v3 = key1 ^ 0x7465_6462_7974_6573
  }

  @inline(__always) private mutating func round() {
    v0 &+= v1
    v1 = (v1 << 13 | v1 >> 51) ^ v0
    v0 = v0 << 32 | v0 >> 32
    v2 &+= v3
    v3 = (v3 << 16 | v3 >> 48) ^ v2
    v0 &+= v3
    v3 = (v3 << 21 | v3 >> 43) ^ v0
    v2 &+= v1
    v1 = (v1 << 17 | v1 >> 47) ^ v2
    v2 = v2 << 32 | v2 >> 32
  }

  @inline(__always) private mutating func compress(_ word: UInt64) {
    v3 ^= word
    round()
    round()
    v0 ^= word
  }

  /// Adds bytes; how they are cut into calls does not matter.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    var index = 0
    let held = Int(length & 7)
    length &+= UInt64(bytes.count)
    if held > 0 {
      var filled = held
      while filled < 8, index < bytes.count {
        tail |= UInt64(bytes[index]) << UInt64(8 * filled)
        filled += 1
        index += 1
      }
      if filled < 8 { return }
      compress(tail)
      tail = 0
    }
    while index + 8 <= bytes.count {
      compress(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)))
      index += 8
    }
    var shift: UInt64 = 0
    while index < bytes.count {
      tail |= UInt64(bytes[index]) << shift
      shift += 8
      index += 1
    }
  }

  /// Adds bytes; how they are cut into calls does not matter.
  public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

  /// Adds a number as eight bytes, the lowest first.
  public mutating func update(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { update($0) } }

  /// The digest of all that was added. The hasher can go on from here.
  public func finalized() -> Digest {
    var copy = self
    copy.compress(copy.tail | (length & 0xff) << 56)
    copy.v2 ^= 0xee
    for _ in 0..<4 { copy.round() }
    let first = copy.v0 ^ copy.v1 ^ copy.v2 ^ copy.v3
    copy.v1 ^= 0xdd
    for _ in 0..<4 { copy.round() }
    return Digest(high: first, low: copy.v0 ^ copy.v1 ^ copy.v2 ^ copy.v3)
  }
}

extension Digest {
  /// The chained digest of a ledger before its first record.
  public static let ledgerStart = Digest(high: 0, low: 0)

  /// The digest of a byte string.
  public init(of bytes: [UInt8]) {
    var hasher = DigestHasher()
    hasher.update(bytes)
    self = hasher.finalized()
  }

  /// The digest of one usage record's key and value, each with its length before it (``LastRecord``).
  public init(ofKey key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
    var hasher = DigestHasher()
    hasher.update(UInt64(key.count))
    hasher.update(key)
    hasher.update(UInt64(value.count))
    hasher.update(value)
    self = hasher.finalized()
  }

  /// The chained digest of the ledger up to and including a record: d_n = H(d_{n−1}, offset, bytes).
  public func chained(offset: Int64, bytes: [UInt8]) -> Digest {
    var hasher = DigestHasher()
    hasher.update(high)
    hasher.update(low)
    hasher.update(UInt64(bitPattern: offset))
    hasher.update(bytes)
    return hasher.finalized()
  }

  /// 32 lower-case hexadecimal digits.
  public var hexadecimal: String {
    func digits(_ word: UInt64) -> String {
      let text = String(word, radix: 16)
      return String(repeating: "0", count: 16 - text.count) + text
    }
    return digits(high) + digits(low)
  }
}
