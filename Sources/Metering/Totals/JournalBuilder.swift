/// What has changed since the last commit: filled by the worker, swapped out whole.
package struct JournalBuilder: ~Copyable {
  private var from: Int64
  private var clockAtStart: Int64
  private var entries = EntryBuffer()
  private var groups: [JournalChunk.Group] = []
  private var grouped = 0
  /// Chunks that a cut has ended, waiting for the commit.
  private var ended: [JournalChunk] = []

  package init(from: Int64, clock: Int64) {
    self.from = from
    clockAtStart = clock
  }

  /// Makes room for a block's sightings.
  @inline(__always) package func reserve(_ more: Int) { entries.reserve(more) }

  /// Adds a sighting of the current bucket.
  @inline(__always) package func append(_ entry: DedupEntry) { entries.append(entry) }

  /// Ends the sightings of a bucket.
  package mutating func endGroup(bucket: Int64) {
    if entries.count > grouped {
      groups.append(JournalChunk.Group(bucket: bucket, count: Int64(entries.count - grouped)))
      grouped = entries.count
    }
  }

  /// Ends the chunk at `to`; nothing where nothing has happened since the last one.
  package mutating func endChunk(to: Int64, clock: Int64, bucket: Int64, range: inout OpenRange) {
    endGroup(bucket: bucket)
    if to == from { return }
    let (rows, strings) = range.takeChanges()
    ended.append(
      JournalChunk(
        from: from, to: to, rangeFrom: range.from, clockAtStart: clockAtStart, clockAtEnd: clock,
        counters: range.counters, groups: groups, entries: entries, rows: rows, strings: strings))
    // As much again is likely; what is not touched costs nothing.
    entries = EntryBuffer(capacity: entries.count + entries.count / 8)
    groups = []
    grouped = 0
    from = to
    clockAtStart = clock
  }

  /// The chunks that wait for a commit.
  package mutating func take() -> [JournalChunk] {
    let chunks = ended
    ended = []
    return chunks
  }

  /// Begins anew at a place that the journal already holds.
  package mutating func restart(from: Int64, clock: Int64) { self = JournalBuilder(from: from, clock: clock) }

  /// Sightings not yet taken.
  package var pendingSightings: Int { ended.reduce(entries.count) { $0 + $1.sightings } }
}
