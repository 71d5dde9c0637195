import Metering

/// A storage folder in memory, with the rules of the real one: what is in it survives a crash of the process; a copy of
/// it is an old folder.
struct SimulatedDisk {
  struct Chunk {
    var bytes: [UInt8]
    var from: Int64
    var to: Int64
    var buckets: [Int64]
  }

  private(set) var chunks: [Chunk] = []
  private var state: LocalSummary?
  private(set) var segments: [SimulatedSegment] = []
  private var expiredBefore = Int64.min

  /// The usage offset that its index begins at, where a person has accepted that no more is retained.
  var retainedFrom = Int64.min

  /// What the folder says of itself.
  var summary: LocalSummary? {
    guard var state else { return nil }
    state.nextOffset = chunks.last?.to ?? state.headOffset
    return state
  }

  /// What is wrong with the command, in words; nil where it was carried out.
  mutating func commit(_ new: [JournalChunk], _ state: LocalSummary) -> String? {
    for chunk in new {
      if let last = chunks.last, last.to != chunk.from {
        return "the journal ends at \(last.to), the chunk begins at \(chunk.from)"
      }
      let bytes = [UInt8](unsafeUninitializedCapacity: chunk.byteCount) { buffer, count in
        chunk.encode(
          into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<chunk.byteCount]))
        count = chunk.byteCount
      }
      chunks.append(Chunk(bytes: bytes, from: chunk.from, to: chunk.to, buckets: chunk.buckets))
    }
    self.state = state
    trim()
    return nil
  }

  /// What is wrong with the segment, in words.
  mutating func add(_ segment: SimulatedSegment) -> String? {
    let durable = min(chunks.last?.to ?? .min, state?.headOffset ?? .min)
    guard segment.throughOffset <= durable else {
      return "a segment through \(segment.throughOffset), the folder is durable through \(durable)"
    }
    segments.append(segment)
    segments.sort { ($0.bucket, $0.identifier) < ($1.bucket, $1.identifier) }
    trim()
    return nil
  }

  mutating func expire(below bucket: Int64) {
    expiredBefore = max(expiredBefore, bucket)
    segments.removeAll { $0.bucket < bucket }
    trim()
  }

  /// Drops what lies beyond the head that the state names.
  mutating func cutBack() -> String? {
    let head = state?.headOffset ?? .min
    while let last = chunks.last, last.from >= head { chunks.removeLast() }
    if let last = chunks.last, last.to > head { return "a chunk spans the head at \(head)" }
    return nil
  }

  /// As the real folder: chunks go from the front when their rows are in a cut that was read back, and their sightings
  /// are sealed or have left the window.
  private mutating func trim() {
    guard let head = state?.headOffset else { return }
    var removed = 0
    while removed + 1 < chunks.count, chunks[removed].to <= head, chunks[removed + 1].to <= head,
      chunks[removed].buckets.allSatisfy({ isDone($0, through: chunks[removed].to) })
    {
      removed += 1
    }
    chunks.removeFirst(removed)
  }

  private func isDone(_ bucket: Int64, through offset: Int64) -> Bool {
    bucket < expiredBefore || segments.contains { $0.bucket == bucket && $0.throughOffset >= offset }
  }
}

/// A sealed segment in memory. Its filter says yes far too often, so that look-ups are exercised.
final class SimulatedSegment: SealedSegment {
  let identifier: UInt64
  let bucket: Int64
  let throughOffset: Int64
  let filter: SegmentFilter
  private let checks: [Fingerprint: UInt32]

  var count: Int { checks.count }

  init(_ segment: SegmentToSeal) {
    identifier = segment.identifier
    bucket = segment.bucket
    throughOffset = segment.throughOffset
    let filter = SegmentFilter(keys: 1)
    self.filter = filter
    var checks: [Fingerprint: UInt32] = [:]
    segment.forEachSorted { entry in
      checks[entry.fingerprint] = entry.check
      filter.insert(entry.fingerprint)
    }
    self.checks = checks
  }

  func look(up fingerprint: Fingerprint) -> SegmentAnswer {
    checks[fingerprint].map { .present(check: $0) } ?? .absent
  }
}
