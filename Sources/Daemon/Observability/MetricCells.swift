internal import Synchronization

/// One counter series: a number that only grows, from 0 at the start of the process.
///
/// Lifecycle: obtained once from its family (a dictionary look-up under a lock), then kept by whoever counts. Adding is
/// one relaxed atomic addition, safe from every thread; call it once a batch, not once an event.
public final class Counter: Sendable {
  private let cell = Atomic<UInt64>(0)

  package init() {}

  /// Adds `amount`, in the family's unit (things, or nanoseconds where the name ends in `_seconds_total`).
  public func add(_ amount: UInt64 = 1) { cell.wrappingAdd(amount, ordering: .relaxed) }

  /// Adds a duration to a family that counts time; a negative duration adds nothing.
  public func add(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    guard seconds >= 0, attoseconds >= 0 else { return }
    add(UInt64(seconds) &* 1_000_000_000 &+ UInt64(attoseconds / 1_000_000_000))
  }

  /// Takes over a total that something else counts (librdkafka's statistics). A lower total than the present one is
  /// ignored: a counter never goes back.
  public func raise(to total: UInt64) { _ = cell.max(total, ordering: .relaxed) }

  /// The present total.
  public var value: UInt64 { cell.load(ordering: .relaxed) }
}

/// One gauge series: a number that goes up and down.
///
/// Setting is one relaxed atomic store, safe from every thread.
public final class Gauge: Sendable {
  private let bits = Atomic<UInt64>(0)

  package init() {}

  /// Takes a new value.
  public func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

  /// Takes a new value; beyond 2⁵³ the nearest that a 64-bit float holds.
  public func set(_ value: some BinaryInteger) { set(Double(value)) }

  /// The present value.
  public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// One histogram series: how many observations fell at or below each of its bounds, and their sum.
///
/// Observing is two atomic operations and a short search, safe from every thread: for things that happen at most some
/// thousand times a second (commits, requests), not for events.
public final class Histogram: Sendable {
  /// Upper bounds, ascending; the last bucket, `+Inf`, is implied.
  package let bounds: [Double]
  private let buckets: [Bucket]
  private let sumBits = Atomic<UInt64>(0)

  /// An array cannot hold atomics, which cannot be copied: each gets a home of its own.
  private final class Bucket: Sendable {
    let count = Atomic<UInt64>(0)
  }

  package init(bounds: [Double]) {
    self.bounds = bounds
    buckets = (0...bounds.count).map { _ in Bucket() }
  }

  /// Counts one observation in the family's unit (seconds), or `count` equal ones. A value that is not a number is
  /// ignored.
  public func observe(_ value: Double, count: UInt64 = 1) {
    guard !value.isNaN, count > 0 else { return }
    var index = 0
    while index < bounds.count, value > bounds[index] { index += 1 }
    buckets[index].count.wrappingAdd(count, ordering: .relaxed)
    var old = sumBits.load(ordering: .relaxed)
    while true {
      let new = (Double(bitPattern: old) + value * Double(count)).bitPattern
      let (exchanged, original) = sumBits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
      if exchanged { return }
      old = original
    }
  }

  /// Counts one observation of a duration.
  public func observe(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    observe(Double(seconds) + Double(attoseconds) * 1e-18)
  }

  /// Observations in each bucket, the last one beyond all bounds; not cumulative.
  package var counts: [UInt64] { buckets.map { $0.count.load(ordering: .relaxed) } }
  /// The sum of all observations.
  package var sum: Double { Double(bitPattern: sumBits.load(ordering: .relaxed)) }
}
