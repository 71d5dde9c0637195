internal import Metering

/// One row on its way. A class, since it is reached from heaps, batches and its partition at once; it is confined to
/// its machine.
final class DeliveryRow {
  enum Stage {
    /// In the ready heap, or behind another row of its lane.
    case ready
    /// In a SENDING that was asked for or stands; not yet sent.
    case planned
    case inFlight
    /// Waits for `notBefore` after a failure.
    case backingOff
    /// Its timestamp is further ahead than the provider takes.
    case waiting
    /// In doubt, and not to be touched before `notBefore`.
    case held
    /// The circuit's probe between two attempts.
    case probe
    /// Of a draining partition: not sent any more.
    case shelved
    /// Settled, parked, uncertain, or its partition is closed.
    case gone
  }

  /// Which of its partition's counters it is in.
  enum Category {
    /// Holds up the next claim.
    case blocking
    case deferred, waiting, held
  }

  let partition: PartitionDelivery
  let row: SinkRow
  let lane: Lane?
  var stage = Stage.ready
  var category = Category.blocking
  var doubt: Doubt?
  var failures = 0
  var firstFailureAt: Int64?
  var isDeferred = false
  /// The ledger has its outcome already: it is forgotten as soon as its attempt is over.
  var isDecided = false
  var notBefore: Int64 = 0
  /// The largest batch that it may be part of: shrinks when its batch is refused as a whole.
  var largestBatch: Int
  /// The last failure's code, for people.
  var lastCode = "outcome_unknown"

  init(partition: PartitionDelivery, row: SinkRow, lane: Lane?, largestBatch: Int) {
    self.partition = partition
    self.row = row
    self.lane = lane
    self.doubt = row.doubt
    self.largestBatch = largestBatch
  }

  /// Never attempted by us in this process, and not in doubt from before.
  var isFresh: Bool { failures == 0 && doubt == nil }

  /// Oldest timestamp first; ties by partition and place, so that runs repeat.
  static func precedes(_ left: DeliveryRow, _ right: DeliveryRow) -> Bool {
    if left.row.timestampMilliseconds != right.row.timestampMilliseconds {
      return left.row.timestampMilliseconds < right.row.timestampMilliseconds
    }
    if left.partition.number != right.partition.number { return left.partition.number < right.partition.number }
    return left.row.reference < right.row.reference
  }
}

/// The rows of one customer and meter, across partitions, where only one may be in flight.
final class Lane {
  struct Key: Hashable {
    var customer: [UInt8]
    var meter: [UInt8]
  }
  let key: Key
  /// One of its rows has a SENDING or is in flight.
  var isBusy = false
  /// Rows that were due while it was busy.
  var queued = BinaryHeap<DeliveryRow>(precedes: DeliveryRow.precedes)
  /// Rows that exist; with none the lane is forgotten.
  var rows = 0

  init(key: Key) { self.key = key }
}

/// Rows of one partition that go into one request.
final class Batch {
  let partition: PartitionDelivery
  var rows: [DeliveryRow]
  /// The least of its rows' `largestBatch`.
  var limit: Int
  var bytes = 0
  let isProbe: Bool
  /// The SENDING that permits it, once that stands.
  var grant: Grant?

  init(partition: PartitionDelivery, first: DeliveryRow, isProbe: Bool = false) {
    self.partition = partition
    self.rows = [first]
    self.limit = first.largestBatch
    self.isProbe = isProbe
  }
}

/// A SENDING that stands.
final class Grant {
  let identity: RecordIdentity
  let ledgerMilliseconds: Int64
  /// Elapsed milliseconds before its append was asked for: the lease counts from here.
  let requestedAt: Int64
  let account: String
  /// Rows whose attempt has no outcome yet.
  var outstanding: Int

  init(
    identity: RecordIdentity, ledgerMilliseconds: Int64, requestedAt: Int64, account: String, outstanding: Int
  ) {
    self.identity = identity
    self.ledgerMilliseconds = ledgerMilliseconds
    self.requestedAt = requestedAt
    self.account = account
    self.outstanding = outstanding
  }
}

/// One open partition of the sink.
final class PartitionDelivery {
  struct ParkReason: Hashable {
    var reason: String
    var detail: String
  }

  let number: Int32
  var clock: LedgerClock
  var isOpen = true
  var isDraining = false
  var hasToldDrained = false
  var toldReady = false
  /// Whether its counters changed since it last reported.
  var isDirty = false
  var rows: [RowReference: DeliveryRow] = [:]
  var blocking = 0
  var deferred = 0
  var waiting = 0
  var held = 0
  var requestsInFlight = 0
  var sendingsPending = 0
  /// Outcomes not yet appended, by the SENDING that they name.
  var done: [RecordIdentity: [Done.Row]] = [:]
  var unsent: [RecordIdentity: [RowReference]] = [:]
  var parks: [ParkReason: [RowReference]] = [:]
  /// While planning: its batches, of which the last may still grow.
  var forming: [Batch] = []
  var formingRows = 0

  init(number: Int32, clock: LedgerClock) {
    self.number = number
    self.clock = clock
  }

  func count(_ category: DeliveryRow.Category, _ change: Int) {
    switch category {
    case .blocking: blocking += change
    case .deferred: deferred += change
    case .waiting: waiting += change
    case .held: held += change
    }
  }

  var takesClaim: Bool {
    isOpen && !isDraining && blocking == 0 && deferred < DeliveryLimits.deferredRows
  }
}
