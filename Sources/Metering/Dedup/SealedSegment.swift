/// What a look-up in a sealed segment found.
public enum SegmentAnswer: Sendable {
  /// The segment does not hold the fingerprint.
  case absent
  /// It does, with this payload check.
  case present(check: UInt32)
  /// The segment could not be read (it has kept the reason): the counter stops, since guessing would cost money.
  case unreadable
}

/// A part of a dedup bucket that has left the active tables. Metering asks it only where its filter says so, which is
/// rare; how it is stored is Storage's business.
///
/// Look-ups come from the one worker that owns the counter.
public protocol SealedSegment: AnyObject, Sendable {
  /// Names the segment; within a bucket a smaller number was sighted earlier.
  var identifier: UInt64 { get }
  /// Its bucket.
  var bucket: Int64 { get }
  /// All sightings of the bucket at offsets below this one are in this segment or in earlier ones of the bucket.
  var throughOffset: Int64 { get }
  /// The fingerprints that it holds.
  var count: Int { get }
  /// Its filter.
  var filter: SegmentFilter { get }
  /// Looks a fingerprint up.
  func look(up fingerprint: Fingerprint) -> SegmentAnswer
}

/// A segment that is ready to be sealed: complete, and all of it below the head that was read back.
public struct SegmentToSeal: Sendable {
  /// Names the segment; the sealed one takes it over.
  public let identifier: UInt64
  /// Its bucket.
  public let bucket: Int64
  /// The head below which all of its sightings are.
  public let throughOffset: Int64
  package let frozen: FrozenTable

  /// The fingerprints that it holds.
  public var count: Int { frozen.table.count }

  /// Calls `body` with every entry, in fingerprint order.
  public func forEachSorted<Failure: Error>(_ body: (DedupEntry) throws(Failure) -> Void) throws(Failure) {
    try frozen.table.forEachSorted(body)
  }
}
