/// A partition machine at one moment, for status pages and metrics.
public struct PartitionPicture: Sendable {
  /// The next offset that will be counted; 0 before recovery.
  public var position: Int64 = 0
  /// The end of the last cut.
  public var head: Int64 = 0
  public var openRows = 0
  /// What happened to the records that this machine has judged, since its counter was made.
  public var totals = RangeCounters()
  /// consumed − (counted + duplicate + quarantined), over all cuts: must be 0.
  public var eventsImbalance: Int64 = 0
  /// By sink that a cut has named: what its conservation equation leaves over, and its rows.
  public var sinks: [String: Sink] = [:]
  public var dedupKeys = 0
  public var dedupMemoryBytes = 0
  /// How far back, by the log's clock, duplicates are recognised.
  public var dedupCoveredMilliseconds: Int64 = 0
  /// Elapsed milliseconds at which the oldest event that is in no cut was read.
  public var oldestOpenReadAt: Int64?

  /// Nothing known yet.
  public init() {}

  public struct Sink: Sendable {
    public var imbalance = Quantity.zero
    public var totals = SinkTotals()
    /// Customers and meters with a carry.
    public var carries = 0
  }
}

extension PartitionMachine {
  /// What the partition looks like now. Costs some microseconds; not for every batch.
  public mutating func picture() -> PartitionPicture {
    var picture = PartitionPicture()
    picture.head = fold.head?.offset ?? 0
    picture.position = picture.head
    if let next = counter?.nextOffset { picture.position = next }
    if let rows = counter?.openRows { picture.openRows = rows }
    if let totals = counter?.totals { picture.totals = totals }
    if let keys = counter?.dedupKeys { picture.dedupKeys = keys }
    if let bytes = counter?.dedupMemoryBytes { picture.dedupMemoryBytes = bytes }
    if let reach = counter?.dedupReachesBackToMilliseconds, let clock = counter?.clockMilliseconds, clock > 0 {
      picture.dedupCoveredMilliseconds = max(0, clock - reach)
    }
    picture.eventsImbalance = fold.eventsImbalance
    picture.oldestOpenReadAt = oldestOpenReadAt
    for sink in fold.sinks.values {
      picture.sinks[sink.name] = .init(
        imbalance: fold.conservation(sink: sink.name) ?? .zero, totals: sink.totals, carries: sink.carry.count)
    }
    return picture
  }
}
