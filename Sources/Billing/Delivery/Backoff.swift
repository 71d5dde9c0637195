/// Exponential back-off with full jitter: the n-th failure waits between 0 and min(longest, 0.5 s · 2ⁿ), uniformly.
///
/// | failure | 1 | 2 | 3 | 4 | 5 | 6 | 7 and on | deferred rows, 11 and on |
/// |---|---|---|---|---|---|---|---|---|
/// | at most, seconds | 1 | 2 | 4 | 8 | 16 | 32 | 60 | 600 |
struct Backoff {
  private var generator: SplitMix64

  init(seed: UInt64) { generator = SplitMix64(state: seed) }

  static let longestMilliseconds: Int64 = 60_000
  static let longestDeferredMilliseconds: Int64 = 600_000

  /// The upper end of the n-th wait, n from 1.
  static func ceiling(failure: Int, longest: Int64) -> Int64 {
    min(longest, 500 << Int64(min(max(failure, 1), 20)))
  }

  /// The n-th wait in milliseconds, n from 1: at least 1.
  mutating func wait(failure: Int, longest: Int64 = longestMilliseconds) -> Int64 {
    Int64.random(in: 1...Self.ceiling(failure: failure, longest: longest), using: &generator)
  }
}

/// A small seeded generator (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): the machine's
/// jitter comes from its seed alone, so that a run can be repeated.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
