/// A token bucket in whole numbers, so that it never drifts.
///
/// It belongs to one instance, which has `owned` of `total` partitions and so that part of the limit. A gained share
/// starts empty: what the former owner has just spent is not spent again. The level may fall below zero when one
/// request is larger than the depth; then the next waits until the debt is paid.
struct TokenBucket {
  let limit: RateLimit
  private let total: Int64
  private var owned: Int64 = 0
  /// In units of 1 / (perMilliseconds · total) token.
  private var level: Int64 = 0
  private var updatedAt: Int64

  /// `total`: the partitions of the topic. The bucket starts empty and without a share.
  init(_ limit: RateLimit, total: Int, now: Int64) {
    self.limit = limit
    self.total = limit.scope == .account ? Int64(max(1, total)) : 1
    self.updatedAt = now
  }

  /// Units that one token is worth.
  private var unit: Int64 { limit.perMilliseconds * total }
  private var refillPerMillisecond: Int64 { limit.count * owned }
  private var depth: Int64 { max(limit.burst * limit.perMilliseconds * owned, unit) }

  /// Changes the share; tokens at hand stay, up to the new depth.
  mutating func setOwned(_ partitions: Int, now: Int64) {
    refill(now)
    owned = limit.scope == .account ? min(Int64(partitions), total) : (partitions > 0 ? 1 : 0)
    level = min(level, depth)
  }

  private mutating func refill(_ now: Int64) {
    guard now > updatedAt else { return }
    let elapsed = now - updatedAt
    updatedAt = now
    guard owned > 0, level < depth else { return }
    let untilFull = (depth - level) / refillPerMillisecond + 1
    level = elapsed >= untilFull ? depth : min(depth, level + elapsed * refillPerMillisecond)
  }

  /// Takes `count` tokens if they are there (or if the bucket is full, where `count` is more than it can hold).
  mutating func canTake(_ count: Int, now: Int64) -> Bool {
    refill(now)
    return owned > 0 && level >= min(Int64(count) * unit, depth)
  }

  mutating func take(_ count: Int) { level -= Int64(count) * unit }

  /// Whole tokens that can be taken from now on until `milliseconds` from now.
  mutating func available(within milliseconds: Int64, now: Int64) -> Int {
    refill(now)
    guard owned > 0 else { return 0 }
    return max(0, Int((level + milliseconds * refillPerMillisecond) / unit))
  }

  /// Milliseconds until ``canTake(_:now:)`` holds; nil without a share.
  mutating func wait(for count: Int, now: Int64) -> Int64? {
    refill(now)
    guard owned > 0 else { return nil }
    let missing = min(Int64(count) * unit, depth) - level
    return missing <= 0 ? 0 : (missing + refillPerMillisecond - 1) / refillPerMillisecond
  }
}
