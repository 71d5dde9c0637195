internal import Dispatch
internal import Kafka

/// Looks at offset holes a second time, with a consumer of its own: are there really no committed records in them?
///
/// Holes are normal where producers are transactional (control records, aborted data). A record in one would mean that
/// the first reader has skipped it, which must stop the partition. One look goes through all holes of a batch in one
/// read, so that many small transactions cost one start of a stream, not thousands.
final class GapReader: Sendable {
  /// What a look at one hole found.
  enum Finding: Equatable {
    /// No committed record lies in it.
    case verified
    /// A committed record lies at this offset.
    case recordFound(Int64)
    /// The time was up, or the broker did not answer, before it could be seen.
    case unverified
  }

  private let reader: ReaderHandle
  private let topic: String

  /// A reader for holes of `topic`. `properties` are those of the usage readers.
  init(topic: String, properties: ClientProperties, observer: ClientObserver) throws(KafkaError) {
    var properties = properties
    properties["isolation.level"] = "read_committed"
    properties["queued.min.messages"] = "10000"
    properties["enable.partition.eof"] = "true"
    reader = try ReaderHandle(properties: properties, observer: observer)
    self.topic = topic
  }

  /// Ends it; no look may be going on.
  func close() { reader.close() }

  /// Reads the holes' offsets once more; blocks for at most some `budgetMilliseconds`.
  ///
  /// - Parameter holes: ranges [from, to) in ascending order, without overlap; each had a record behind it.
  /// - Returns: one finding for each hole. After a record was found the later ones are unverified.
  func look(partition: Int32, holes: [Range<Int64>], budgetMilliseconds: Int64) -> [Finding] {
    var findings = [Finding](repeating: .unverified, count: holes.count)
    guard let first = holes.first, budgetMilliseconds > 0 else { return findings }
    let deadline = Clock.elapsedMilliseconds() + budgetMilliseconds
    // A look that cannot be made is an answer of its own, "unverified", and counted as such: not an error.
    guard let stream = try? reader.start(topic: topic, partition: partition, offset: .offset(first.lowerBound))
    else { return findings }
    defer { stream.stop() }
    var batch = MessageBatch(capacity: 10_000)
    var scan = HoleScan(holes: holes)
    while true {
      let left = deadline - Clock.elapsedMilliseconds()
      guard left > 0, (try? stream.read(into: &batch, timeoutMilliseconds: Int32(min(left, 1_000)))) != nil else {
        break
      }
      for index in 0..<batch.count {
        let message = batch[index]
        if message.isRecord {
          scan.record(at: message.offset)
        } else if message.code == .partitionEOF {
          scan.reached(message.offset)
        } else {
          scan.isOver = true
        }
        if scan.isOver { break }
      }
      if scan.isOver { break }
    }
    for (index, finding) in scan.findings.enumerated() { findings[index] = finding }
    return findings
  }
}

/// Compares the offsets that a second reader sees, in order, with holes. Pure.
struct HoleScan {
  let holes: [Range<Int64>]
  /// The findings so far, for the first holes.
  private(set) var findings: [GapReader.Finding] = []
  /// Whether there is nothing left to look for.
  var isOver = false

  /// A scan from the first hole's begin on.
  init(holes: [Range<Int64>]) {
    self.holes = holes
    isOver = holes.isEmpty
  }

  /// The reader saw a record here, and none between the last one and this.
  mutating func record(at offset: Int64) {
    while !isOver, holes[findings.count].upperBound <= offset { verified() }
    guard !isOver, holes[findings.count].contains(offset) else { return }
    findings.append(.recordFound(offset))
    isOver = true
  }

  /// The reader saw that no record lies below this offset.
  mutating func reached(_ offset: Int64) {
    while !isOver, holes[findings.count].upperBound <= offset { verified() }
  }

  private mutating func verified() {
    findings.append(.verified)
    isOver = findings.count == holes.count
  }
}
