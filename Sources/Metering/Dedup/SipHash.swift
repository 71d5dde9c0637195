/// SipHash with a 128-bit result (Aumasson and Bernstein), written for messages that are fed as 64-bit words.
///
/// The rounds are parameters, so that the published vectors (2-4) test the code that runs in production (1-3).
package struct SipHash128 {
  private var v0: UInt64
  private var v1: UInt64
  private var v2: UInt64
  private var v3: UInt64

  /// Begins a message.
  @inline(__always) package init(key: FingerprintKey) {
    v0 = key.low ^ 0x736f_6d65_7073_6575
    v1 = key.high ^ 0x646f_7261_6e64_6f6d ^ 0xee
    v2 = key.low ^ 0x6c79_6765_6e65_7261
    v3 = key.high ^ 0x7465_6462_7974_6573
  }

  @inline(__always) private mutating func round() {
    v0 &+= v1
    v1 = v1 << 13 | v1 >> 51
    v1 ^= v0
    v0 = v0 << 32 | v0 >> 32
    v2 &+= v3
    v3 = v3 << 16 | v3 >> 48
    v3 ^= v2
    v0 &+= v3
    v3 = v3 << 21 | v3 >> 43
    v3 ^= v0
    v2 &+= v1
    v1 = v1 << 17 | v1 >> 47
    v1 ^= v2
    v2 = v2 << 32 | v2 >> 32
  }

  /// Absorbs one word with so many rounds. The message's last word carries its remaining bytes, and its length modulo
  /// 256 in the top byte.
  @inline(__always) package mutating func word(_ word: UInt64, _ rounds: Int) {
    v3 ^= word
    for _ in 0..<rounds { round() }
    v0 ^= word
  }

  /// Absorbs the whole words of `bytes` with one round each and returns the 0–7 bytes that remain, little-endian.
  @inline(__always) package mutating func words(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let count = bytes.count
    guard count > 0, let base = bytes.baseAddress else { return 0 }
    var at = 0
    while at &+ 8 <= count {
      word(UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self)), 1)
      at &+= 8
    }
    return WordLoad.partial(base + at, count &- at, of: count)
  }

  /// Absorbs `bytes`, the last word padded with zeros, with one round each.
  @inline(__always) package mutating func padded(_ bytes: UnsafeRawBufferPointer) {
    let tail = words(bytes)
    if bytes.count & 7 != 0 { word(tail, 1) }
  }

  /// Ends the message: the 16 result bytes as two little-endian words.
  @inline(__always) package mutating func finish(rounds: Int) -> (UInt64, UInt64) {
    v2 ^= 0xee
    for _ in 0..<rounds { round() }
    let first = v0 ^ v1 ^ v2 ^ v3
    v1 ^= 0xdd
    for _ in 0..<rounds { round() }
    return (first, v0 ^ v1 ^ v2 ^ v3)
  }
}

/// Loads of less than a word that never touch a byte outside the slice.
package enum WordLoad {
  /// The last `count` (0–7) bytes of a slice of `total` bytes as a little-endian number.
  @inline(__always) package static func partial(_ at: UnsafeRawPointer, _ count: Int, of total: Int) -> UInt64 {
    if count == 0 { return 0 }
    if total >= 8 {
      // The eight bytes that end here lie within the slice.
      let word = UInt64(littleEndian: (at + (count &- 8)).loadUnaligned(as: UInt64.self))
      return word >> UInt64(truncatingIfNeeded: 64 &- 8 &* count)
    }
    var word: UInt64 = 0
    for index in 0..<count {
      word |= UInt64(at.load(fromByteOffset: index, as: UInt8.self)) << UInt64(truncatingIfNeeded: 8 &* index)
    }
    return word
  }
}
