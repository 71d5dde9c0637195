extension PartitionCounter {
  // MARK: Cuts

  /// Freezes the range that ends at `b` for a cut, and begins the next one there.
  ///
  /// - Parameter b: ``nextOffset``, or beyond it where only holes lie between.
  public mutating func beginRange(at b: Int64) -> FrozenRange {
    precondition(b >= nextOffset, "a cut cannot end before a record that is counted")
    nextOffset = b
    // A chunk never spans a cut: state can be cut back to any own head by dropping the chunks after it.
    endChunk()
    let frozen = FrozenRange(
      from: range.from, to: b, payloads: range.canonicalPayloads(), rowCount: range.rows.count,
      counters: range.counters, clockAtEnd: clockMilliseconds)
    range = OpenRange(from: b, after: range)
    return frozen
  }

  /// Drops the open rows and begins a range at `b`: what was counted up to there is in a cut of the ledger already (after
  /// records were replayed for their sightings), so it must not be counted again.
  public mutating func restartRange(at b: Int64) {
    precondition(b >= nextOffset, "a range cannot begin before a record that is processed")
    nextOffset = b
    endChunk()
    range = OpenRange(from: b)
  }

  /// Moves on over offsets without a record.
  public mutating func skipHoles(to offset: Int64, verified: Int64, unverified: Int64) {
    precondition(offset >= nextOffset, "holes lie before the next record")
    nextOffset = offset
    range.counters.holesVerified += verified
    range.counters.holesUnverified += unverified
    totals.holesVerified += verified
    totals.holesUnverified += unverified
  }

  // MARK: The journal

  /// What changed since the last call, as chunks for one durable commit; empty where nothing did. It swaps buffers: the
  /// worker goes on at once, while another queue writes.
  public mutating func takeCommit() -> [JournalChunk] {
    endChunk()
    return journal.take()
  }

  /// Sightings that no commit has taken yet; a commit is due at a million.
  public var pendingSightings: Int { journal.pendingSightings + index.newsCount }

  private mutating func endChunk() {
    journal.endChunk(to: nextOffset, clock: clockMilliseconds, index: &index, range: &range)
  }

  /// Takes over one chunk of the journal. Chunks come in order, before anything is counted.
  ///
  /// - Parameters:
  ///   - chunk: the chunk.
  ///   - head: the head that local state has read back. Rows below it are in a cut already, and are left out.
  /// - Returns: the range before the chunk's, where that is frozen but not below the head: its cut may have to be made.
  public mutating func restore(_ chunk: JournalChunkView, head: Int64) throws(JournalCorruption) -> FrozenRange? {
    guard chunk.from == nextOffset, chunk.clockAtEnd >= clockMilliseconds else { throw .inconsistent }
    guard chunk.to <= head || chunk.from >= head else { throw .inconsistent }
    let frozen = try restoreRows(chunk, head: head)
    var next = 0
    for group in chunk.groups {
      guard group.bucket >= index.bucket else { throw .inconsistent }
      index.advance(to: group.bucket, at: chunk.to)
      let end = next + Int(group.count)
      if index.sealedThrough(bucket: group.bucket) ?? .min < chunk.to {
        while next < end {
          if next + Self.blockRecords / 4 < end {
            index.prefetch(chunk.entry(next + Self.blockRecords / 4).fingerprint)
          }
          index.restore(chunk.entry(next))
          next += 1
        }
      }
      next = end
    }
    clockMilliseconds = chunk.clockAtEnd
    nextOffset = chunk.to
    let bucket = Self.bucket(clockMilliseconds, bucketMilliseconds)
    guard bucket >= index.bucket else { throw .inconsistent }
    index.advance(to: bucket, at: chunk.to)
    // What came from the journal is in it.
    _ = index.takeNews()
    journal.restart(from: nextOffset, clock: clockMilliseconds)
    return frozen
  }

  private mutating func restoreRows(
    _ chunk: JournalChunkView, head: Int64
  ) throws(JournalCorruption) -> FrozenRange? {
    if chunk.to <= head {
      range = OpenRange(from: chunk.to)
      return nil
    }
    var frozen: FrozenRange?
    if chunk.rangeFrom != range.from {
      guard chunk.rangeFrom == chunk.from else { throw .inconsistent }
      if range.from < chunk.from {
        frozen = FrozenRange(
          from: range.from, to: chunk.from, payloads: range.canonicalPayloads(), rowCount: range.rows.count,
          counters: range.counters,
          clockAtEnd: clockMilliseconds)
      }
      range = OpenRange(from: chunk.rangeFrom)
    }
    try range.restore(chunk, hash: hash)
    return frozen
  }

  // MARK: Sealing

  /// The segments of ended buckets that lie below `head` as a whole, to be sealed by Storage on another queue while the
  /// counter goes on. Each is returned once.
  ///
  /// - Parameters:
  ///   - head: the head that was read back and committed with local state.
  ///   - early: after ``CountStop/memoryFull``: the current bucket too, where nothing beyond `head` is counted.
  public mutating func segmentsToSeal(head: Int64, early: Bool = false) -> [SegmentToSeal] {
    index.segmentsToSeal(head: head, nextOffset: nextOffset, early: early)
  }

  /// Looks the sealed segment up from now on, and gives its table's memory back.
  public mutating func install(_ segment: any SealedSegment) { index.install(segment) }

  /// The earliest bucket that a replay from a place with this clock can need: those before it may be removed.
  ///
  /// - Parameter clockMilliseconds: the clock that the cut of the head states.
  public func earliestBucketNeeded(headClockMilliseconds clockMilliseconds: Int64) -> Int64 {
    Self.bucket(clockMilliseconds, bucketMilliseconds) - DedupIndex.reach
  }

  // MARK: Figures

  /// The first offset of the open range.
  public var rangeFrom: Int64 { range.from }
  /// The counters of the open range.
  public var rangeCounters: RangeCounters { range.counters }
  /// The rows of the open range.
  public var openRows: Int { range.rows.count }
  /// Fingerprints in the window, counted once for each bucket.
  public var dedupKeys: Int { index.count }
  /// Bytes of the dedup index in memory: active tables and filters.
  public var dedupMemoryBytes: Int { index.bytes }
  /// Bytes of active tables: what the memory limit bounds.
  public var dedupActiveBytes: Int { index.activeBytes }
  /// The current bucket.
  public var currentBucket: Int64 { index.bucket }
  /// The clock from which the index has sightings, Unix milliseconds: the start of its earliest bucket.
  public var dedupReachesBackToMilliseconds: Int64 { index.earliestBucket * bucketMilliseconds }
  /// Look-ups in sealed segments, and how many of them the filter could have spared.
  public var sealedLookups: (total: Int64, missed: Int64) { (index.sealedLookups, index.sealedMisses) }
}
