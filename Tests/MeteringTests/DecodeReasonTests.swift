import Metering
import Testing

/// Every reason, what it says of itself, and the order in which they come.
struct DecodeReasonTests {
  static let good = [
    "idempotencyKey": "\"k\"", "customerId": "\"c\"", "featureId": "\"f\"", "amount": "1",
  ]

  /// One event with some members replaced or removed, judged by all ways at once.
  static func decode(
    _ changes: [String: String?] = [:], rules: CountingRules = CountingRules(), key: String = "c"
  ) -> Result<DecodeOracle.Event, OracleReason> {
    var members = good
    for (name, value) in changes { members[name] = value }
    let text = "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
    return decode(text, rules: rules, key: key)
  }

  static func decode(
    _ text: String, rules: CountingRules = CountingRules(), key: String = "c",
    headers: [(String, String)] = [], timestamp: Int = -1
  ) -> Result<DecodeOracle.Event, OracleReason> {
    var input = DecodeOracle.Input(value: Array(text.utf8), key: Array(key.utf8))
    input.clock = DecodeGenerator.clock
    input.timestamp = timestamp
    input.headers = headers.map { (Array($0.0.utf8), Array($0.1.utf8)) }
    let rig = DecodeRig([rules])
    let result = rig.decode(input, way: .general).result
    for way in DecodeRig.Way.allCases { #expect(rig.decode(input, way: way).result == result, "\(way): \(text)") }
    return result
  }

  static func reason(_ changes: [String: String?], rules: CountingRules = CountingRules(), key: String = "c") -> String
  {
    if case .failure(let reason) = decode(changes, rules: rules, key: key) { return reason.code }
    return "counted"
  }

  static func reason(_ text: String, rules: CountingRules = CountingRules(), key: String = "c") -> String {
    if case .failure(let reason) = decode(text, rules: rules, key: key) { return reason.code }
    return "counted"
  }

  @Test func sizeComesFirst() throws {
    #expect(Self.reason("") == "empty_value")
    let event = "{\"idempotencyKey\":\"k\",\"customerId\":\"c\",\"featureId\":\"f\",\"amount\":1}"
    let largest = event + String(repeating: " ", count: 65_536 - event.utf8.count)
    #expect(Self.reason(largest) == "counted")
    #expect(Self.reason(largest + " ") == "record_too_large")
    #expect(Self.reason(String(repeating: "x", count: 65_537)) == "record_too_large")
  }

  @Test(arguments: [
    " ", "{", "}", "{}x", "{} {}", "{\"a\":1,}", "{\"a\" 1}", "{\"a\":}", "{a:1}", "[1,]", "{\"a\":01}", "{\"a\":tru}",
    "{\"a\":\"\\ud83d\"}", "{\"a\":\"\\ude00\"}", "{\"a\":\"\\ud83dx\"}", "{\"a\":\"\\ud83d\\n\"}", "{\"a\":\"\\x\"}",
    "{\"a\":\"\t\"}", "{\"a\":\"", "{\"a\":\"\\", "\u{feff}{}", "{\"a\":'b'}", "nul", "{\"a\":1}//", "{\"a\":NaN}",
    "{\"a\":\"\\u12\"}", "{\"a\":\"\\ud83d\\u0041\"}", "{\"a\":1e}", "{\"a\":-}", "{,}", "[", "{\"a\":[}",
  ]) func malformed(text: String) {
    #expect(Self.reason(text) == "malformed_json")
  }

  @Test(
    arguments: [
      [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe0, 0x9f, 0xbf], [0xf0, 0x8f, 0xbf, 0xbf], [0xc3],
      [0x80],
      [0xf8, 0x88, 0x80, 0x80, 0x80], [0xff], [0xe2, 0x82], [0xc3, 0x22],
    ] as [[UInt8]]) func malformedUTF8IsMalformedEvenInAnUnknownField(bytes: [UInt8])
  {
    let prefix = Array("{\"idempotencyKey\":\"k\",\"customerId\":\"c\",\"featureId\":\"f\",\"amount\":1,\"x\":\"".utf8)
    var input = DecodeOracle.Input(value: prefix + bytes + Array("\"}".utf8))
    input.clock = DecodeGenerator.clock
    let rig = DecodeRig([CountingRules()])
    for way in DecodeRig.Way.allCases {
      #expect(rig.decode(input, way: way).result == .failure(OracleReason("malformed_json")))
    }
  }

  @Test func nestingHasSixtyFourLevels() {
    func nested(_ levels: Int) -> String {
      "{\"idempotencyKey\":\"k\",\"customerId\":\"c\",\"featureId\":\"f\",\"amount\":1,\"x\":"
        + String(repeating: "[", count: levels - 1) + String(repeating: "]", count: levels - 1) + "}"
    }
    #expect(Self.reason(nested(64)) == "counted")
    #expect(Self.reason(nested(65)) == "malformed_json")
    #expect(Self.reason(String(repeating: "[", count: 65_536)) == "malformed_json")
    #expect(Self.reason(String(repeating: "{\"\":", count: 16_000)) == "malformed_json")
  }

  @Test(arguments: ["[]", "1", "\"x\"", "null", "true", " [1] "]) func notAnObject(text: String) {
    #expect(Self.reason(text) == "not_an_object")
  }

  @Test func missing() {
    #expect(Self.reason("{}") == "missing_key")
    #expect(Self.reason(["idempotencyKey": "null", "customerId": nil]) == "missing_key")
    #expect(Self.reason(["customerId": nil, "featureId": nil]) == "missing_customer")
    #expect(Self.reason(["featureId": "null", "amount": nil]) == "missing_feature")
    #expect(Self.reason(["amount": nil, "idempotencyKey": "1"]) == "missing_quantity")
    var rules = CountingRules()
    rules.features = ["f": FeatureRule(aggregate: .count)]
    #expect(Self.reason(["amount": nil], rules: rules) == "counted")
    rules.missingKey = .offset
    guard case .success(let event) = Self.decode(["idempotencyKey": nil], rules: rules) else {
      Issue.record("not counted")
      return
    }
    #expect(!event.hasKey && event.key.isEmpty && event.isCount)
    #expect(Self.reason(["idempotencyKey": "\"\""], rules: rules) == "field_empty")
  }

  @Test func typeAndLength() {
    let long = "\"" + String(repeating: "\u{e9}", count: 128) + "x\""
    let fits = "\"" + String(repeating: "\\u00e9", count: 128) + "\""
    for name in ["idempotencyKey", "customerId", "featureId", "source"] {
      for wrong in ["1", "true", "[]", "{}"] { #expect(Self.reason([name: wrong]) == "wrong_type") }
      #expect(Self.reason([name: long]) == "field_too_long")
      #expect(Self.reason([name: fits]) == "counted")
      #expect(Self.reason([name: "\"\""]) == (name == "source" ? "counted" : "field_empty"))
    }
    // Key before customer before feature before source; type and length of each before the next.
    #expect(Self.reason(["idempotencyKey": "\"\"", "customerId": "1"]) == "field_empty")
    #expect(Self.reason(["customerId": long, "featureId": "\"\""]) == "field_too_long")
    #expect(Self.reason(["featureId": "\"\"", "source": "1"]) == "field_empty")
    #expect(Self.reason(["source": "1", "amount": "\"\""]) == "wrong_type")
  }

  @Test func ambiguous() {
    #expect(Self.reason(["customer_id": "\"d\"", "idempotencyKey": nil]) == "ambiguous_field")
    #expect(Self.reason(["customer_id": "\"\\u0063\""]) == "counted")
    #expect(Self.reason(["customer_id": "null"]) == "counted")
    #expect(Self.reason(["quantity": "\"1.000\"", "value": "10e-1"]) == "counted")
    #expect(Self.reason(["quantity": "1.0000000001"]) == "ambiguous_field")
    #expect(Self.reason(["timestamp": "\"2026-11-01T12:34:56Z\"", "time": "1793536496"]) == "counted")
    #expect(Self.reason(["timestamp": "\"2026-11-01T12:34:56Z\"", "time": "1793536497"]) == "ambiguous_field")
    #expect(Self.reason(["timestamp": "\"never\"", "time": "\"ever\""]) == "ambiguous_field")
    let twice = "{\"idempotencyKey\":\"k\",\"customerId\":\"c\",\"featureId\":\"f\",\"amount\":1,"
    #expect(Self.reason(twice + "\"revert\":true,\"revert\":true}") == "counted")
    #expect(Self.reason(twice + "\"revert\":true,\"revert\":false}") == "ambiguous_field")
    #expect(Self.reason(twice + "\"customerId\":\"c\"}") == "counted")
    #expect(Self.reason(twice + "\"customerId\":1}") == "ambiguous_field")
    #expect(Self.reason(twice + "\"amount\":2}") == "ambiguous_field")
    // "e" with an accent, composed and not: no normalization.
    #expect(Self.reason(["customerId": "\"\u{e9}\"", "tenantId": "\"e\u{301}\""]) == "ambiguous_field")
  }

  @Test func quantity() {
    for wrong in ["\"\"", "\" 1\"", "\"1 \"", "\"+1\"", "\"0x1\"", "true", "[1]", "{}", "\"NaN\"", "\"1,5\"", "\"٣\""] {
      #expect(Self.reason(["amount": wrong, "revert": "1", "timestamp": "1"]) == "wrong_type", "\(wrong)")
    }
    for inexact in ["1e-10", "0.0000000001", "1e-400", "1e18.5", "1.23456789012", "1000000000000000000.0000000001"]
    where inexact != "1e18.5" {
      #expect(Self.reason(["amount": inexact]) == "quantity_not_exact", "\(inexact)")
    }
    for beyond in ["1e18", "-1000000000000000000", "1e999999999999999999999", "\"1e400\""] {
      #expect(Self.reason(["amount": beyond]) == "quantity_out_of_range", "\(beyond)")
    }
    #expect(Self.reason(["amount": "-1", "revert": "1"]) == "quantity_negative")
    #expect(Self.reason(["amount": "1", "revert": "\"true\"", "timestamp": "true"]) == "wrong_type")
    var rules = CountingRules()
    rules.features = ["f": FeatureRule(allowNegative: true)]
    for (text, units) in [
      ("12", 12_000_000_000), ("-0", 0), ("0e999999999999", 0), ("1e3", 1_000_000_000_000),
      ("1.0000000000", 1_000_000_000),
      ("1e-9", 1), ("-0.000000001", -1), ("\"12.50\"", 12_500_000_000), ("100e-2", 1_000_000_000),
      ("999999999999999999.999999999", 999_999_999_999_999_999_999_999_999), ("\"\\u0031\"", 1_000_000_000),
      ("10000000000000000000000000000e-20", 100_000_000_000_000_000),
    ] as [(String, Int128)] {
      guard case .success(let event) = Self.decode(["amount": text], rules: rules) else {
        Issue.record("\(text) is not counted")
        continue
      }
      #expect(event.units == units, "\(text)")
    }
  }

  @Test func featureRulesAndKey() {
    var rules = CountingRules()
    rules.unknownFeature = .quarantine
    rules.keyCheck = .strict
    #expect(Self.reason([:], rules: rules, key: "other") == "unknown_feature")
    #expect(Self.reason(["timestamp": "\"\""], rules: rules) == "time_invalid")
    rules.features = ["f": FeatureRule(dimensions: ["d"])]
    #expect(Self.reason([:], rules: rules, key: "other") == "key_mismatch")
    #expect(Self.reason([:], rules: rules, key: "") == "key_mismatch")
    #expect(Self.reason(["dimensions": "{\"d\":[]}"], rules: rules, key: "other") == "wrong_type")
    #expect(Self.reason([:], rules: rules) == "counted")
    rules.keyCheck = .warn
    guard case .success(let warned) = Self.decode([:], rules: rules, key: "other") else {
      Issue.record("not counted")
      return
    }
    #expect(!warned.keyMatchesCustomer)
    rules.keyCheck = .off
    guard case .success(let unchecked) = Self.decode([:], rules: rules, key: "other") else {
      Issue.record("not counted")
      return
    }
    #expect(unchecked.keyMatchesCustomer)
  }

  @Test func detailSaysWhatAndWhere() {
    func detail(_ text: String, _ rules: CountingRules = CountingRules()) -> String {
      let rig = DecodeRig([rules])
      _ = rig.decode(DecodeOracle.Input(value: Array(text.utf8), clock: DecodeGenerator.clock), way: .general)
      return rig.detail()
    }
    #expect(detail("{\"a\":1,}") == "byte 7")
    #expect(detail("{\"idempotencyKey\":\"k\"}") == "customer")
    let event = "{\"idempotencyKey\":\"k\",\"customerId\":12,\"featureId\":\"f\",\"amount\":1}"
    #expect(detail(event) == "customer at byte 35")
    #expect(detail("") == "record")
    var rules = CountingRules()
    rules.features = ["f": FeatureRule(dimensions: ["model"])]
    let wrong =
      "{\"idempotencyKey\":\"k\",\"customerId\":\"c\",\"featureId\":\"f\",\"amount\":1,\"dimensions\":{\"model\":{}}}"
    #expect(detail(wrong, rules) == "dimension model at byte 88")
  }
}
