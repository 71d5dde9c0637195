internal import CHotPath

/// Every sighting of the dedup window of one partition: the open table of the current bucket, and the segments before
/// it, frozen in memory or sealed.
///
/// The rule (DESIGN.md): an event in bucket k is a duplicate if any bucket in k−8 … k holds its fingerprint; the payload
/// to compare with is that of the earliest such bucket. Each event makes a sighting in its own bucket, so repeats extend
/// the window. A bucket may consist of several segments where memory was short; each fingerprint is in one of them.
package struct DedupIndex: ~Copyable {
  /// How many buckets before the current one still count.
  package static let reach: Int64 = 8

  /// A segment before the open one, as the hot path reads it: ordered by bucket, then by identifier.
  private struct Probe {
    var bucket: Int64
    /// The filter of a sealed segment; `nil`: the segment is frozen in memory.
    var words: UnsafePointer<UInt64>?
    var lines: Int
    /// Where to look on a filter hit; the owner is in ``earlier`` at the same index.
    var segment: Unmanaged<AnyObject>
  }

  private enum Content {
    case frozen(FrozenTable, endOffset: Int64, sealing: Bool)
    case sealed(any SealedSegment)
  }

  private struct Earlier {
    var identifier: UInt64
    var bucket: Int64
    var content: Content
  }

  private var open: DedupTable
  /// The current bucket.
  package private(set) var bucket: Int64
  private var earlier: [Earlier] = []
  private var probes: UnsafeMutablePointer<Probe>
  private var probeCount = 0
  /// Whether a segment before the open one belongs to the current bucket.
  private var isCurrentBucketSplit = false
  private var nextIdentifier: UInt64 = 1
  /// New entries of tables that are frozen since, for the journal, with their buckets.
  private var frozenNews: [(bucket: Int64, entries: EntrySlice)] = []
  /// How many entries of the open table the journal has or need not have.
  private var journaled = 0

  /// Most bytes of active tables, frozen ones among them; a table of the least size is always allowed.
  package var memoryLimit: Int
  /// The least number of homes of a table.
  private let leastCapacity: Int
  /// How often a filter sent a look-up to a sealed segment, and how often that found nothing.
  package private(set) var sealedLookups: Int64 = 0
  package private(set) var sealedMisses: Int64 = 0

  /// - Parameter leastCapacity: less than the usual, for tests that want few sightings to fill a table.
  package init(
    bucket: Int64, memoryLimit: Int, sealed: [any SealedSegment] = [], leastCapacity: Int = DedupTable.leastCapacity
  ) {
    self.bucket = bucket
    self.memoryLimit = memoryLimit
    self.leastCapacity = leastCapacity
    open = DedupTable(capacity: leastCapacity, growingTo: memoryLimit)
    probes = .allocate(capacity: 1)
    for segment in sealed {
      nextIdentifier = max(nextIdentifier, segment.identifier + 1)
      // A folder may hold what has left the window since, where its process ended before it was removed.
      guard segment.bucket >= bucket - Self.reach else { continue }
      earlier.append(Earlier(identifier: segment.identifier, bucket: segment.bucket, content: .sealed(segment)))
    }
    rebuildProbes()
  }

  deinit { probes.deallocate() }

  // MARK: The hot path

  /// Asks for the memory that ``sight(_:check:)`` will read for a fingerprint.
  @inline(__always) package func prefetch(_ fingerprint: Fingerprint) {
    open.prefetch(fingerprint)
    for index in 0..<probeCount {
      if let words = probes[index].words {
        SegmentFilter.prefetch(fingerprint, words: words, lines: probes[index].lines)
      }
    }
  }

  package enum Sighting {
    /// The first within the window.
    case first
    /// Seen before in the window, with this check.
    case repeated(check: UInt32)
    case unreadable
  }

  /// Judges one event of the current bucket and makes its sighting.
  @inline(__always) package mutating func sight(_ fingerprint: Fingerprint, check: UInt32) -> Sighting {
    if probeCount == 0 {
      guard let known = open.checkOrInsert(fingerprint, check: check) else { return .first }
      return .repeated(check: known)
    }
    switch lookEarlier(fingerprint) {
    case .absent:
      guard let known = open.checkOrInsert(fingerprint, check: check) else { return .first }
      return .repeated(check: known)
    case .current(let known):
      return .repeated(check: known)
    case .before(let known):
      // The repeat extends the window: this bucket holds it, too.
      _ = open.checkOrInsert(fingerprint, check: check)
      return .repeated(check: known)
    case .unreadable:
      return .unreadable
    }
  }

  private enum Found {
    case absent
    /// In the window, but not in a split-off segment of the current bucket.
    case before(UInt32)
    /// The current bucket holds it already in a segment of its own; the check is the earliest bucket's.
    case current(UInt32)
    case unreadable
  }

  /// Looks through the segments before the open one, earliest first.
  @inline(__always) private mutating func lookEarlier(_ fingerprint: Fingerprint) -> Found {
    var earliest: UInt32?
    var index = 0
    while index < probeCount {
      let probe = probes[index]
      index &+= 1
      // With a hit in hand only the current bucket's own segments still matter.
      if earliest != nil, probe.bucket != bucket { continue }
      let check: UInt32
      if let words = probe.words {
        if !SegmentFilter.mayContain(fingerprint, words: words, lines: probe.lines) { continue }
        switch lookSealed(index &- 1, fingerprint) {
        case .absent: continue
        case .present(let known): check = known
        case .unreadable: return .unreadable
        }
      } else {
        let table = Unmanaged<FrozenTable>.fromOpaque(probe.segment.toOpaque())
        guard let known = table._withUnsafeGuaranteedRef({ $0.table.check(of: fingerprint) }) else { continue }
        check = known
      }
      if probe.bucket == bucket { return .current(earliest ?? check) }
      earliest = check
      if !isCurrentBucketSplit { break }
    }
    return earliest.map { .before($0) } ?? .absent
  }

  @inline(never) private mutating func lookSealed(_ index: Int, _ fingerprint: Fingerprint) -> SegmentAnswer {
    guard case .sealed(let segment) = earlier[index].content else { return .unreadable }
    sealedLookups += 1
    let answer = segment.look(up: fingerprint)
    if case .absent = answer { sealedMisses += 1 }
    return answer
  }

  // MARK: Room

  /// Whether so many more sightings may be made; grows the open table where the limit allows it.
  @inline(__always) package mutating func ensureRoom(for more: Int) -> Bool {
    open.hasRoom(for: more) || makeRoom(for: more)
  }

  @inline(never) private mutating func makeRoom(for more: Int) -> Bool {
    while !open.hasRoom(for: more) {
      if !grow() { return false }
    }
    return true
  }

  private mutating func grow() -> Bool {
    // An empty table may always grow: whatever the limit is, counting must be able to go on after sealing.
    if open.count > 0, activeBytes(withOpen: open.bytesAfterDoubling()) > memoryLimit { return false }
    if !open.canDouble() { return false }
    open.grow()
    return true
  }

  /// What is populated of one table at most: on a machine whose memory must first be found elsewhere (a virtual one) that
  /// is a matter of half a second.
  private static let populated = 128 << 20

  /// Makes room at once for sightings that are known to come, as far as half of the memory limit goes, and has its memory
  /// given before the first of them: a table that grows under a backlog moves every sighting once for each that it
  /// keeps, and waits for each page. They may belong to later buckets; then the room is not used.
  package mutating func expect(_ sightings: Int) {
    let sightings = min(sightings, DedupTable.greatestCapacity)
    var times = open.doublings(for: sightings)
    while times > 0, activeBytes(withOpen: open.bytesAfterDoubling(times: times)) > memoryLimit / 2 { times -= 1 }
    if times > 0 { open.grow(times: times) }
    open.populate(for: sightings, most: Self.populated)
  }

  // MARK: Segments

  /// Moves to a later bucket, at the offset of its first record. Buckets out of reach are dropped.
  @inline(never) package mutating func advance(to later: Int64, at offset: Int64) {
    precondition(later >= bucket, "buckets follow the log's clock, which never goes back")
    if later == bucket { return }
    freezeOpen(endOffset: offset)
    bucket = later
    earlier.removeAll { $0.bucket < later - Self.reach }
    rebuildProbes()
  }

  private mutating func freezeOpen(endOffset: Int64) {
    if open.count == 0 { return }
    if open.count > journaled { frozenNews.append((bucket, EntrySlice(open.log, from: journaled, to: open.count))) }
    journaled = 0
    var full = DedupTable(capacity: leastCapacity, growingTo: memoryLimit)
    swap(&full, &open)
    full.trim()
    earlier.append(
      Earlier(
        identifier: nextIdentifier, bucket: bucket,
        content: .frozen(FrozenTable(full), endOffset: endOffset, sealing: false)))
    nextIdentifier += 1
  }

  /// The segments that are complete below `head` and not being sealed yet; they count as being sealed from here on.
  ///
  /// With `early` the open table is split off too, provided that nothing has been counted beyond `head`: that is how
  /// memory is gained within a bucket.
  package mutating func segmentsToSeal(head: Int64, nextOffset: Int64, early: Bool) -> [SegmentToSeal] {
    if early, nextOffset <= head, open.count > 0 {
      freezeOpen(endOffset: nextOffset)
      rebuildProbes()
    }
    var ready: [SegmentToSeal] = []
    for index in earlier.indices {
      guard case .frozen(let table, let endOffset, false) = earlier[index].content, endOffset <= head else { continue }
      earlier[index].content = .frozen(table, endOffset: endOffset, sealing: true)
      ready.append(
        SegmentToSeal(
          identifier: earlier[index].identifier, bucket: earlier[index].bucket, throughOffset: head, frozen: table))
    }
    return ready
  }

  /// Puts a sealed segment in the place of the table that it was made from; one that has left the window meanwhile is
  /// ignored.
  package mutating func install(_ segment: any SealedSegment) {
    guard let index = earlier.firstIndex(where: { $0.identifier == segment.identifier }) else { return }
    earlier[index].content = .sealed(segment)
    rebuildProbes()
  }

  private mutating func rebuildProbes() {
    earlier.sort { $0.bucket != $1.bucket ? $0.bucket < $1.bucket : $0.identifier < $1.identifier }
    isCurrentBucketSplit = earlier.last?.bucket == bucket
    probes.deallocate()
    probes = .allocate(capacity: max(1, earlier.count))
    probeCount = earlier.count
    for (index, segment) in earlier.enumerated() {
      // Unretained: `earlier` holds each object for as long as its probe exists.
      let probe =
        switch segment.content {
        case .frozen(let table, _, _):
          Probe(bucket: segment.bucket, words: nil, lines: 0, segment: .passUnretained(table))
        case .sealed(let sealed):
          Probe(
            bucket: segment.bucket, words: UnsafePointer(sealed.filter.words), lines: sealed.filter.lines,
            segment: .passUnretained(sealed))
        }
      (probes + index).initialize(to: probe)
    }
  }

  // MARK: The journal

  /// The sightings since the last call, bucket by bucket in order; each is returned once.
  package mutating func takeNews() -> [(bucket: Int64, entries: EntrySlice)] {
    var news = frozenNews
    frozenNews = []
    if open.count > journaled { news.append((bucket, EntrySlice(open.log, from: journaled, to: open.count))) }
    journaled = open.count
    return news
  }

  /// How many sightings ``takeNews()`` would return.
  package var newsCount: Int { frozenNews.reduce(open.count - journaled) { $0 + $1.entries.count } }

  // MARK: Restoring and looking

  /// Holds an entry of the journal in the current bucket, as its sighting did.
  package mutating func restore(_ entry: DedupEntry) {
    _ = open.checkOrInsert(entry.fingerprint, check: entry.check)
  }

  /// The offset below which the sightings of a bucket are in sealed segments, or `nil` where it has none.
  package func sealedThrough(bucket: Int64) -> Int64? {
    earlier.reduce(nil) { through, segment in
      guard segment.bucket == bucket, case .sealed(let sealed) = segment.content else { return through }
      return max(through ?? sealed.throughOffset, sealed.throughOffset)
    }
  }

  /// Bytes of active tables, the open one as it will be when it grows next: what the memory limit bounds.
  package var activeBytes: Int { activeBytes(withOpen: open.bytesWhenFull) }

  private func activeBytes(withOpen bytes: Int) -> Int {
    earlier.reduce(bytes) { sum, segment in
      if case .frozen(let table, _, _) = segment.content { sum + table.table.bytes } else { sum }
    }
  }

  /// Bytes of memory in use: active tables and filters.
  package var bytes: Int {
    earlier.reduce(open.bytes) { sum, segment in
      switch segment.content {
      case .frozen(let table, _, _): sum + table.table.bytes
      case .sealed(let sealed): sum + sealed.filter.bytes.count
      }
    }
  }

  /// Fingerprints held, counted once for each bucket.
  package var count: Int {
    earlier.reduce(open.count) { sum, segment in
      switch segment.content {
      case .frozen(let table, _, _): sum + table.table.count
      case .sealed(let sealed): sum + sealed.count
      }
    }
  }

  /// The earliest bucket with a sighting; the current one where there are no earlier ones.
  package var earliestBucket: Int64 { earlier.first?.bucket ?? bucket }
  /// Segments before the open table.
  package var segmentCount: Int { earlier.count }
}
