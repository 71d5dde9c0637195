import Metering
import TestSupport

/// One record of a test stream, and what its event says.
struct StreamRecord {
  struct Payload: Hashable {
    var customer: String
    var feature: String
    var model: String?
    var amount: Int64
    var isRevert: Bool
  }

  var offset: Int64
  /// The record's timestamp; −1: none.
  var timestamp: Int64
  /// `nil`: an event that cannot be decoded.
  var payload: Payload?
  var source: String
  var key: String
  var eventTime: Int64

  var json: [UInt8] {
    guard let payload else { return Array("{\"customerId\":\"\(key)\"".utf8) }
    var text =
      "{\"idempotencyKey\":\"\(key)\",\"customerId\":\"\(payload.customer)\",\"featureId\":\"\(payload.feature)\""
    text += ",\"amount\":\(payload.amount),\"timestamp\":\(eventTime)"
    if !source.isEmpty { text += ",\"source\":\"\(source)\"" }
    if let model = payload.model { text += ",\"dimensions\":{\"model\":\"\(model)\"}" }
    if payload.isRevert { text += ",\"revert\":true" }
    return Array((text + "}").utf8)
  }
}

/// A stream of usage with repeats, conflicts, holes, bad events and jumps of the clock, and where its cuts are.
struct UsageStream {
  var records: [StreamRecord] = []
  /// Ends of ranges, ascending; the last one is the stream's end.
  var cuts: [Int64] = []
  /// The cap of the range that begins at each place.
  var caps: [Int64: Int64] = [:]

  static let start: Int64 = 1_700_000_000_000
  static let rules: CountingRules = {
    var rules = CountingRules()
    rules.windowMilliseconds = 3_600_000
    rules.keyCheck = .off
    rules.features = ["f0": FeatureRule(aggregate: .count), "f1": FeatureRule(dimensions: ["model"])]
    return rules
  }()
  static let key = FingerprintKey(low: 0x0123_4567_89ab_cdef, high: 0xfedc_ba98_7654_3210)

  /// With `calm` nearly all of it lies in two buckets, and keys seldom repeat.
  init(seed: UInt64, count: Int, calm: Bool = false) {
    var random = SeededRandom(seed: seed)
    let bucket = Self.rules.bucketMilliseconds
    var time = Self.start
    var offset = Int64.random(in: 0..<1000, using: &random)
    let first = offset
    let keys = calm ? count * 2 : Int.random(in: 1...(count / 2), using: &random)
    for _ in 0..<count {
      time += Int64.random(in: 0..<(bucket / (calm ? 4000 : 40)), using: &random)
      if !calm, random.chance(2) { time += bucket * Int64.random(in: 1...12, using: &random) }
      var timestamp = time - (random.chance(30) ? Int64.random(in: 0..<(2 * bucket), using: &random) : 0)
      if !calm, random.chance(1) { timestamp += 30 * bucket }  // beyond the cap, mostly
      if random.chance(5) { timestamp = -1 }
      records.append(Self.record(offset, timestamp, time, keys, &random))
      offset += random.chance(5) ? Int64.random(in: 2..<5, using: &random) : 1
    }
    var at = first
    while at < offset {
      caps[at] = Self.start + (time - Self.start) * (at - first) / max(1, offset - first) + 3_600_000
      at = min(offset, at + Int64.random(in: 1...Int64(count / 4), using: &random))
      cuts.append(at)
    }
  }

  private static func record(
    _ offset: Int64, _ timestamp: Int64, _ time: Int64, _ keys: Int, _ random: inout SeededRandom
  ) -> StreamRecord {
    let number = Int.random(in: 0..<keys, using: &random)
    var payload = StreamRecord.Payload(
      customer: number % 5 == 0 ? "customer-with-a-name-beyond-forty-eight-bytes-\(number % 11)" : "c\(number % 7)",
      feature: "f\(number % 3)", model: number % 3 == 1 ? "m\(number % 2)" : nil, amount: Int64(number),
      isRevert: number % 10 == 9)
    if random.chance(5) { payload.amount += 1 }
    if random.chance(2) { payload.isRevert.toggle() }
    return StreamRecord(
      offset: offset, timestamp: timestamp, payload: random.chance(4) ? nil : payload,
      source: number % 4 == 0 ? "source" : "", key: "key-\(number)",
      eventTime: max(start, time - Int64.random(in: 0..<7_200_000, using: &random)))
  }

  var first: Int64 { records[0].offset }
  var end: Int64 { cuts[cuts.count - 1] }
}

/// What the design says, word for word, with dictionaries and lists: the judge of the fast implementation.
struct Oracle {
  /// What becomes of each range.
  private(set) var ranges: [FrozenRange] = []
  /// Quarantined offsets and their reasons.
  private(set) var quarantined: [Int64: QuarantineReason] = [:]
  /// The clock before each record.
  private(set) var clockBefore: [Int64: Int64] = [:]
  /// The clock after each record.
  private(set) var clockAfter: [Int64: Int64] = [:]

  private struct Identity: Hashable {
    var source: String
    var key: String
  }

  init(_ stream: UsageStream) {
    var clock: Int64 = 0
    var sightings: [Identity: [(bucket: Int64, payload: StreamRecord.Payload)]] = [:]
    var from = stream.first
    var next = 0
    for cut in stream.cuts {
      var rows: [String: CutRow] = [:]
      var counters = RangeCounters()
      while next < stream.records.count, stream.records[next].offset < cut {
        let record = stream.records[next]
        next += 1
        clockBefore[record.offset] = clock
        if record.timestamp >= 0 { clock = max(clock, min(record.timestamp, stream.caps[from] ?? 0)) }
        clockAfter[record.offset] = clock
        let bucket = clock / UsageStream.rules.bucketMilliseconds
        counters.consumed += 1
        guard let payload = record.payload, record.eventTime <= clock + 3_600_000 else {
          let reason: QuarantineReason = record.payload == nil ? .malformedJSON : .timeTooNew
          counters.quarantined[Int(reason.rawValue)] += 1
          quarantined[record.offset] = reason
          continue
        }
        let identity = Identity(source: record.source, key: record.key)
        let earlier = sightings[identity, default: []].first { bucket - $0.bucket <= 8 }
        sightings[identity, default: []].append((bucket, payload))
        if let earlier {
          if earlier.payload == payload {
            counters.duplicate += 1
          } else {
            counters.quarantined[Int(QuarantineReason.keyConflict.rawValue)] += 1
            quarantined[record.offset] = .keyConflict
          }
          continue
        }
        counters.counted += 1
        Self.add(record, payload, to: &rows)
      }
      ranges.append(
        FrozenRange(
          from: from, to: cut, rows: rows.values.sorted(by: CutRow.precedes), counters: counters, clockAtEnd: clock))
      from = cut
    }
  }

  private static func add(_ record: StreamRecord, _ payload: StreamRecord.Payload, to rows: inout [String: CutRow]) {
    let slot = record.eventTime / 3_600_000 * 3_600_000
    let units = payload.feature == "f0" ? 1 : payload.amount
    let signed = Quantity(payload.isRevert ? -units : units)
    let name = "\(payload.customer)|\(payload.feature)|\(payload.model ?? "-")|\(slot)"
    if var row = rows[name] {
      row.quantity = Quantity(units: row.quantity.units + signed.units)
      row.events += 1
      row.greatestTimeMilliseconds = max(row.greatestTimeMilliseconds, record.eventTime)
      rows[name] = row
    } else {
      rows[name] = CutRow(
        customer: Array(payload.customer.utf8), feature: Array(payload.feature.utf8),
        dimensions: payload.feature == "f1" ? encoded(payload.model) : [], slotStartMilliseconds: slot,
        greatestTimeMilliseconds: record.eventTime, quantity: signed, events: 1)
    }
  }

  /// The canonical encoding of the dimension, as the decoder itself makes it: it is tested where it is made.
  private static func encoded(_ model: String?) -> [UInt8] {
    var decoder = EventDecoder(rules: UsageStream.rules, partition: 0)
    let record = StreamRecord(
      offset: 0, timestamp: UsageStream.start,
      payload: .init(customer: "c", feature: "f1", model: model, amount: 1, isRevert: false), source: "", key: "k",
      eventTime: UsageStream.start)
    return record.json.withUnsafeBytes { bytes in
      withUnsafeTemporaryAllocation(of: DecodedEvent.self, capacity: 1) { event in
        let view = RecordView(value: bytes, offset: 0, timestampMilliseconds: UsageStream.start)
        _ = decoder.decode(view, clockMilliseconds: UsageStream.start, into: &event[0])
        return [UInt8](event[0].dimensions)
      }
    }
  }
}

/// Lends records as views, as a consumer's batch would.
func withViews<Result>(
  _ records: ArraySlice<StreamRecord>, _ body: (UnsafeBufferPointer<RecordView>) -> Result
) -> Result {
  var bytes: [UInt8] = []
  var places: [Range<Int>] = []
  for record in records {
    let json = record.json
    places.append(bytes.count..<bytes.count + json.count)
    bytes += json
  }
  return bytes.withUnsafeBytes { all in
    let views = zip(records, places).map { record, place in
      RecordView(
        value: UnsafeRawBufferPointer(rebasing: all[place]), offset: record.offset,
        timestampMilliseconds: record.timestamp)
    }
    return views.withUnsafeBufferPointer(body)
  }
}
