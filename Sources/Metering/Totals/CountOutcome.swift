/// Where counting begins: from GENESIS, from a cut, or from the journal.
public struct CounterStart: Hashable, Sendable {
  /// The first offset to judge; the first range begins here.
  public var nextOffset: Int64
  /// The log's clock there, Unix milliseconds; 0 where no record has set it yet.
  public var clockMilliseconds: Int64
  /// The cap of the range, Unix milliseconds: record timestamps beyond it wait.
  public var capMilliseconds: Int64

  /// A start of these values.
  public init(nextOffset: Int64, clockMilliseconds: Int64, capMilliseconds: Int64) {
    self.nextOffset = nextOffset
    self.clockMilliseconds = clockMilliseconds
    self.capMilliseconds = capMilliseconds
  }
}

/// What becomes of records.
public enum CountMode: Sendable {
  /// They are judged and counted.
  case count
  /// They only make sightings: records that a cut has counted already, or the window before a cut-over. Nothing is
  /// counted, nothing goes to quarantine.
  case sightingsOnly
}

/// Why a call stopped where it did.
public enum CountStop: Hashable, Sendable {
  /// Every record was judged.
  case batchEnd
  /// The next record's timestamp is beyond the cap: it waits for a cut, which raises the cap (``PartitionCounter/setCap(_:)``)
  /// or for ``PartitionCounter/capTimestamps``.
  case beyondCap(timestampMilliseconds: Int64)
  /// The range has as many rows as one may have: a cut comes first.
  case rowsFull
  /// The dedup tables have no room: a cut comes first, and once its head has been read back and committed,
  /// ``PartitionCounter/segmentsToSeal(head:early:)`` with `early`.
  case memoryFull
  /// A row's exact sum does not fit in 128 bits. The counter counts no more; the partition closes.
  case overflow(offset: Int64)
  /// A sealed segment could not be read. The counter counts no more; local state is rebuilt.
  case indexUnreadable(offset: Int64)
}

/// How far a call came: the first `consumed` records are judged, the others untouched.
public struct CountOutcome: Hashable, Sendable {
  public var consumed: Int
  public var stop: CountStop

  /// An outcome of these values.
  public init(consumed: Int, stop: CountStop) {
    self.consumed = consumed
    self.stop = stop
  }
}
