import Metering

/// The naive judge of one partition: walks its records from the start, under the cuts that stand in its ledger, and says
/// what must have been counted. It shares no code with dedup, totals or claims.
struct Oracle {
  struct Row: Hashable {
    var units: Int128 = 0
    var events: Int64 = 0
    var greatestTime = Int64.min
  }

  struct RowKey: Hashable {
    var customer: String
    var feature: String
    var dimensions: [String]
    var slot: Int64
  }

  struct Totals: Equatable {
    var rows: [RowKey: Row] = [:]
    var counted: Int64 = 0
    var duplicate: Int64 = 0
    var quarantined: Int64 = 0
    /// The offsets that belong into the quarantine topic.
    var quarantinedOffsets: [Int64] = []
  }

  /// A range as the ledger states it.
  struct Range {
    var from: Int64
    var to: Int64
    var cap: Int64
    var rules: CountingRules
    /// Where a changed window's index begins.
    var indexFrom: Int64?
    /// A person has accepted that its records are gone.
    var isAcceptedLoss = false
    /// Where the index of the cut's writer begins: a person has accepted that the window is no longer retained below.
    var retainedFrom = Int64.min
    /// Records that a person has accepted as not counted: the reader had holes there.
    var absent: Set<Int64> = []
  }

  private struct Sighting {
    var offset: Int64
    var clock: Int64
    var payload: String
    /// The event's time, as its record states it, and how old it may be.
    var time: Int64?
    var maxAge: Int64
    /// How far ahead of the clock the event's time may be, where it was refused for that: no sighting, unless an index
    /// begins in its cut.
    var refusedBeyond: Int64?
  }

  /// A range that was judged, with the clock at its end.
  private struct Judged {
    var from: Int64
    var to: Int64
    var clock: Int64
  }

  private let log: UsageLog
  private(set) var clock: Int64 = 0
  private var seen: [String: [Sighting]] = [:]
  private var reach = Int64.min
  private var ranges: [Judged] = []
  /// Where the sightings before the first cut begin.
  private var begin: Int64?
  private(set) var end: Int64?

  init(log: UsageLog) { self.log = log }

  /// What the range must state. Ranges come in order.
  mutating func judge(_ range: Range) -> Totals {
    // 8τ = window + 2 h.
    let bucket = (range.rules.windowMilliseconds + 7_200_000 + 7) / 8
    if let from = range.indexFrom { reach = from }
    var totals = Totals()
    end = range.to
    if range.isAcceptedLoss { return totals }
    for offset in range.from..<range.to where !range.absent.contains(offset) {
      guard let record = log.records[Int(offset)] else { continue }
      if record.view.timestampMilliseconds >= 0 {
        clock = max(clock, min(record.view.timestampMilliseconds, range.cap))
      }
      judge(record, at: offset, range, bucket: bucket, into: &totals)
    }
    ranges.append(Judged(from: begin ?? range.from, to: range.to, clock: clock))
    begin = nil
    return totals
  }

  /// What the range is before the start: sightings only. The first cut states the clock for both.
  mutating func sight(_ range: Range) {
    _ = judge(range)
    ranges = []
    begin = range.from
  }

  private mutating func judge(
    _ record: UsageLog.Record, at offset: Int64, _ range: Range, bucket: Int64, into totals: inout Totals
  ) {
    let rules = range.rules
    func quarantine() {
      totals.quarantined += 1
      totals.quarantinedOffsets.append(offset)
    }
    guard case .event(let event) = record.meaning.kind else { return quarantine() }
    // No event is refused for its record's timestamp, and one beyond the clock's cap is not the event's time either.
    let stamp = record.view.timestampMilliseconds
    let time = record.meaning.timeMilliseconds ?? (stamp >= 0 ? min(stamp, clock) : clock)
    let isTooNew = record.meaning.timeMilliseconds != nil && time > clock + rules.maxAheadMilliseconds
    if record.meaning.timeMilliseconds != nil, time < clock - rules.maxAgeMilliseconds { return quarantine() }
    let rule = rules.features[event.feature] ?? FeatureRule()
    let dimensions = rule.dimensions.map { event.dimensions[$0] ?? "" }
    let payload = "\(event.customer)|\(event.feature)|\(event.units)|\(event.isRevert)|\(dimensions)"
    let now = clock / bucket
    let begin = max(reach, range.retainedFrom)
    let within = (seen[event.key] ?? []).first { sighting in
      guard let clock = self.clock(of: sighting, indexFrom: begin) else { return false }
      return now - clock / bucket <= 8
    }
    seen[event.key, default: []].append(
      Sighting(
        offset: offset, clock: clock, payload: payload, time: record.meaning.timeMilliseconds,
        maxAge: rules.maxAgeMilliseconds, refusedBeyond: isTooNew ? rules.maxAheadMilliseconds : nil))
    if isTooNew { return quarantine() }
    if let within {
      if within.payload == payload { totals.duplicate += 1 } else { quarantine() }
      return
    }
    totals.counted += 1
    let slot = time - time % rules.timeSlotMilliseconds
    let key = RowKey(customer: event.customer, feature: event.feature, dimensions: dimensions, slot: slot)
    let units = rule.aggregate == .count ? Quantity.scale : event.units
    var row = totals.rows[key] ?? Row()
    row.units += event.isRevert ? -units : units
    row.events += 1
    row.greatestTime = max(row.greatestTime, time)
    totals.rows[key] = row
  }

  /// The clock at a sighting, for an index that begins at an offset; nil where it is not in it. Within the cut in which the
  /// index begins nobody knows how far what is gone had moved the clock: at most to where it was at the cut's end.
  private func clock(of sighting: Sighting, indexFrom begin: Int64) -> Int64? {
    guard sighting.offset >= begin else { return nil }
    guard let cut = ranges.first(where: { $0.from < begin && begin < $0.to }), sighting.offset < cut.to else {
      return sighting.refusedBeyond == nil ? sighting.clock : nil
    }
    if let time = sighting.time, time < cut.clock - sighting.maxAge { return nil }
    // By that clock it was not too new: who rebuilds cannot know better.
    if let time = sighting.time, let ahead = sighting.refusedBeyond, time > cut.clock + ahead { return nil }
    return cut.clock
  }
}
