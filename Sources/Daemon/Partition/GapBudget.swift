/// How much time a partition may spend on looking at offset holes a second time.
///
/// Where producers are transactional, every commit leaves a hole, so looking at each of them would cost more than
/// counting. The budget fills by 1/20 of the elapsed time up to ``capacity``; a hole that comes when it is spent counts
/// as unverified.
struct GapBudget {
  /// The most that can be saved up, milliseconds: what one look may take.
  static let capacity: Int64 = 2_000
  /// A look with less than this left would hardly get an answer, milliseconds.
  static let least: Int64 = 50

  private var available = GapBudget.capacity * 20
  private var last: Int64

  /// A full budget; `now` in elapsed milliseconds.
  init(now: Int64) { last = now }

  /// The milliseconds that a look may take now, nil where there are too few.
  mutating func grant(now: Int64) -> Int64? {
    if now > last {
      // In twentieths, so that calls in quick succession do not round the refill away.
      available = min(Self.capacity * 20, available + (now - last))
      last = now
    }
    let whole = available / 20
    return whole >= Self.least ? whole : nil
  }

  /// Takes what a look took, milliseconds.
  mutating func spend(_ milliseconds: Int64) { available -= max(1, milliseconds) * 20 }
}
