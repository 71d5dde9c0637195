/// The 16-byte key of the fingerprints, from GENESIS. Keyed, since a collision that somebody could choose would be
/// free usage.
public struct FingerprintKey: Hashable, Sendable {
  /// Bytes 0–7, little-endian.
  public let low: UInt64
  /// Bytes 8–15, little-endian.
  public let high: UInt64

  /// A key of two words.
  public init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  /// A key of 16 bytes, or `nil` where there are not 16.
  public init?(bytes: [UInt8]) {
    guard bytes.count == 16 else { return nil }
    func word(_ from: Int) -> UInt64 {
      (0..<8).reduce(0) { $0 | UInt64(bytes[from + $1]) << UInt64(8 * $1) }
    }
    self.init(low: word(0), high: word(8))
  }

  /// The 16 bytes.
  public var bytes: [UInt8] {
    [low, high].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
  }
}

/// The identity of an event in the dedup index: a keyed 128-bit hash of its source and key, of which 96 bits are kept.
public struct Fingerprint: Hashable, Sendable {
  /// The first 64 bits; never 0, which marks an empty slot.
  public let head: UInt64
  /// The next 32 bits.
  public let tail: UInt32

  /// A fingerprint of a hash's words. A first word of 0 becomes 1.
  @inline(__always) package init(first: UInt64, second: UInt64) {
    head = first == 0 ? 1 : first
    tail = UInt32(truncatingIfNeeded: second)
  }

  /// Hashes (source, key), each prefixed with its length, with SipHash-1-3-128.
  @inline(__always) package static func of(
    source: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, with secret: FingerprintKey
  ) -> Fingerprint {
    var sip = SipHash128(key: secret)
    sip.word(UInt64(UInt32(truncatingIfNeeded: source.count)) | UInt64(UInt32(truncatingIfNeeded: key.count)) << 32, 1)
    var total = 8
    if source.count > 0 {
      // The lengths stand in front, so each string may be padded to whole words: the message stays unambiguous.
      sip.padded(source)
      total += (source.count + 7) & ~7
    }
    let tail = sip.words(key)
    sip.word(tail | UInt64(UInt8(truncatingIfNeeded: total + key.count)) << 56, 1)
    let (first, second) = sip.finish(rounds: 3)
    return Fingerprint(first: first, second: second)
  }
}

/// One fingerprint with the payload check of its first sighting in its bucket: 16 bytes, as tables, journal and sealed
/// segments hold it.
public struct DedupEntry: Hashable, Sendable {
  /// The fingerprint's first 64 bits; 0 marks an empty slot.
  public var head: UInt64
  /// The fingerprint's last 32 bits, above the 32 bits of the payload check.
  public var tailAndCheck: UInt64

  /// An entry of a fingerprint and a check.
  @inline(__always) public init(_ fingerprint: Fingerprint, check: UInt32) {
    head = fingerprint.head
    tailAndCheck = UInt64(fingerprint.tail) << 32 | UInt64(check)
  }

  private init() {
    head = 0
    tailAndCheck = 0
  }
  /// What an empty slot holds.
  package static let free = DedupEntry()

  /// The fingerprint.
  @inline(__always) public var fingerprint: Fingerprint { Fingerprint(first: head, second: tailAndCheck >> 32) }
  /// The payload check.
  @inline(__always) public var check: UInt32 { UInt32(truncatingIfNeeded: tailAndCheck) }

  /// The order of sealed segments: by fingerprint.
  @inline(__always) public static func precedes(_ left: DedupEntry, _ right: DedupEntry) -> Bool {
    left.head != right.head ? left.head < right.head : (left.tailAndCheck >> 32) < (right.tailAndCheck >> 32)
  }
}
