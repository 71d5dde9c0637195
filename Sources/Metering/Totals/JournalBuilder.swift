/// What has changed since the last commit: filled by the worker, swapped out whole.
package struct JournalBuilder: ~Copyable {
  private var from: Int64
  private var clockAtStart: Int64
  /// Chunks that a cut has ended, waiting for the commit.
  private var ended: [JournalChunk] = []

  package init(from: Int64, clock: Int64) {
    self.from = from
    clockAtStart = clock
  }

  /// Ends the chunk at `to`; nothing where nothing has happened since the last one.
  package mutating func endChunk(to: Int64, clock: Int64, index: inout DedupIndex, range: inout OpenRange) {
    if to == from { return }
    let (rows, strings) = range.takeChanges()
    ended.append(
      JournalChunk(
        from: from, to: to, rangeFrom: range.from, clockAtStart: clockAtStart, clockAtEnd: clock,
        counters: range.counters, sightings: index.takeNews(), rows: rows, strings: strings))
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

  /// Sightings of the chunks that wait.
  package var pendingSightings: Int { ended.reduce(0) { $0 + $1.sightings } }
}
