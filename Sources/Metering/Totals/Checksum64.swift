/// The 64-bit checksum over what is stored: XXH64, by its published specification. It finds torn writes and flipped bits;
/// it protects against no one.
package enum Checksum64 {
  private static let p1: UInt64 = 0x9e37_79b1_85eb_ca87
  private static let p2: UInt64 = 0xc2b2_ae3d_27d4_eb4f
  private static let p3: UInt64 = 0x1656_67b1_9e37_79f9
  private static let p4: UInt64 = 0x85eb_ca77_c2b2_ae63
  private static let p5: UInt64 = 0x27d4_eb2f_1656_67c5

  @inline(__always) private static func rotate(_ word: UInt64, _ by: UInt64) -> UInt64 {
    word &<< by | word &>> (64 &- by)
  }

  @inline(__always) private static func round(_ state: UInt64, _ lane: UInt64) -> UInt64 {
    rotate(state &+ lane &* p2, 31) &* p1
  }

  /// The checksum of a buffer.
  package static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    let count = bytes.count
    guard count > 0, let base = bytes.baseAddress else { return avalanche(seed &+ p5) }
    @inline(__always) func word(_ at: Int) -> UInt64 {
      UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }
    var at = 0
    var state = seed &+ p5
    if count >= 32 {
      var (a, b, c, d) = (seed &+ p1 &+ p2, seed &+ p2, seed, seed &- p1)
      while at &+ 32 <= count {
        a = round(a, word(at))
        b = round(b, word(at &+ 8))
        c = round(c, word(at &+ 16))
        d = round(d, word(at &+ 24))
        at &+= 32
      }
      state = rotate(a, 1) &+ rotate(b, 7) &+ rotate(c, 12) &+ rotate(d, 18)
      for lane in [a, b, c, d] { state = (state ^ round(0, lane)) &* p1 &+ p4 }
    }
    state &+= UInt64(count)
    while at &+ 8 <= count {
      state = rotate(state ^ round(0, word(at)), 27) &* p1 &+ p4
      at &+= 8
    }
    if at &+ 4 <= count {
      let half = UInt64(UInt32(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
      state = rotate(state ^ half &* p1, 23) &* p2 &+ p3
      at &+= 4
    }
    while at < count {
      state = rotate(state ^ UInt64(bytes[at]) &* p5, 11) &* p1
      at &+= 1
    }
    return avalanche(state)
  }

  private static func avalanche(_ state: UInt64) -> UInt64 {
    var state = state
    state = (state ^ state >> 33) &* p2
    state = (state ^ state >> 29) &* p3
    return state ^ state >> 32
  }
}
