internal import Metering

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
  /// A claim with rows has come: whether it takes a further one is to be said again, also where that has not changed.
  var owesReadiness = false
  /// Whether its counters changed since it last reported.
  var isDirty = false
  /// Its rows, by claim; few at a time, but for rows that a person retries one by one.
  private var sources: [UInt64: [RowSource]] = [:]
  var blocking = 0
  var deferred = 0
  var waiting = 0
  var held = 0
  var requestsInFlight = 0
  var sendingsPending = 0
  /// Outcomes not yet appended, by the SENDING that they name.
  private(set) var done: [RecordIdentity: DoneBuffer] = [:]
  /// The one that was added to last: mostly the next one's, too.
  private var lastDone: DoneBuffer?
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

  // MARK: Rows

  func add(_ source: RowSource, claim: UInt64) {
    var known = sources[claim] ?? []
    if known.contains(where: { $0.live == 0 }) { known.removeAll { $0.live == 0 } }
    known.append(source)
    sources[claim] = known
  }

  func row(_ reference: RowReference) -> DeliveryRow? {
    for source in sources[reference.claim] ?? [] {
      if let row = source.row(reference) { return row }
    }
    return nil
  }

  /// Whether rows of this claim are here.
  func knows(_ claim: UInt64) -> Bool { sources[claim]?.contains { $0.live > 0 } ?? false }

  /// The row has left its source.
  func left(_ claim: UInt64) {
    if let known = sources[claim], known.allSatisfy({ $0.live == 0 }) { sources[claim] = nil }
  }

  /// All rows that are not gone, in the same order in every run.
  var rows: [DeliveryRow] {
    sources.sorted { $0.key < $1.key }.flatMap { $0.value }.flatMap(\.handles).filter {
      $0.stage != .gone
    }
  }

  /// Rows in flight stay until their reply.
  func forgetRows() { sources = sources.filter { $0.value.contains { $0.live > 0 } } }

  // MARK: Outcomes

  /// The buffer of that SENDING's outcomes, and whether it was begun with this call.
  func doneBuffer(of sending: RecordIdentity) -> (buffer: DoneBuffer, isNew: Bool) {
    if let buffer = lastDone, buffer.sending == sending { return (buffer, false) }
    let known = done[sending]
    let buffer = known ?? DoneBuffer(sending: sending)
    if known == nil { done[sending] = buffer }
    lastDone = buffer
    return (buffer, known == nil)
  }

  func takeDone(_ sending: RecordIdentity) -> [Done.Row]? {
    if lastDone?.sending == sending { lastDone = nil }
    return done.removeValue(forKey: sending)?.rows
  }

  var takesClaim: Bool {
    isOpen && !isDraining && blocking == 0 && deferred < DeliveryLimits.deferredRows
  }
}

/// Outcomes of one SENDING that wait for company.
final class DoneBuffer {
  let sending: RecordIdentity
  var rows: [Done.Row] = []

  init(sending: RecordIdentity) { self.sending = sending }
}
