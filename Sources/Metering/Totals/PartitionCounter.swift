internal import CHotPath

/// The hot state of one partition: decode, dedup, totals. One worker owns it; nothing in it waits, reads a clock or does
/// I/O (but for look-ups in sealed segments that a filter could not answer).
///
/// Every decision is a pure function of the records, the rules and the caps of the ranges: a counter that was restored,
/// cut back, rebuilt or short of memory decides as one that ran through.
///
/// `@unchecked Sendable`: it alone owns its memory, so it may be moved to another thread, as a whole.
public struct PartitionCounter: ~Copyable, @unchecked Sendable {
  /// Records are processed in blocks of this many: enough for prefetches to arrive, few enough for the first cache.
  package static let blockRecords = 64

  /// The configuration under which records are judged.
  public private(set) var rules: CountingRules
  /// The input partition.
  public let partition: Int32
  /// The cap of the current range, Unix milliseconds.
  public private(set) var capMilliseconds: Int64
  /// Whether a record timestamp beyond the cap is capped rather than waited for (at most one empty cut in 10 minutes is
  /// made for such a record; after that it *is* from the future).
  public var capTimestamps = false
  /// The rows at which counting stops for a cut; a call may pass it by a block's worth.
  public var rowLimit: Int

  /// The log's clock, Unix milliseconds.
  public package(set) var clockMilliseconds: Int64
  /// The offset at which counting goes on.
  public package(set) var nextOffset: Int64
  /// What happened to records since this counter was made, over all ranges; restored counts are not in it.
  public package(set) var totals = RangeCounters()
  /// Records processed for their sightings only, since this counter was made.
  public private(set) var sightingsOnly: Int64 = 0

  package let secret: FingerprintKey
  package let hash: KeyedHash
  package let bucketMilliseconds: Int64
  package var decoder: EventDecoder
  package var index: DedupIndex
  package var range: OpenRange
  package var journal: JournalBuilder
  private let block: UnsafeMutablePointer<JudgedEvent>
  /// Why the decoder refused the block's records, for people; in order.
  private var details: [QuarantineDetail] = []
  private var failure: CountStop?
  private var slotStart: Int64 = 0
  private var slotEnd: Int64 = .min

  /// A counter without history; ``restore(_:head:)`` gives it one.
  ///
  /// - Parameters:
  ///   - rules: the configuration of the first range.
  ///   - partition: the input partition.
  ///   - fingerprintKey: GENESIS's key.
  ///   - start: where it begins.
  ///   - sealed: the sealed segments of the window.
  ///   - memoryLimit: this partition's share of `dedup.max_memory`, in bytes.
  ///   - rowLimit: `flush.max_rows`.
  ///   - leastTable: ``PartitionSettings/leastTable``.
  public init(
    rules: CountingRules, partition: Int32, fingerprintKey: FingerprintKey, start: CounterStart,
    sealed: [any SealedSegment] = [], memoryLimit: Int, rowLimit: Int = 200_000,
    leastTable: Int = PartitionSettings.usualLeastTable
  ) {
    self.rules = rules
    self.partition = partition
    self.rowLimit = rowLimit
    secret = fingerprintKey
    hash = KeyedHash(key: fingerprintKey)
    bucketMilliseconds = rules.bucketMilliseconds
    capMilliseconds = start.capMilliseconds
    clockMilliseconds = start.clockMilliseconds
    nextOffset = start.nextOffset
    decoder = EventDecoder(rules: rules, partition: partition)
    index = DedupIndex(
      bucket: Self.bucket(start.clockMilliseconds, rules.bucketMilliseconds), memoryLimit: memoryLimit, sealed: sealed,
      leastCapacity: leastTable)
    range = OpenRange(from: start.nextOffset)
    journal = JournalBuilder(from: start.nextOffset, clock: start.clockMilliseconds)
    let bytes = Self.blockRecords * MemoryLayout<JudgedEvent>.stride
    block = HotMemory.allocate(bytes).bindMemory(to: JudgedEvent.self, capacity: Self.blockRecords)
  }

  deinit { HotMemory.free(UnsafeMutableRawPointer(block), Self.blockRecords * MemoryLayout<JudgedEvent>.stride) }

  /// The bucket of a clock: ⌊clock / τ⌋.
  package static func bucket(_ clock: Int64, _ length: Int64) -> Int64 {
    clock >= 0 ? clock / length : -((-1 - clock) / length) - 1
  }

  // MARK: Counting

  /// Judges records in order. Their offsets ascend from ``nextOffset``; what lies between them is the caller's business.
  ///
  /// - Parameters:
  ///   - records: the batch, borrowed for the call.
  ///   - mode: whether they are counted, or make sightings only.
  ///   - quarantine: takes each event that cannot be counted, in offset order, with its reason and a detail for people
  ///     (the quarantine's `meterd_detail`). It may block.
  /// - Returns: how far it came and why it stopped. Call again with the rest.
  public mutating func count(
    _ records: UnsafeBufferPointer<RecordView>, mode: CountMode = .count,
    quarantine: (RecordView, QuarantineReason, QuarantineDetail) -> Void
  ) -> CountOutcome {
    if let failure { return CountOutcome(consumed: 0, stop: failure) }
    var at = 0
    while at < records.count {
      if mode == .count, range.rows.count >= rowLimit { return CountOutcome(consumed: at, stop: .rowsFull) }
      let most = min(Self.blockRecords, records.count - at)
      if !index.ensureRoom(for: most) { return CountOutcome(consumed: at, stop: .memoryFull) }
      let slice = UnsafeBufferPointer(rebasing: records[at..<at + most])
      let taken = read(slice)
      if taken > 0 {
        let judged = UnsafeBufferPointer(rebasing: slice[..<taken])
        if let offset = sight(judged) { return fail(.indexUnreadable(offset: offset), consumed: at) }
        if mode == .count {
          if let offset = add(judged, quarantine) { return fail(.overflow(offset: offset), consumed: at) }
        } else {
          sightingsOnly += Int64(taken)
        }
        nextOffset = judged[taken - 1].offset + 1
        at += taken
      }
      if taken < most {
        return CountOutcome(
          consumed: at, stop: .beyondCap(timestampMilliseconds: records[at].timestampMilliseconds))
      }
    }
    return CountOutcome(consumed: at, stop: .batchEnd)
  }

  private mutating func fail(_ stop: CountStop, consumed: Int) -> CountOutcome {
    failure = stop
    return CountOutcome(consumed: consumed, stop: stop)
  }

  /// First pass: clock, decode, hashes, prefetches. Returns how many records came before one beyond the cap.
  @inline(never) private mutating func read(_ records: UnsafeBufferPointer<RecordView>) -> Int {
    decoder.resetScratch()
    details.removeAll(keepingCapacity: true)
    var bucket = Self.bucket(clockMilliseconds, bucketMilliseconds)
    var bucketEnd = (bucket &+ 1) &* bucketMilliseconds
    for position in 0..<records.count {
      let record = records[position]
      // Another core has just written what comes: two records ahead is what a record's work covers.
      if position &+ 2 < records.count, let later = records[position &+ 2].value.baseAddress {
        meterd_prefetch_lines(later, records[position &+ 2].value.count)
      }
      if record.timestampMilliseconds > clockMilliseconds {
        if record.timestampMilliseconds > capMilliseconds, !capTimestamps { return position }
        clockMilliseconds = max(clockMilliseconds, min(record.timestampMilliseconds, capMilliseconds))
        if clockMilliseconds >= bucketEnd {
          bucket = Self.bucket(clockMilliseconds, bucketMilliseconds)
          bucketEnd = (bucket &+ 1) &* bucketMilliseconds
        }
      }
      let judged = block + position
      judged.pointee.bucket = bucket
      if let reason = decoder.decode(record, clockMilliseconds: clockMilliseconds, into: &judged.pointee.event) {
        judged.pointee.verdict = .quarantine
        judged.pointee.reason = reason
        details.append(decoder.detail)
        continue
      }
      judged.pointee.verdict = .count
      judged.pointee.customerHash = hash(judged.pointee.event.customer)
      judged.pointee.featureHash = hash(judged.pointee.event.feature)
      judged.pointee.dimensionsHash = hash(judged.pointee.event.dimensions)
      range.customers.prefetch(judged.pointee.customerHash)
      if !judged.pointee.event.hasKey { continue }
      let fingerprint = Fingerprint.of(
        source: judged.pointee.event.source, key: judged.pointee.event.key, with: secret)
      judged.pointee.fingerprint = fingerprint
      index.prefetch(fingerprint)
    }
    return records.count
  }

  /// Second pass: dedup decisions in order. Returns the offset of a record whose look-up failed.
  @inline(never) private mutating func sight(_ records: UnsafeBufferPointer<RecordView>) -> Int64? {
    for position in 0..<records.count {
      let judged = block + position
      if judged.pointee.bucket != index.bucket {
        index.advance(to: judged.pointee.bucket, at: records[position].offset)
      }
      guard judged.pointee.verdict == .count, judged.pointee.event.hasKey else { continue }
      let check = hash.payloadCheck(
        customer: judged.pointee.customerHash, feature: judged.pointee.featureHash,
        dimensions: judged.pointee.dimensionsHash, quantity: judged.pointee.event.quantity,
        isRevert: judged.pointee.event.isRevert)
      switch index.sight(judged.pointee.fingerprint, check: check) {
      case .first:
        break
      case .repeated(let known):
        if known == check {
          judged.pointee.verdict = .duplicate
        } else {
          judged.pointee.verdict = .quarantine
          judged.pointee.reason = .keyConflict
        }
      case .unreadable:
        return records[position].offset
      }
    }
    return nil
  }

  /// Third and fourth pass: names to numbers, then totals and quarantine in order. Returns the offset of a record whose
  /// row overflowed.
  @inline(never) private mutating func add(
    _ records: UnsafeBufferPointer<RecordView>, _ quarantine: (RecordView, QuarantineReason, QuarantineDetail) -> Void
  ) -> Int64? {
    for position in 0..<records.count {
      let judged = block + position
      guard judged.pointee.verdict == .count else { continue }
      number(judged)
    }
    var counted: Int64 = 0
    var duplicate: Int64 = 0
    var mismatches: Int64 = 0
    var refused = 0
    for position in 0..<records.count {
      let judged = block + position
      switch judged.pointee.verdict {
      case .count:
        counted &+= 1
        var units = judged.pointee.event.aggregate == .count ? Quantity.scale : judged.pointee.event.quantity.units
        if judged.pointee.event.isRevert { units = 0 &- units }
        let fits = range.rows.add(
          units, events: 1, time: judged.pointee.event.timeMilliseconds, customer: judged.pointee.customer,
          feature: judged.pointee.feature, dimensions: judged.pointee.dimensions,
          slotStart: judged.pointee.slotStart, hash: judged.pointee.rowHash)
        if !fits { return records[position].offset }
        if !judged.pointee.event.keyMatchesCustomer { mismatches &+= 1 }
      case .duplicate:
        duplicate &+= 1
        if !judged.pointee.event.keyMatchesCustomer { mismatches &+= 1 }
      case .quarantine:
        let reason = judged.pointee.reason
        range.counters.quarantined[Int(reason.rawValue)] += 1
        totals.quarantined[Int(reason.rawValue)] += 1
        if reason == .keyConflict {
          quarantine(records[position], reason, .keyConflict)
        } else {
          quarantine(records[position], reason, details[refused])
          refused += 1
        }
      }
    }
    range.counters.consumed += Int64(records.count)
    range.counters.counted += counted
    range.counters.duplicate += duplicate
    range.counters.keyMismatches += mismatches
    totals.consumed += Int64(records.count)
    totals.counted += counted
    totals.duplicate += duplicate
    totals.keyMismatches += mismatches
    return nil
  }

  @inline(__always) private mutating func number(_ judged: UnsafeMutablePointer<JudgedEvent>) {
    let time = judged.pointee.event.timeMilliseconds
    if time < slotStart || time >= slotEnd {
      slotStart = Self.bucket(time, rules.timeSlotMilliseconds) &* rules.timeSlotMilliseconds
      slotEnd = slotStart &+ rules.timeSlotMilliseconds
    }
    let customer = range.customers.number(of: judged.pointee.event.customer, hash: judged.pointee.customerHash)
    let feature = range.features.number(of: judged.pointee.event.feature, hash: judged.pointee.featureHash)
    let dimensions: UInt32
    if judged.pointee.event.dimensions.count == 0, let none = range.noDimensions {
      dimensions = none
    } else {
      dimensions = range.dimensions.number(
        of: judged.pointee.event.dimensions, hash: judged.pointee.dimensionsHash)
      if judged.pointee.event.dimensions.count == 0 { range.noDimensions = dimensions }
    }
    let rowHash = RowTable.hash(
      customer: customer, feature: feature, dimensions: dimensions, slotStart: slotStart)
    range.rows.prefetch(rowHash)
    judged.pointee.customer = customer
    judged.pointee.feature = feature
    judged.pointee.dimensions = dimensions
    judged.pointee.slotStart = slotStart
    judged.pointee.rowHash = rowHash
  }

  // MARK: Steering

  /// Sets the cap of the range, Unix milliseconds: the ledger time at the record that set its head, plus one hour.
  public mutating func setCap(_ milliseconds: Int64) { capMilliseconds = milliseconds }

  /// Makes ready for so many records that are known to follow: speed only, no decision depends on it.
  public mutating func expect(records: Int64) { index.expect(Int(clamping: max(0, records))) }

  /// Sets this partition's share of `dedup.max_memory`, in bytes.
  public mutating func setMemoryLimit(_ bytes: Int) { index.memoryLimit = bytes }

  /// Judges records under other rules from here on: at a cut only. The buckets stay as long as they were when the
  /// counter was made: in a rebuild for a changed window, old cuts' rules decode, and the new window holds the
  /// sightings.
  public mutating func use(rules: CountingRules) {
    self.rules = rules
    decoder = EventDecoder(rules: rules, partition: partition)
    slotEnd = .min
  }
}

/// One record of a block on its way through the passes.
private struct JudgedEvent {
  enum Verdict: UInt8 { case count, duplicate, quarantine }

  var event: DecodedEvent
  var fingerprint: Fingerprint
  var customerHash: UInt64
  var featureHash: UInt64
  var dimensionsHash: UInt64
  var rowHash: UInt64
  var bucket: Int64
  var slotStart: Int64
  var customer: UInt32
  var feature: UInt32
  var dimensions: UInt32
  var verdict: Verdict
  var reason: QuarantineReason
}
