import Foundation
import Metering
import TestSupport
import Testing

/// The decoder, by either path, says what the oracle says.
struct DecodeOracleTests {
  /// 20,000 in a debug build, a million in a release build; `METERD_DECODE_CASES` sets another number.
  static let cases: Int = {
    if let stated = ProcessInfo.processInfo.environment["METERD_DECODE_CASES"].flatMap({ Int($0) }) { return stated }
    var isDebug = false
    assert(
      {
        isDebug = true
        return true
      }())
    return isDebug ? 20_000 : 1_000_000
  }()
  static let lanes = 4

  @Test(arguments: 0..<lanes) func decodesAsTheOracleDoes(lane: Int) {
    let seed = UInt64(ProcessInfo.processInfo.environment["METERD_DECODE_SEED"].flatMap { UInt64($0) } ?? 1)
    var generator = DecodeGenerator(seed: seed &* 1000 &+ UInt64(lane))
    let decoders = DecodeRig()
    var reasons: [String: Int] = [:]
    var fast = 0
    var failures = 0
    for number in 0..<Self.cases / Self.lanes {
      let index = generator.random.below(DecodeGenerator.rules.count)
      let input = generator.input()
      let expected = DecodeOracle(rules: DecodeGenerator.rules[index]).judge(input)
      switch expected {
      case .success: reasons["", default: 0] += 1
      case .failure(let reason): reasons[reason.code, default: 0] += 1
      }
      if number % 64 == 0 { decoders.resetScratch() }
      for way in DecodeRig.Way.allCases {
        let (actual, wasFast) = decoders.decode(input, rules: index, way: way)
        if way == .fast, wasFast { fast += 1 }
        if actual != expected {
          failures += 1
          Issue.record(
            """
            case \(number) of lane \(lane), seed \(seed), rules \(index), \(way): \(actual), not \(expected)
            \(String(decoding: input.value.prefix(2000), as: UTF8.self)) headers \
            \(input.headers.map { String(decoding: $0.name, as: UTF8.self) + "=" + String(decoding: $0.value, as: UTF8.self) })
            """)
        }
      }
      if failures > 5 { return }
    }
    // The generator is worth something only while it reaches every reason, good events, and the fast path.
    let all = QuarantineReason.allCases.filter { $0 != .keyConflict }.map { "\($0.code)" }
    for code in all + [""] { #expect(reasons[code, default: 0] > 0, "no case of '\(code)' in \(reasons)") }
    #expect(fast * 10 > Self.cases / Self.lanes, "\(fast) cases went the fast path")
  }

  /// The oracle's reading of JSON is itself held against Foundation's.
  @Test func oracleReadsJSONAsFoundationDoes() {
    var generator = DecodeGenerator(seed: 77)
    var accepted = 0
    for _ in 0..<Self.cases / 4 {
      let bytes = generator.input().value
      let tree = try? OracleJSONParser.parse(bytes)
      let foundation = try? JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
      if let tree {
        accepted += 1
        guard !Self.hasHugeNumber(tree), !Self.hasByteOrderMark(bytes) else { continue }
        guard let foundation else {
          Issue.record("Foundation refuses \(String(decoding: bytes, as: UTF8.self))")
          continue
        }
        #expect(Self.isSame(tree, foundation), "\(String(decoding: bytes, as: UTF8.self))")
      } else if foundation != nil, !Self.isKnownDifference(bytes) {
        Issue.record("Foundation takes \(String(decoding: bytes, as: UTF8.self)) \(bytes)")
      }
    }
    #expect(accepted > 100)
  }

  /// Foundation drops U+FEFF wherever it stands.
  private static func hasByteOrderMark(_ bytes: [UInt8]) -> Bool {
    bytes.indices.contains { bytes[$0...].starts(with: [0xef, 0xbb, 0xbf]) }
  }

  /// What Foundation takes beyond RFC 8259 or our limits: byte-order marks, a comma before a brace, UTF-16 and UTF-32, more
  /// levels.
  private static func isKnownDifference(_ bytes: [UInt8]) -> Bool {
    let dense = bytes.filter { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }
    let hasLastComma = zip(dense, dense.dropFirst()).contains { $0 == UInt8(ascii: ",") && $1 == UInt8(ascii: "}") }
    return hasLastComma || hasByteOrderMark(bytes) || bytes.prefix(4).contains(0) || bytes.starts(with: [0xff, 0xfe])
      || bytes.starts(with: [0xfe, 0xff]) || bytes.filter { $0 == 0x5b || $0 == 0x7b }.count > 64
  }

  private static func hasHugeNumber(_ tree: OracleJSON) -> Bool {
    switch tree {
    case .number(let text): text.count > 15 || text.contains { $0 | 0x20 == 0x65 }
    case .object(let members, _): members.contains { hasHugeNumber($0.value) }
    case .array(let values, _): values.contains { hasHugeNumber($0) }
    default: false
    }
  }

  private static func isSame(_ tree: OracleJSON, _ other: Any) -> Bool {
    switch tree {
    case .string(let text): return (other as? String).map { Array($0.utf8) == text } ?? false
    case .null: return other is NSNull
    case .boolean(let truth): return (other as? Bool) == truth
    case .number(let text):
      return (other as? NSNumber).map { $0.doubleValue == Double(String(decoding: text, as: UTF8.self)) } ?? false
    case .array(let values, _):
      guard let others = other as? [Any], others.count == values.count else { return false }
      return zip(values, others).allSatisfy { isSame($0, $1) }
    case .object(let members, _):
      guard let others = other as? [String: Any] else { return false }
      // Of repeated names Foundation keeps one; and its dictionary knows names by canonical equivalence.
      let names = Set(members.map { String(decoding: $0.name, as: UTF8.self) })
      guard names.count == others.count else { return false }
      return names.allSatisfy { name in
        guard let found = others[name] else { return false }
        return members.contains { String(decoding: $0.name, as: UTF8.self) == name && isSame($0.value, found) }
      }
    }
  }
}
