/// What one piece of counting changed, as it goes into the journal: new sightings in offset order, rows touched with
/// their absolute values, new strings, counters and clock at its end.
///
/// A chunk never spans a cut, so the state at any own head is found again by dropping the chunks after it. Its bytes are
/// written by ``encode(into:)`` and read back by ``JournalChunkView``.
public struct JournalChunk: Sendable {
  /// New sightings of one bucket that follow one another in the chunk.
  package struct Group: Hashable, Sendable {
    package var bucket: Int64
    package var count: Int64
  }

  /// The chunk's first offset.
  public let from: Int64
  /// The offset after its last: where counting goes on.
  public let to: Int64
  /// The first offset of the range whose rows it holds.
  public let rangeFrom: Int64
  /// The log's clock before the chunk's first record, Unix milliseconds.
  public let clockAtStart: Int64
  /// The log's clock after its last record, Unix milliseconds.
  public let clockAtEnd: Int64
  /// The counters of the range up to `to`.
  public let counters: RangeCounters
  package let groups: [Group]
  /// The sightings of all groups, as their tables hold them.
  private let entries: [EntrySlice]
  /// Rows as ``JournalRow`` words.
  package let rows: [UInt64]
  package let strings: JournalStrings

  /// The number of new sightings.
  public let sightings: Int
  package init(
    from: Int64, to: Int64, rangeFrom: Int64, clockAtStart: Int64, clockAtEnd: Int64, counters: RangeCounters,
    sightings: [(bucket: Int64, entries: EntrySlice)], rows: [UInt64], strings: JournalStrings
  ) {
    self.from = from
    self.to = to
    self.rangeFrom = rangeFrom
    self.clockAtStart = clockAtStart
    self.clockAtEnd = clockAtEnd
    self.counters = counters
    self.rows = rows
    self.strings = strings
    entries = sightings.map(\.entries)
    groups = sightings.map { Group(bucket: $0.bucket, count: Int64($0.entries.count)) }
    self.sightings = entries.reduce(0) { $0 + $1.count }
  }

  /// Each bucket in which the chunk made sightings.
  public var buckets: [Int64] { groups.map(\.bucket) }

  /// The bytes that ``encode(into:)`` writes.
  public var byteCount: Int {
    JournalFormat.headerBytes + groups.count * 16 + sightings * MemoryLayout<DedupEntry>.stride + rows.count * 8
      + strings.bytes.count
  }

  /// Writes the chunk with its checksum into `target`, which has ``byteCount`` bytes.
  public func encode(into target: UnsafeMutableRawBufferPointer) {
    precondition(target.count == byteCount, "the target must have byteCount bytes")
    var at = 0
    func put(_ word: UInt64) {
      target.storeBytes(of: word.littleEndian, toByteOffset: at, as: UInt64.self)
      at += 8
    }
    func put(_ word: Int64) { put(UInt64(bitPattern: word)) }
    func put(_ bytes: UnsafeRawBufferPointer) {
      UnsafeMutableRawBufferPointer(rebasing: target[at..<at + bytes.count]).copyMemory(from: bytes)
      at += bytes.count
    }
    put(JournalFormat.magic)
    put(UInt64(0))  // the checksum's place
    for word in [Int64(byteCount), from, to, rangeFrom, clockAtStart, clockAtEnd] { put(word) }
    for count in [groups.count, sightings, rows.count / JournalRow.words, strings.bytes.count] {
      put(UInt64(count))
    }
    for count in [strings.customers, strings.features, strings.dimensions] { put(UInt64(count)) }
    for word in JournalFormat.words(of: counters) { put(word) }
    for group in groups {
      put(group.bucket)
      put(group.count)
    }
    for slice in entries { slice.withBytes { put($0) } }
    rows.withUnsafeBytes { put($0) }
    strings.bytes.withUnsafeBytes { put($0) }
    assert(at == byteCount)
    let checksum = Checksum64.of(UnsafeRawBufferPointer(rebasing: target[16...]))
    target.storeBytes(of: checksum.littleEndian, toByteOffset: 8, as: UInt64.self)
  }
}

/// The strings that a chunk introduces, each with its length (32 bits, little-endian) in front: customers, features,
/// dimensions, in the order of their numbers.
package struct JournalStrings: Sendable {
  package var bytes: [UInt8] = []
  package var customers = 0
  package var features = 0
  package var dimensions = 0

  package mutating func append(_ string: UnsafeRawBufferPointer) {
    let count = UInt32(string.count)
    for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
    bytes.append(contentsOf: string)
  }
}

/// One row in a chunk: seven words.
package enum JournalRow {
  package static let words = 7

  package static func write(_ row: borrowing OpenTotal, to words: UnsafeMutableBufferPointer<UInt64>, at place: Int) {
    words.initializeElement(at: place, to: UInt64(row.customer) | UInt64(row.feature) << 32)
    words.initializeElement(at: place + 1, to: UInt64(row.dimensions))
    words.initializeElement(at: place + 2, to: UInt64(bitPattern: row.slotStart))
    words.initializeElement(at: place + 3, to: UInt64(bitPattern: row.events))
    words.initializeElement(at: place + 4, to: UInt64(truncatingIfNeeded: row.units))
    words.initializeElement(at: place + 5, to: UInt64(truncatingIfNeeded: row.units >> 64))
    words.initializeElement(at: place + 6, to: UInt64(bitPattern: row.greatestTime))
  }

  package static func row(_ word: (Int) -> UInt64) -> OpenTotal {
    var row = OpenTotal(
      customer: UInt32(truncatingIfNeeded: word(0)), feature: UInt32(truncatingIfNeeded: word(0) >> 32),
      dimensions: UInt32(truncatingIfNeeded: word(1)), slotStart: Int64(bitPattern: word(2)))
    row.events = Int64(bitPattern: word(3))
    row.units = Int128(truncatingIfNeeded: word(5)) << 64 | Int128(word(4))
    row.greatestTime = Int64(bitPattern: word(6))
    return row
  }
}

/// Numbers of the chunk's layout.
package enum JournalFormat {
  /// "mtrjrnl" and the format's version. A change of any hash that stands in a chunk is a new version, too.
  package static let magic: UInt64 = 0x016c_6e72_6a72_746d
  package static let counterWords = 6 + QuarantineReason.allCases.count
  /// Magic, checksum, 6 places, 4 counts, 3 string counts, counters.
  package static let headerBytes = (2 + 6 + 4 + 3 + counterWords) * 8

  package static func words(of counters: RangeCounters) -> [Int64] {
    [
      counters.consumed, counters.counted, counters.duplicate, counters.holesVerified, counters.holesUnverified,
      counters.keyMismatches,
    ] + counters.quarantined
  }

  package static func counters(_ word: (Int) -> Int64) -> RangeCounters {
    var counters = RangeCounters()
    counters.consumed = word(0)
    counters.counted = word(1)
    counters.duplicate = word(2)
    counters.holesVerified = word(3)
    counters.holesUnverified = word(4)
    counters.keyMismatches = word(5)
    for reason in counters.quarantined.indices { counters.quarantined[reason] = word(6 + reason) }
    return counters
  }
}
