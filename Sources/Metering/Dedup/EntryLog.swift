/// The entries of one dedup table, in the order of their sightings: memory that only grows at its end.
///
/// The table finds its entries here, and the journal takes the new ones from here, so that a sighting is written once. An
/// entry never changes or moves in one log; where the addresses do not reach, the table goes on with a longer copy, and
/// whoever holds slices keeps the log that they are of.
///
/// `@unchecked Sendable`: one worker appends; others read only entries that were there before they got their slice.
package final class EntryLog: @unchecked Sendable {
  private var region: HotRegion
  /// Where the entries are: the same for as long as the log lives.
  package let entries: UnsafeMutablePointer<DedupEntry>

  /// - Parameters:
  ///   - capacity: the entries that it takes at once.
  ///   - most: the bytes up to which it can grow.
  package init(capacity: Int, growingTo most: Int) {
    region = HotRegion(bytes: capacity * MemoryLayout<DedupEntry>.stride, reserving: most)
    entries = region.start.bindMemory(to: DedupEntry.self, capacity: capacity)
  }

  /// Takes so many entries from now on, or returns false where the addresses do not reach.
  package func grow(to capacity: Int) -> Bool { region.grow(to: capacity * MemoryLayout<DedupEntry>.stride) }

  /// Whether ``grow(to:)`` can give room for so many.
  package func reaches(_ capacity: Int) -> Bool { region.reaches(capacity * MemoryLayout<DedupEntry>.stride) }

  /// Has the memory of entries given now (``HotRegion/populate(_:)``).
  package func populate(_ numbers: Range<Int>) {
    let stride = MemoryLayout<DedupEntry>.stride
    region.populate(numbers.lowerBound * stride..<numbers.upperBound * stride)
  }

  /// Gives back the addresses that it will not grow into.
  package func trim() { region.trim() }
}

/// Sightings on their way from a table to the journal: a part of its log, which is held for as long as the slice.
package struct EntrySlice: Sendable {
  private let log: EntryLog
  private let from: Int
  /// How many entries it has.
  package let count: Int

  package init(_ log: EntryLog, from: Int, to: Int) {
    self.log = log
    self.from = from
    count = to - from
  }

  /// Calls `body` with the entries' memory.
  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    withExtendedLifetime(log) {
      body(UnsafeRawBufferPointer(start: log.entries + from, count: count * MemoryLayout<DedupEntry>.stride))
    }
  }
}
