import Metering
import Testing

/// What well-formed events say: times, dimensions, CloudEvents, `events.fields`.
struct DecodeMeaningTests {
  static func event(
    _ text: String, _ rules: CountingRules = CountingRules(), headers: [(String, String)] = [], timestamp: Int = -1
  ) throws -> DecodeOracle.Event {
    try DecodeReasonTests.decode(text, rules: rules, headers: headers, timestamp: timestamp).get()
  }

  static func native(_ more: String) -> String {
    "{\"idempotencyKey\":\"k\",\"customerId\":\"c\",\"featureId\":\"f\",\"amount\":1" + more + "}"
  }

  // MARK: time

  @Test(arguments: [
    ("\"2026-11-01T12:34:56.789Z\"", 1_793_536_496_789), ("\"2026-11-01t12:34:56.7891239z\"", 1_793_536_496_789),
    ("\"2026-11-01T14:34:56.789+02:00\"", 1_793_536_496_789), ("\"2026-11-01T12:34:56-00:00\"", 1_793_536_496_000),
    ("\"2026-10-31T23:59:60Z\"", 1_793_491_200_000), ("\"2026-10-31T15:59:60.5-08:00\"", 1_793_491_200_500),
    ("\"2026-11-01T01:59:60+02:00\"", 1_793_491_200_000), ("1793536496", 1_793_536_496_000),
    ("1793536496789", 1_793_536_496_789), ("1793536496789999", 1_793_536_496_789), ("1793536496.0", 1_793_536_496_000),
    ("1.793536496e9", 1_793_536_496_000), ("\"2026-11-01T12:34:56.1Z\"", 1_793_536_496_100),
  ]) func instants(text: String, expected: Int) throws {
    #expect(try Self.event(Self.native(",\"timestamp\":" + text)).time == expected)
  }

  @Test(arguments: [
    "\"\"", "\"2026-11-01\"", "\"2026-11-01T12:34:56\"", "\"2026-11-01 12:34:56Z\"", "\"2026-02-29T00:00:00Z\"",
    "\"2026-11-01T24:00:00Z\"", "\"2026-11-01T12:34:56.Z\"", "\"2026-11-01T12:34:56+0200\"", "\"2026-11-01T12:34:60Z\"",
    "\"2026-10-30T23:59:60Z\"", "\"2026-11-01T12:34:56Zx\"", "\"1793536496\"", "1793536496.5", "true", "{}", "[]",
    "1793536496789000000", "1e300", "\"+2026-11-01T12:34:56Z\"",
  ]) func noInstants(text: String) {
    #expect(DecodeReasonTests.reason(Self.native(",\"timestamp\":" + text)) == "time_invalid")
  }

  @Test func limitsOfAgeAreAllowed() {
    let clock = DecodeGenerator.clock
    func reason(_ time: Int) -> String { DecodeReasonTests.reason(Self.native(",\"timestamp\":\(time)")) }
    #expect(reason(clock - 35 * 86_400_000) == "counted")
    #expect(reason(clock - 35 * 86_400_000 - 1) == "time_too_old")
    #expect(reason(clock + 3_600_000) == "counted")
    #expect(reason(clock + 3_600_001) == "time_too_new")
    #expect(reason(-1) == "time_too_old")
  }

  @Test func anEventWithoutTimeHasItsRecords() throws {
    let clock = DecodeGenerator.clock
    #expect(try Self.event(Self.native(""), timestamp: clock - 5).time == clock - 5)
    #expect(try Self.event(Self.native(",\"time\":null"), timestamp: -1).time == clock)
    // Never refused for it, and never later than the clock.
    #expect(try Self.event(Self.native(""), timestamp: 0).time == 0)
    #expect(try Self.event(Self.native(""), timestamp: clock + 86_400_000_000).time == clock)
  }

  // MARK: dimensions

  static let dimensional: CountingRules = {
    var rules = CountingRules()
    rules.features = ["f": FeatureRule(dimensions: ["a", "b"])]
    return rules
  }()

  @Test(
    arguments: [
      ("", [.absent, .absent]),
      (",\"dimensions\":{\"a\":\"1\",\"b\":1}", [.string("1"), .number("1")]),
      (",\"dimensions\":{\"b\":1.0,\"a\":10e-1}", [.number("1"), .number("1")]),
      (",\"metadata\":{\"a\":1},\"properties\":{\"a\":2,\"b\":3}", [.number("2"), .number("3")]),
      (
        ",\"metadata\":{\"b\":true},\"dimensions\":{\"a\":false,\"a\":true,\"b\":null}",
        [.boolean(false), .boolean(true)]
      ),
      (",\"dimensions\":{\"a\":\"\",\"\\u0062\":\"\\u00e9\"}", [.string(""), .string("\u{e9}")]),
      (",\"a\":\"native members are none\"", [.absent, .absent]),
      (",\"dimensions\":{\"a\":-0.0,\"b\":1e100}", [.number("0"), .number("1e100")]),
      (",\"dimensions\":{\"a\":-12.50,\"b\":0.0001}", [.number("-12.5"), .number("0.0001")]),
      (",\"dimensions\":null,\"properties\":{\"a\":\"x\"}", [.string("x"), .absent]),
    ] as [(String, [DimensionValue])]) func dimensions(members: String, expected: [DimensionValue]) throws
  {
    #expect(try Self.event(Self.native(members), Self.dimensional).dimensions == expected)
  }

  @Test func dimensionsOfTheWrongType() {
    func reason(_ members: String) -> String { DecodeReasonTests.reason(Self.native(members), rules: Self.dimensional) }
    #expect(reason(",\"dimensions\":{\"a\":{}}") == "wrong_type")
    #expect(reason(",\"dimensions\":\"a\"") == "wrong_type")
    #expect(reason(",\"dimensions\":{\"a\":1,\"b\":2},\"metadata\":[]") == "counted")
    #expect(reason(",\"dimensions\":{\"a\":1},\"metadata\":[]") == "wrong_type")
    #expect(reason(",\"dimensions\":{\"other\":{}}") == "counted")
    #expect(reason(",\"dimensions\":{\"a\":1e999999999999999999}") == "field_too_long")
    #expect(DecodeReasonTests.reason(Self.native(",\"dimensions\":[]")) == "counted")
  }

  // MARK: CloudEvents, as the SDKs write them

  @Test(arguments: [
    "{\"id\":\"idem-1\",\"time\":\"2026-11-01T12:34:56.789Z\",\"type\":\"usage.recorded\",\"source\":\"/meterd/producer-1\","
      + "\"specversion\":\"1.0\",\"datacontenttype\":\"application/json\",\"subject\":\"cus_1\","
      + "\"data\":{\"feature\":\"api\",\"value\":42}}",
    "{\"id\": \"idem-1\", \"source\": \"/meterd/producer-1\", \"type\": \"usage.recorded\", \"subject\": \"cus_1\", "
      + "\"time\": \"2026-11-01T14:34:56.789000+02:00\", \"datacontenttype\": \"application/json\", "
      + "\"data\": {\"feature\": \"api\", \"value\": 42}, \"specversion\": \"1.0\"}",
  ]) func structured(text: String) throws {
    let event = try Self.event(text)
    #expect(event.key == Array("idem-1".utf8) && event.source == Array("/meterd/producer-1".utf8))
    #expect(event.customer == Array("cus_1".utf8) && event.feature == Array("usage.recorded".utf8))
    #expect(event.units == 42_000_000_000 && event.time == 1_793_536_496_789)
  }

  static let headers = [
    ("ce_id", "idem \"\u{e9}\" 100%41"), ("ce_source", "/app"), ("ce_type", "f"), ("ce_subject", "cus_1"),
    ("ce_time", "2026-11-01T12:34:56.789000Z"), ("content-type", "application/json"), ("ce_specversion", "1.0"),
  ]

  @Test func binary() throws {
    let event = try Self.event(
      "{\"idempotencyKey\":\"unknown here\",\"value\":42,\"a\":\"x\",\"dimensions\":{\"b\":2}}", Self.dimensional,
      headers: Self.headers)
    #expect(event.key == Array("idem \"\u{e9}\" 100%41".utf8))
    #expect(event.customer == Array("cus_1".utf8) && event.units == 42_000_000_000)
    #expect(event.dimensions == [.string("x"), .number("2")])
    let overridden = try Self.event(
      "{\"amount\":1,\"customerId\":\"c2\",\"featureId\":\"g\",\"revert\":true}",
      headers: Self.headers + [("ce_revert", "True")])
    #expect(overridden.customer == Array("c2".utf8) && overridden.feature == Array("g".utf8) && overridden.isRevert)
    // Without the header that makes it an event, it is a native one without a key.
    #expect(
      DecodeReasonTests.decode("{\"value\":42}", headers: Self.headers.dropLast())
        == .failure(OracleReason("missing_key")))
    #expect(DecodeReasonTests.decode("null", headers: Self.headers) == .failure(OracleReason("not_an_object")))
  }

  @Test func eventsWithoutUsableDataHaveNoQuantity() {
    for data in [
      "", ",\"data\":null", ",\"data\":\"42\"", ",\"data\":42", ",\"data_base64\":\"AP9hYmM=\"", ",\"data\":[]",
    ] {
      let text = "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",\"type\":\"t\",\"subject\":\"c\"\(data)}"
      #expect(DecodeReasonTests.reason(text) == "missing_quantity", "\(data)")
    }
    // `specversion` null is absent: a native event, whose `id` is an unknown field.
    #expect(DecodeReasonTests.reason("{\"specversion\":null,\"id\":\"i\"}") == "missing_key")
  }

  // MARK: events.fields

  @Test func preferenceReplacesAmbiguity() throws {
    var rules = CountingRules()
    rules.fields.key = ["event_id", "transaction_id"]
    rules.fields.quantity = ["data.usage.tokens", "amount"]
    rules.fields.dimensions = ["labels", "data.labels"]
    rules.features = ["f": FeatureRule(dimensions: ["a"])]
    let both =
      ",\"transaction_id\":\"t\",\"event_id\":\"e\",\"labels\":{\"b\":1},\"data\":{\"usage\":{\"tokens\":7},\"labels\":{\"a\":1}}"
    let event = try Self.event(Self.native(both), rules)
    #expect(event.key == Array("e".utf8) && event.units == 7_000_000_000 && event.dimensions == [.number("1")])
    #expect(try Self.event(Self.native(",\"event_id\":null,\"transaction_id\":\"t\""), rules).key == Array("t".utf8))
    // The alias is an unknown field now.
    #expect(DecodeReasonTests.reason(Self.native(""), rules: rules) == "missing_key")
    #expect(
      DecodeReasonTests.reason(Self.native(",\"event_id\":\"a\",\"event_id\":\"b\""), rules: rules) == "ambiguous_field"
    )
    let twice = ",\"event_id\":\"e\",\"data\":{\"usage\":{\"tokens\":7}},\"data\":{\"usage\":{\"tokens\":8}}"
    #expect(DecodeReasonTests.reason(Self.native(twice), rules: rules) == "ambiguous_field")
  }

  // MARK: blocks

  @Test func slicesStayValidForABlock() throws {
    var rules = CountingRules()
    rules.features = ["f": FeatureRule(dimensions: ["a"])]
    var decoder = EventDecoder(rules: rules, partition: 0)
    let long = String(repeating: "\\u00e9", count: 10_000)
    var records: [[UInt8]] = []
    for index in 0..<64 {
      let text = "{\"idempotencyKey\":\"\\u006b\(index)\",\"customerId\":\"c\",\"featureId\":\"f\",\"amount\":\(index),"
      records.append(Array((text + "\"dimensions\":{\"a\":\"\(long)\(index)\"}}").utf8))
    }
    let blocks = UnsafeMutablePointer<UInt8>.allocate(capacity: records.map(\.count).reduce(0, +))
    defer { blocks.deallocate() }
    for _ in 0..<3 {
      decoder.resetScratch()
      var events = [DecodedEvent](repeating: DecodedEvent(), count: 64)
      var at = 0
      for (index, record) in records.enumerated() {
        (blocks + at).initialize(from: record, count: record.count)
        let view = RecordView(
          value: UnsafeRawBufferPointer(start: blocks + at, count: record.count), offset: Int64(index),
          timestampMilliseconds: 1)
        #expect(decoder.decode(view, clockMilliseconds: 1, into: &events[index]) == nil)
        at += record.count
      }
      for (index, event) in events.enumerated() {
        #expect(Array(event.key) == Array("k\(index)".utf8))
        let expected = String(repeating: "\u{e9}", count: 10_000) + String(index)
        #expect(DimensionEncoding.values(of: event.dimensions) == [.string(expected)])
      }
    }
  }
}
