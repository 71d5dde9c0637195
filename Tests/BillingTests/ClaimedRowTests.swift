import Metering
import Testing

@testable import Billing

/// A claim's row is read where it lies: requests must be the same as of the row that is put together.
@Suite("Rows in their claim")
struct ClaimedRowTests {
  /// Rows of one claim as the fold hands them to the sink: names that need escapes or are not ASCII, every kind of
  /// dimension, texts of more than 127 bytes, values with and without fraction.
  private func claimed() throws -> ClaimRows {
    var counting = CountingRules()
    counting.features["tokens"] = FeatureRule(dimensions: ["model", "größe", "cached", "region"])
    let rules = BillingRules(
      version: 1, counting: counting,
      sinks: [
        SinkRules(
          name: "books", provider: "log", rowRules: RowRules(stepUnits: 1, greatestUnits: nil, allowsNegative: true))
      ])
    let long = [1, 200, 1] + [UInt8](repeating: 120, count: 200)
    let dimensions: [[UInt8]] = [
      [1, 4, 109, 32, 34, 49, 0, 4, 0], [0, 0, 3, 2, 3, 48, 46, 53], [1, 2, 0xc3, 0xa9, 0, 0, 0], [0, 0, 0, 0],
      long + [2, 1, 55, 4, 1, 0], [0, 1, 1, 97, 0, 0],
    ]
    var rows: [CutRow] = []
    for (number, encoded) in dimensions.enumerated() {
      for (feature, dimensions) in [("calls", []), ("tokens", encoded)] {
        rows.append(
          CutRow(
            customer: Array("cus \"\(number)\" é".utf8), feature: Array(feature.utf8), dimensions: dimensions,
            slotStartMilliseconds: 0, greatestTimeMilliseconds: 1_761_998_096_789 - Int64(number * 1_000_003),
            quantity: Quantity(units: Int128(number - 3) * 1_500_000_001), events: Int64(number)))
      }
    }
    rows.sort(by: CutRow.precedes)
    var counters = RangeCounters()
    counters.counted = rows.reduce(0) { $0 + $1.events }
    counters.consumed = counters.counted
    var fold = LedgerFold(partition: 3)
    var sequence: UInt64 = 0
    func apply(_ records: [[UInt8]], next: UInt64) throws {
      sequence = next
      for record in records {
        _ = try fold.apply(LedgerEntry(offset: fold.nextOffset, appendMilliseconds: 1_762_000_000_000, bytes: record))
      }
    }
    func append(_ record: LedgerRecord) throws {
      let identity = RecordIdentity(nonce: 7, sequence: sequence)
      try apply([LedgerCodec.encode(record, identity: identity)], next: sequence + 1)
    }
    try append(
      .genesis(
        Genesis(
          clusterID: "c", topic: "usage", group: "meterd", partition: 3, partitionCount: 4, startOffset: 0,
          dedupFromOffset: 0, fingerprintKey: Array(0..<16), incarnation: Array(16..<32), configuration: rules.digest),
        rules: rules.encoded))
    try append(.owner(Owner(instance: "test")))
    let cut = CutBuilder.records(
      FrozenRange(
        from: 0, to: counters.consumed, rows: rows, counters: counters, clockAtEnd: 1_761_998_096_789), number: 0,
      configuration: rules.digest, lastRecord: nil, nonce: 7, firstSequence: sequence)
    try apply(cut.records, next: cut.nextSequence)
    let claim = try fold.prepareClaim(sink: "books") { $0 }.records(nonce: 7, firstSequence: sequence)
    try apply(claim.records, next: claim.nextSequence)
    return try #require(fold.rowsToDeliver(sink: "books").claims.first)
  }

  @Test("a row where it lies is the row that is put together: fields, refusals, bodies")
  func same() throws {
    let rows = try claimed()
    // Two rows have a value of 0.
    #expect(rows.count == 10)
    let webhook = WebhookAdapter(
      url: "https://example.com/usage", secret: Secret("s"), idempotencyWindowMilliseconds: 86_400_000)
    let log = LogAdapter(name: "books") { _ in true }
    var all: [(claimed: SinkRow, made: SinkRow)] = []
    for number in 0..<rows.count {
      let row = SinkRow(number, of: rows)
      let made = SinkRow(rows[number])
      #expect(row == made)
      #expect(row.reference == made.reference && row.key == made.key && row.value == made.value)
      #expect(row.customer == made.customer && row.meter == made.meter && row.dimensions == made.dimensions)
      #expect(row.timestampMilliseconds == made.timestampMilliseconds && row.events == made.events)
      #expect(row.keyCount == made.key.utf8.count)
      #expect(row.doubt == nil && !row.mayBeKnown)
      let body = log.request(for: [row], account: "log").body
      #expect(body == log.request(for: [made], account: "log").body)
      #expect(webhook.bodyBytes(of: row) >= body.count)
      #expect(webhook.refusal(of: row) == nil)
      all.append((row, made))
    }
    #expect(
      webhook.request(for: all.map(\.claimed), account: "a") == webhook.request(for: all.map(\.made), account: "a"))
    #expect(all.contains { $0.made.dimensions.count == 4 } && all.contains { $0.made.dimensions.isEmpty })
  }
}
