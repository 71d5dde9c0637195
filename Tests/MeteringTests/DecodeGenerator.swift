import Foundation
import Metering
import TestSupport

/// Records that are valid, nearly valid, and broken on purpose.
struct DecodeGenerator {
  var random: SeededRandom
  static let clock = 1_793_536_496_789  // 2026-11-01T12:34:56.789Z

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  /// Configurations that every case may be judged by.
  static let rules: [CountingRules] = {
    var features = CountingRules()
    features.features = [
      "api_calls": FeatureRule(allowNegative: true), "logins": FeatureRule(aggregate: .count),
      "tokens": FeatureRule(dimensions: ["model", "region", "n"]),
      "gigabyte hours of storage in all regions": FeatureRule(aggregate: .count, dimensions: ["region"]),
    ]
    var strict = features
    strict.keyCheck = .strict
    strict.unknownFeature = .quarantine
    strict.missingKey = .offset
    var replaced = features
    replaced.fields.key = ["event_id", "transaction_id"]
    replaced.fields.quantity = ["tokens", "value"]
    replaced.fields.dimensions = ["metadata", "attributes"]
    replaced.keyCheck = .off
    var paths = features
    paths.fields.quantity = ["data.usage.tokens", "amount"]
    paths.fields.customer = ["subject", "customer.id", "customerId"]
    paths.fields.time = ["data.time", "time"]
    paths.fields.dimensions = ["data.attributes", "data", "dimensions"]
    var odd = features
    odd.fields.feature = ["value", "featureId"]
    odd.fields.source = []
    odd.fields.key = ["id", "idempotencyKey"]
    odd.maxAgeMilliseconds = 0
    odd.maxAheadMilliseconds = 0
    return [CountingRules(), features, features, strict, replaced, paths, odd]
  }()

  private static let names = [
    "idempotencyKey", "customerId", "featureId", "amount", "timestamp", "dimensions", "revert", "source",
    "idempotencyKey", "customerId", "featureId", "amount", "timestamp", "dimensions",
    "idempotency_key", "transaction_id", "event_id", "id", "customer_id", "tenantId", "stripeCustomerId",
    "external_customer_id", "subject", "feature_id", "featureKey", "poolKey", "productId", "metric", "event_name",
    "type", "quantity", "value", "time", "recorded_at", "properties", "metadata", "data", "specversion", "tokens",
    "customer", "attributes", "extra", "", "trace", "reason", "amoun", "amount ", "usage",
  ]

  mutating func input() -> DecodeOracle.Input {
    var input = DecodeOracle.Input(value: [], clock: Self.clock)
    if random.chance(70) { input.timestamp = Self.clock - random.below(100_000_000) + 1000 }
    var text = event()
    if random.chance(8) { input.headers = headers() }
    if random.chance(3) { text = string() }
    input.value = Array(text.utf8)
    if random.chance(50) { input.key = Array("cus_1".utf8) }
    if random.chance(35) { mutate(&input.value) }
    if random.chance(1) {
      input.value += [UInt8](repeating: 0x20, count: 65_530 - input.value.count + random.below(12))
    }
    return input
  }

  // MARK: events

  private mutating func event() -> String {
    var members: [String] = []
    let isEvent = random.chance(15)
    if isEvent {
      members = [
        "\"id\":\(string(of: ["idem-1", "idem-2"]))", "\"source\":\"/app\"", "\"subject\":\(string(of: ["cus_1"]))",
        "\"type\":\(string(of: features))", "\"data\":\(object(depth: 2))",
      ]
      if random.chance(95) { members.append("\"specversion\":\(random.pick(["\"1.0\"", "\"1.0\"", "null", "1"]))") }
      if random.chance(50) { members.append("\"time\":\(time())") }
    } else {
      members = [
        "\"idempotencyKey\":\(string(of: ["idem-1", "idem-2"]))", "\"customerId\":\(string(of: ["cus_1", "cus_2"]))",
        "\"featureId\":\(string(of: features))", "\"amount\":\(quantity())",
      ]
      if random.chance(60) { members.append("\"timestamp\":\(time())") }
      if random.chance(40) { members.append("\"dimensions\":\(dimensions())") }
    }
    if random.chance(12) { members.remove(at: random.below(members.count)) }
    while random.chance(28) { members.append(member(depth: 1)) }
    if random.chance(30) { members.shuffle(using: &random) }
    return assemble(members)
  }

  private let features = ["api_calls", "logins", "tokens", "other", "gigabyte hours of storage in all regions"]

  private mutating func assemble(_ members: [String]) -> String {
    switch random.below(10) {
    case 0:
      return " {\n  " + members.joined(separator: ",\n  ") + "\r\n}\t"
    case 1: return "{ " + members.map { spaced($0) }.joined(separator: " , ") + " }"
    case 2: return "{" + members.joined(separator: ", ") + "}" + random.pick(["", " ", "\n", "  "])
    default: return "{" + members.joined(separator: ",") + "}"
    }
  }

  /// Spaces around the first colon, which is the name's.
  private func spaced(_ member: String) -> String {
    guard let colon = member.range(of: "\":") else { return member }
    return member.replacingCharacters(in: colon, with: "\" : ")
  }

  private mutating func member(depth: Int) -> String {
    let name = random.pick(Self.names)
    let written = random.chance(6) ? escaped(name) : "\"\(name)\""
    let value: String
    switch random.below(10) {
    case 0...4: value = likely(name, depth)
    default: value = anything(depth)
    }
    return written + ":" + value
  }

  private mutating func likely(_ name: String, _ depth: Int) -> String {
    switch name {
    case "amount", "quantity", "value", "tokens": quantity()
    case "timestamp", "time", "recorded_at": time()
    case "dimensions", "properties", "metadata", "attributes": dimensions()
    case "data", "usage", "customer": object(depth: depth)
    case "revert": random.pick(["true", "true", "false", "null", "\"true\"", "1"])
    case "featureId", "feature_id", "metric", "type", "event_name": string(of: features)
    case "customerId", "customer_id", "subject", "tenantId": string(of: ["cus_1", "cus_2"])
    default: string(of: ["idem-1", "idem-2", "x"])
    }
  }

  private mutating func object(depth: Int) -> String {
    guard depth > 0 else { return "{}" }
    var members: [String] = []
    if random.chance(70) { members.append("\"amount\":\(quantity())") }
    if random.chance(20) { members.append("\"dimensions\":\(dimensions())") }
    if random.chance(20) { members.append("\"model\":\(dimension())") }
    if random.chance(20) { members.append("\"usage\":{\"tokens\":\(quantity())}") }
    while random.chance(30) { members.append(member(depth: depth - 1)) }
    return assemble(members)
  }

  private mutating func dimensions() -> String {
    if random.chance(6) { return anything(2) }
    var members: [String] = []
    if random.chance(70) { members.append("\"model\":\(dimension())") }
    if random.chance(60) { members.append("\"region\":\(dimension())") }
    if random.chance(40) { members.append("\"n\":\(dimension())") }
    while random.chance(20) {
      members.append("\(random.pick(["\"model\"", "\"mod\\u0065l\"", "\"other\""])):\(dimension())")
    }
    return assemble(members)
  }

  private mutating func dimension() -> String {
    switch random.below(10) {
    case 0: anything(1)
    case 1...3: quantity()
    case 4: random.pick(["true", "false", "null"])
    default: string(of: ["gpt-6", "eu", "", "1", "true"])
    }
  }

  // MARK: values

  private mutating func anything(_ depth: Int) -> String {
    switch random.below(8) {
    case 0: "null"
    case 1: random.pick(["true", "false"])
    case 2: quantity()
    case 3: time()
    case 4 where depth > 0: object(depth: depth - 1)
    case 5 where depth > 0: "[" + (0..<random.below(4)).map { _ in anything(depth - 1) }.joined(separator: ",") + "]"
    case 6 where random.chance(10):
      String(repeating: "[", count: 60 + random.below(8)) + String(repeating: "]", count: 60 + random.below(8))
    default: string()
    }
  }

  private mutating func quantity() -> String {
    if random.chance(60) { return String(random.below(1000)) }
    let number = random.pick([
      "0", "-0", "-1", "12.5", "1e3", "1E+3", "1.0000000000", "1e-9", "1e-10", "0e999999999999",
      "0.0e-99999999999999999999",
      "1e999999999999999999999", "999999999999999999", "999999999999999999.999999999", "1000000000000000000", "1e18",
      "0.1e19", "123456789012345678901234567890", "0.000000001", "0.0000000010", "-0.000000001", "1.5e-8", "100e-2",
      "99999999999999999.9999999999", "-7.25", "1e-400", "10000000000000000000000000000e-20", "1e99999999999999999",
      "00", "01", "1.", ".5", "+1", "1e", "0x10", "NaN", "-", "1e+", "1.e3", "--1",
      "0.00000000000000000000000000000000000000000000001", "1.50e100",
    ])
    return random.chance(25) ? "\"\(random.chance(85) ? number : " " + number)\"" : number
  }

  private mutating func time() -> String {
    let clock = Self.clock
    switch random.below(8) {
    case 0: return String(clock / 1000 - random.below(1000))
    case 1: return String(clock - random.below(1_000_000))
    case 2: return String(clock * 1000 - random.below(1_000_000_000))
    case 3:
      return random.pick([
        "1793536496.0", "1.793536496e9", "1793536496.5", "0", "-1", "99999999999", "100000000000", "99999999999999",
        "100000000000000", "1793536496789000000", "-62167219200", "-62167219200001000", "253402300799999999", "1e18",
        "1e300",
        "-100000000000001", "true", "null", "{}", "\"\"",
      ])
    case 4:
      return random.pick(
        [
          "2026-11-01T14:34:56.789000+02:00", "2026-11-01t12:34:56.789123456789z", "2026-10-31T23:59:60Z",
          "2026-10-30T23:59:60Z", "2026-11-01T01:59:60+02:00", "2026-10-31T15:59:60.5-08:00", "2026-11-01T12:34:56",
          "2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-31T00:00:00Z",
          "2026-11-01T24:00:00Z", "2026-11-01T12:60:00Z", "2026-11-01T12:34:61Z", "2026-11-01 12:34:56Z",
          "2026-11-01T12:34:56.Z", "2026-11-01T12:34:56+0200", "2026-11-01T12:34:56-00:00", "2026-11-01T12:34:56+24:00",
          "2026-11-01T12:34:56.7Z ", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-01", "1793536496",
          "2026-11-01T12:34:56.789-23:59", "2026-9-01T12:34:56Z", "02026-11-01T12:34:56Z", "2026-11-01T12:34:5\\u0036Z",
        ].map { "\"\($0)\"" })
    default:
      func two(_ bound: Int) -> String {
        let value = random.below(bound)
        return value < 10 ? "0\(value)" : "\(value)"
      }
      let fraction = random.pick(["", ".1", ".12", ".123", ".123456", ".000", ".9999"])
      let zone = random.pick(["Z", "Z", "Z", "z", "+02:00", "-05:30"])
      return
        "\"2026-\(random.pick(["10-31", "11-01", "10-30", "09-30", "11-02"]))T\(two(24)):\(two(60)):\(two(60))\(fraction)\(zone)\""
    }
  }

  /// Mostly one of the texts, as it is or escaped; else any string.
  private mutating func string(of texts: [String]) -> String {
    switch random.below(20) {
    case 0: string()
    case 1: anything(1)
    case 2: escaped(random.pick(texts))
    default: "\"\(random.pick(texts))\""
    }
  }

  private mutating func string() -> String {
    switch random.below(6) {
    case 0:
      "\""
        + random.pick([
          "Z\u{fc}rich", "Zu\u{308}rich", "客户-Zo\u{eb}-😀", "a\\\"b", "\\u5ba2\\ud83d\\ude00", "\\ud83d",
          "\\ude00\\ud83d",
          "\\u0000", "\\ud83d\\n", "a\\/b\\b\\f\\n\\r\\t", "\\x", "\\u12G4", "\\uD83D\\u0041", "\u{7f}\u{80}",
          "tab\tin", "\\",
          "a b", "\\ud800\\udfff\\udbff\\udc00", "\u{10ffff}\u{e000}\u{d7ff}",
        ]) + "\""
    case 1: "\"" + String(repeating: random.pick(["x", "\u{e9}", "\\u00e9"]), count: 120 + random.below(140)) + "\""
    case 2: "\"\""
    default:
      "\"" + (0..<random.below(40)).map { _ in random.pick(["a", "b", "-", "0", ":", ",", "{", "}"]) }.joined() + "\""
    }
  }

  private mutating func escaped(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      if random.chance(30), scalar.value < 0x80 {
        let digits = String(scalar.value, radix: 16, uppercase: random.chance(50))
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private mutating func headers() -> [(name: [UInt8], value: [UInt8])] {
    var headers: [(name: [UInt8], value: [UInt8])] = []
    func add(_ name: String, _ values: [String], _ percent: Int) {
      if random.chance(percent) { headers.append((Array(name.utf8), Array(random.pick(values).utf8))) }
    }
    add("ce_specversion", ["1.0", "1.0", "1.0", ""], 90)
    add("ce_id", ["idem-1", "", "idem \"\u{e9}\" 100%", String(repeating: "x", count: 257)], 90)
    add("ce_source", ["/app", ""], 70)
    add("ce_subject", ["cus_1", "cus_2"], 90)
    add("ce_type", features, 90)
    add("ce_time", ["2026-11-01T12:34:56.789Z", "1793536496", "2026-11-01T14:34:56.789000+02:00"], 50)
    add("ce_revert", ["true", "True", "false", "False", "TRUE"], 20)
    add("ce_id", ["idem-1", "idem-2"], 10)
    add("content-type", ["application/json"], 50)
    if random.chance(5) { headers.append((Array("ce_subject".utf8), [0xff, 0x41])) }
    return headers
  }

  // MARK: damage

  private mutating func mutate(_ bytes: inout [UInt8]) {
    for _ in 0...random.below(3) {
      guard !bytes.isEmpty else { return }
      let at = random.below(bytes.count)
      switch random.below(9) {
      case 0: bytes[at] ^= 1 << UInt8(random.below(8))
      case 1: bytes[at] = UInt8(random.below(256))
      case 2: bytes.removeSubrange(at...)
      case 3: bytes.remove(at: at)
      case 4: bytes.insert(random.pick(Array("{}[]\",:\\ \n0-.eE".utf8)), at: at)
      case 5: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + random.below(30))], at: at)
      case 6:
        bytes.insert(
          contentsOf: random.pick([
            [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe0, 0x80, 0x80], [0xc3], [0xf0, 0x9f, 0x98],
            [0x80],
            [0xf0, 0x9f, 0x98, 0x80], [0xc3, 0xa9], [0xef, 0xbb, 0xbf], [0x00], [0xfe],
          ]), at: at)
      case 7: bytes += Array(random.pick(["}", " ", "x", "{}", ",", "\n"]).utf8)
      default: bytes = Array(random.pick(["\u{feff}", " ", "["]).utf8) + bytes
      }
    }
  }
}
