/// A fast keyed hash of short strings, for tables in memory and for the payload check.
///
/// It folds 64 × 64-bit products with words derived from the fingerprint key, so that nobody outside can aim at a slot.
/// Its results stand in the journal (as part of payload checks): a change of it is a change of the storage format.
package struct KeyedHash {
  private let first: UInt64
  private let second: UInt64

  /// Derives the words from the fingerprint key.
  package init(key: FingerprintKey) {
    var sip = SipHash128(key: key)
    sip.word(0x6873_6168_2e79_656b, 2)  // any fixed message that is no event's: it has no length prefix
    let (a, b) = sip.finish(rounds: 4)
    first = a | 1
    second = b | 1
  }

  @inline(__always) private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }

  /// The hash of a slice.
  @inline(__always) package func callAsFunction(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let count = bytes.count
    guard count > 0, let base = bytes.baseAddress else { return first }
    var state = second ^ UInt64(truncatingIfNeeded: count)
    var at = 0
    while at &+ 16 <= count {
      let a = base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
      let b = base.loadUnaligned(fromByteOffset: at &+ 8, as: UInt64.self)
      state = Self.fold(a ^ first, b ^ state)
      at &+= 16
    }
    var a: UInt64 = 0
    if at &+ 8 <= count {
      a = base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
      at &+= 8
    }
    let b = WordLoad.partial(base + at, count &- at, of: count)
    return Self.fold(Self.fold(a ^ first, b ^ state) ^ second, first)
  }

  /// Mixes two values into one.
  @inline(__always) package func mix(_ a: UInt64, _ b: UInt64) -> UInt64 { Self.fold(a ^ first, b ^ second) }

  /// The payload check of an event: what must be equal for a repeat of its key to be a mere duplicate. Never the time,
  /// which a producer's retry may write anew.
  @inline(__always) package func payloadCheck(
    customer: UInt64, feature: UInt64, dimensions: UInt64, quantity: Quantity, isRevert: Bool
  ) -> UInt32 {
    let low = UInt64(truncatingIfNeeded: quantity.units)
    let high = UInt64(truncatingIfNeeded: quantity.units >> 64)
    var state = mix(customer, feature &+ 0x9e37_79b9_7f4a_7c15)
    state = mix(state, low)
    state = mix(state &+ (isRevert ? 1 : 0), high ^ dimensions)
    return UInt32(truncatingIfNeeded: state >> 32)
  }
}
