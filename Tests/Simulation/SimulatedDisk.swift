import Metering

/// A storage folder in memory: what is in it survives a crash of the process; a copy of it is an old folder.
struct SimulatedDisk {
  var chunks: [[UInt8]] = []
  var state: LocalSummary?
  var segments: [SimulatedSegment] = []

  mutating func commit(_ new: [JournalChunk], _ state: LocalSummary) {
    for chunk in new {
      chunks.append(
        [UInt8](unsafeUninitializedCapacity: chunk.byteCount) { buffer, count in
          chunk.encode(
            into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<chunk.byteCount]))
          count = chunk.byteCount
        })
    }
    self.state = state
  }

  /// Drops what lies beyond the head that the state names.
  mutating func cutBack() {
    guard let head = state?.headOffset else { return }
    chunks.removeAll { bytes in Self.range(of: bytes).to > head }
    state?.nextOffset = head
  }

  mutating func expire(below bucket: Int64) { segments.removeAll { $0.bucket < bucket } }

  static func range(of bytes: [UInt8]) -> (from: Int64, to: Int64, rangeFrom: Int64, clock: Int64) {
    bytes.withUnsafeBytes { raw in
      do {
        let view = try JournalChunkView(raw)
        return (view.from, view.to, view.rangeFrom, view.clockAtEnd)
      } catch {
        preconditionFailure("a chunk that was committed cannot be read: \(error)")
      }
    }
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
