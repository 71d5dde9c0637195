internal import Metering

/// One row on its way, as a handle: where its record lies, and the record's generation when the handle was made. A record
/// is used again for another row once its row is gone, with the next generation: an old handle then reads as ``Stage/gone``
/// and must not be written through.
///
/// A handle, since a row is reached from heaps, batches and its partition at once, a million of them, and a reference count
/// for each of these would cost more than all else that is done with a row.
struct DeliveryRow: Equatable {
  enum Stage: UInt8 {
    /// In the ready queue, or behind another row of its lane.
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
  enum Category: UInt8 {
    /// Holds up the next claim.
    case blocking
    case deferred, waiting, held
  }

  fileprivate let record: UnsafeMutablePointer<RowRecord>
  fileprivate let generation: UInt32

  fileprivate var isCurrent: Bool { record.pointee.generation == generation }

  var stage: Stage {
    get { isCurrent ? record.pointee.stage : .gone }
    nonmutating set { record.pointee.stage = newValue }
  }
  /// Nil once the row is gone.
  var lane: Lane? { isCurrent ? record.pointee.lane : nil }

  // All below: only while the row is not gone.

  var partition: PartitionDelivery {
    guard isCurrent, let source = record.pointee.source else {
      preconditionFailure("a row that is gone has no partition")
    }
    return source._withUnsafeGuaranteedRef { $0.partition }
  }
  /// Whether that is its partition.
  func isOf(_ partition: PartitionDelivery) -> Bool {
    guard isCurrent, let source = record.pointee.source else { return false }
    return source._withUnsafeGuaranteedRef { $0.partition === partition }
  }
  /// As ``partition``'s, without a count of references.
  var isPartitionDraining: Bool {
    guard isCurrent, let source = record.pointee.source else {
      preconditionFailure("a row that is gone has no partition")
    }
    return source._withUnsafeGuaranteedRef { $0.partition.isDraining }
  }
  var reference: RowReference { record.pointee.reference }
  var timestampMilliseconds: Int64 { record.pointee.timestampMilliseconds }
  var category: Category {
    get { record.pointee.category }
    nonmutating set { record.pointee.category = newValue }
  }
  var doubt: Doubt? {
    get { record.pointee.trouble?.doubt }
    nonmutating set { trouble.doubt = newValue }
  }
  var failures: Int {
    get { record.pointee.trouble?.failures ?? 0 }
    nonmutating set { trouble.failures = newValue }
  }
  var firstFailureAt: Int64? {
    get { record.pointee.trouble?.firstFailureAt }
    nonmutating set { trouble.firstFailureAt = newValue }
  }
  var isDeferred: Bool {
    get { record.pointee.trouble?.isDeferred ?? false }
    nonmutating set { trouble.isDeferred = newValue }
  }
  /// The ledger has its outcome already: it is forgotten as soon as its attempt is over.
  var isDecided: Bool {
    get { record.pointee.isDecided }
    nonmutating set { record.pointee.isDecided = newValue }
  }
  /// The adapter was asked whether it can ever be sent.
  var isJudged: Bool {
    get { record.pointee.isJudged }
    nonmutating set { record.pointee.isJudged = newValue }
  }
  var notBefore: Int64 {
    get { record.pointee.notBefore }
    nonmutating set { record.pointee.notBefore = newValue }
  }
  /// The largest batch that it may be part of: shrinks when its batch is refused as a whole.
  var largestBatch: Int {
    get { Int(record.pointee.largestBatch) }
    nonmutating set { record.pointee.largestBatch = Int32(clamping: newValue) }
  }
  /// The last failure's code, for people.
  var lastCode: String {
    get { record.pointee.trouble?.lastCode ?? Trouble.unknown }
    nonmutating set { trouble.lastCode = newValue }
  }

  private var trouble: Trouble {
    if let known = record.pointee.trouble { return known }
    let new = Trouble()
    record.pointee.trouble = new
    return new
  }

  /// Nothing was ever wrong with it: neither in doubt, nor failed, nor deferred.
  var isUntroubled: Bool { record.pointee.trouble == nil }

  /// Never attempted by us in this process, and not in doubt from before.
  var isFresh: Bool { record.pointee.trouble.map { $0.failures == 0 && $0.doubt == nil } ?? true }

  var order: RowOrder {
    let reference = record.pointee.reference
    return RowOrder(
      timestampMilliseconds: record.pointee.timestampMilliseconds,
      partition: record.pointee.partitionNumber,
      row: reference.row, claim: reference.claim)
  }

  /// Its bytes, put together anew: for the request, and as long as that is under way.
  func content() -> SinkRow {
    guard isCurrent, let source = record.pointee.source else {
      preconditionFailure("a row that is gone has no bytes")
    }
    return source._withUnsafeGuaranteedRef { $0.rows[Int(record.pointee.number)] }
  }
}

/// What only rows have that were attempted without success.
private final class Trouble {
  static let unknown = "outcome_unknown"
  var doubt: Doubt?
  var failures = 0
  var firstFailureAt: Int64?
  var isDeferred = false
  var lastCode = Trouble.unknown
}

/// A row's fields. Touched through ``DeliveryRow`` only.
private struct RowRecord {
  var generation: UInt32 = 0
  var partitionNumber: Int32 = 0
  var reference = RowReference(claim: 0, row: 0)
  var timestampMilliseconds: Int64 = 0
  var notBefore: Int64 = 0
  /// Its place in `source.rows`.
  var number: UInt32 = 0
  var largestBatch: Int32 = 1
  var stage = DeliveryRow.Stage.gone
  var category = DeliveryRow.Category.blocking
  var isDecided = false
  var isJudged = false
  /// Kept alive by its partition as long as one of its rows is not gone (``PartitionDelivery/forgetRows()`` too), and that
  /// by the machine or by the batch that the row is in.
  var source: Unmanaged<RowSource>?
  var lane: Lane?
  var trouble: Trouble?
}

/// Rows that came together, of one claim or made by hand, and their handles in the same order.
final class RowSource {
  let partition: PartitionDelivery
  private(set) var rows: SinkRows.Part
  private(set) var handles: [DeliveryRow] = []
  /// Handles that are not gone.
  var live = 0

  init(partition: PartitionDelivery, rows: SinkRows.Part) {
    self.partition = partition
    self.rows = rows
  }

  /// Takes the handles of all its rows, once: `body` initializes each, in any order.
  func fill(_ body: (UnsafeMutableBufferPointer<DeliveryRow>) -> Void) {
    precondition(handles.isEmpty)
    handles = [DeliveryRow](unsafeUninitializedCapacity: rows.count) { handles, count in
      body(handles)
      count = rows.count
    }
    live = rows.count
  }

  /// Lets go of the bytes of rows that are gone, once they are three quarters.
  func compact() {
    guard handles.count >= 256, live * 4 < handles.count else { return }
    let kept = handles.indices.filter { handles[$0].isCurrent }
    rows = rows.keeping(kept)
    handles = kept.map { handles[$0] }
    for (number, row) in handles.enumerated() { row.record.pointee.number = UInt32(number) }
  }

  /// The row, unless it is gone or was never here.
  func row(_ reference: RowReference) -> DeliveryRow? {
    rows.number(of: reference).map { handles[$0] }.flatMap { $0.stage == .gone ? nil : $0 }
  }
}

/// The memory of all rows of a machine, in slabs that stay until the machine goes: so a handle's record can always be
/// looked at, whatever became of its row. Confined to its machine.
final class RowPool {
  private static let slab = 4_096
  private var slabs: [UnsafeMutablePointer<RowRecord>] = []
  private var free: [UnsafeMutablePointer<RowRecord>] = []

  deinit {
    for slab in slabs {
      slab.deinitialize(count: Self.slab)
      slab.deallocate()
    }
  }

  /// Makes the `number`th row of the source; ``RowSource/fill(_:)`` has its handle.
  func make(
    in source: RowSource, number: UInt32, order: RowOrder, lane: Lane?, largestBatch: Int
  ) -> DeliveryRow {
    if free.isEmpty { grow() }
    let record = free.removeLast()
    record.pointee.partitionNumber = order.partition
    record.pointee.reference = RowReference(claim: order.claim, row: order.row)
    record.pointee.timestampMilliseconds = order.timestampMilliseconds
    record.pointee.notBefore = 0
    record.pointee.number = number
    record.pointee.largestBatch = Int32(clamping: largestBatch)
    record.pointee.stage = .ready
    record.pointee.category = .blocking
    record.pointee.isDecided = false
    record.pointee.isJudged = false
    record.pointee.source = Unmanaged.passUnretained(source)
    if let lane { record.pointee.lane = lane }
    return DeliveryRow(record: record, generation: record.pointee.generation)
  }

  /// The row is gone: its handles are void from here on. Whether it was the last of its source.
  @discardableResult
  func drop(_ row: DeliveryRow) -> Bool {
    guard row.record.pointee.generation == row.generation else { return false }
    let record = row.record
    record.pointee.generation &+= 1
    record.pointee.stage = .gone
    let source = record.pointee.source
    record.pointee.source = nil
    if record.pointee.lane != nil { record.pointee.lane = nil }
    if record.pointee.trouble != nil { record.pointee.trouble = nil }
    free.append(record)
    return source?._withUnsafeGuaranteedRef { source in
      source.live -= 1
      source.compact()
      return source.live == 0
    } ?? false
  }

  private func grow() {
    let slab = UnsafeMutablePointer<RowRecord>.allocate(capacity: Self.slab)
    slab.initialize(repeating: RowRecord(), count: Self.slab)
    slabs.append(slab)
    // The first is taken first: rows that come together lie together.
    for place in stride(from: Self.slab - 1, through: 0, by: -1) { free.append(slab + place) }
  }
}
