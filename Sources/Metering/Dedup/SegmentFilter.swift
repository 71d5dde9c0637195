internal import CHotPath

/// A Bloom filter whose bits for one fingerprint lie in one cache line: it answers nearly every look-up in a sealed
/// segment without touching the segment.
///
/// `@unchecked Sendable`: filled before it is shared, and never changed afterwards.
public final class SegmentFilter: @unchecked Sendable {
  /// Bits for each fingerprint.
  package static let bitsPerKey = 12
  private static let probes = 6
  private static let wordsPerLine = 8

  package let words: UnsafeMutablePointer<UInt64>
  package let lines: Int

  /// An empty filter for so many fingerprints.
  public init(keys: Int) {
    lines = max(1, (keys * Self.bitsPerKey + 511) / 512)
    words = HotMemory.allocate(lines * 64).bindMemory(to: UInt64.self, capacity: lines * Self.wordsPerLine)
  }

  /// A filter of the bytes of another (``bytes``), or `nil` where they are not whole lines.
  public init?(bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 0, bytes.count % 64 == 0 else { return nil }
    lines = bytes.count / 64
    words = HotMemory.allocate(bytes.count).bindMemory(to: UInt64.self, capacity: bytes.count / 8)
    UnsafeMutableRawBufferPointer(start: words, count: bytes.count).copyMemory(from: bytes)
  }

  deinit { HotMemory.free(UnsafeMutableRawPointer(words), lines * 64) }

  /// The filter's content, to be stored with its segment. Valid while the filter lives.
  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: words, count: lines * 64) }

  /// Adds a fingerprint. Only before the filter is shared.
  public func insert(_ fingerprint: Fingerprint) {
    let line = words + Self.line(fingerprint, of: lines) * Self.wordsPerLine
    var bits = Self.bits(fingerprint)
    for _ in 0..<Self.probes {
      line[Int(bits & 7)] |= 1 << (bits >> 3 & 63)
      bits >>= 9
    }
  }

  /// False where the fingerprint is certainly not in the segment.
  public func mayContain(_ fingerprint: Fingerprint) -> Bool {
    Self.mayContain(fingerprint, words: words, lines: lines)
  }

  // The hot path holds words and lines as plain values.

  @inline(__always) package static func mayContain(
    _ fingerprint: Fingerprint, words: UnsafePointer<UInt64>, lines: Int
  ) -> Bool {
    let line = words + Self.line(fingerprint, of: lines) &* wordsPerLine
    var bits = Self.bits(fingerprint)
    for _ in 0..<probes {
      if line[Int(truncatingIfNeeded: bits & 7)] & (1 &<< (bits >> 3 & 63)) == 0 { return false }
      bits >>= 9
    }
    return true
  }

  @inline(__always) package static func prefetch(
    _ fingerprint: Fingerprint, words: UnsafePointer<UInt64>, lines: Int
  ) {
    meterd_prefetch_read(words + line(fingerprint, of: lines) &* wordsPerLine)
  }

  /// By the fingerprint's top bits.
  @inline(__always) private static func line(_ fingerprint: Fingerprint, of lines: Int) -> Int {
    Int(truncatingIfNeeded: fingerprint.head.multipliedFullWidth(by: UInt64(truncatingIfNeeded: lines)).high)
  }

  /// By its bottom bits: 6 × 9 of these 64.
  @inline(__always) private static func bits(_ fingerprint: Fingerprint) -> UInt64 {
    UInt64(fingerprint.tail) << 32 | fingerprint.head & 0xffff_ffff
  }
}
