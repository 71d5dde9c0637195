import Testing

@testable import Metering
import TestSupport

@Suite("Ledger digests and keys")
struct LedgerDigestTests {
  @Test("CRC-32C of the check string, and against the bitwise definition")
  func checksum() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([]) == 0)
    var random = SeededRandom(seed: 5)
    for _ in 0..<300 {
      let bytes = random.bytes(0...70)
      var crc = ~UInt32(0)
      for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
      }
      #expect(CRC32C.checksum(bytes) == ~crc)
    }
  }

  @Test("the reference vectors of SipHash-2-4 with 128 bits")
  func sipHash() {
    // Key 00…0f, message 00…(n−1), as in the reference implementation's vectors.
    let vectors: [(Int, String)] = [
      (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
    ]
    for (length, expected) in vectors {
      var hasher = DigestHasher(key0: 0x0706_0504_0302_0100, key1: 0x0f0e_0d0c_0b0a_0908)
      hasher.update((0..<length).map { UInt8($0) })
      let digest = hasher.finalized()
      let text = [digest.high, digest.low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
      }
      .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      #expect(text == expected)
    }
  }

  @Test("how bytes are cut into calls does not matter")
  func streaming() {
    var random = SeededRandom(seed: 6)
    for _ in 0..<300 {
      let bytes = random.bytes(0...60)
      var hasher = DigestHasher()
      var rest = bytes[...]
      while !rest.isEmpty {
        let part = rest.prefix(Int.random(in: 0...11, using: &random))
        hasher.update(Array(part))
        rest = rest.dropFirst(part.count)
      }
      #expect(hasher.finalized() == Digest(of: bytes))
      #expect(Digest(of: bytes) != Digest(of: bytes + [0]))
    }
  }

  @Test("a set's digest depends on where its chunks end")
  func sets() {
    #expect(SetDigest.of([[1, 2], [3]]) != SetDigest.of([[1], [2, 3]]))
    #expect(SetDigest.of([[]]) != SetDigest.of([]))
  }

  @Test("the chain depends on offset, bytes and order")
  func chain() {
    let first = Digest.ledgerStart.chained(offset: 0, bytes: [1])
    #expect(first != Digest.ledgerStart.chained(offset: 1, bytes: [1]))
    #expect(first != Digest.ledgerStart.chained(offset: 0, bytes: [2]))
    #expect(first.chained(offset: 1, bytes: [2]) != first.chained(offset: 2, bytes: [2]))
  }

  @Test("idempotency keys: characters, length, fixed text, unique by structure")
  func keys() {
    let incarnation = [UInt8](repeating: 0xff, count: 16)
    let longest = IdempotencyKey.text(
      incarnation: incarnation, sink: String(repeating: "s", count: 40), partition: -1,
      reference: RowReference(claim: .max, row: .max))
    #expect(longest.utf8.count == 97)
    #expect(
      IdempotencyKey.text(
        incarnation: Array(0..<16), sink: "stripe-live", partition: 3, reference: RowReference(claim: 40, row: 0))
        == "000g40o40k30e209185go38e1s.stripe-live.3.18.0")
    let names = ["a", "a.b", "a.b.c", "b", "", ".", "é", "a b", "_a", String(repeating: "s", count: 41), "1.2"]
    var keys: Set<String> = []
    var count = 0
    for name in names {
      for partition in [Int32(0), 1, 33] {
        for claim in [UInt64(0), 1, 31, 32, 1024] {
          for row in [UInt32(0), 1, 32] {
            let key = IdempotencyKey.text(
              incarnation: incarnation, sink: name, partition: partition,
              reference: RowReference(claim: claim, row: row))
            #expect(key.utf8.count <= 100)
            #expect(
              key.utf8.allSatisfy {
                $0 < 128
                  && (Character(UnicodeScalar($0)).isLetter
                    || Character(UnicodeScalar($0)).isNumber || "-_.".utf8.contains($0))
              })
            keys.insert(key)
            count += 1
          }
        }
      }
    }
    #expect(keys.count == count)
  }

  @Test("rules: the digest does not depend on the order of maps and sinks, and on everything else it does")
  func rules() throws {
    var rules = Sample.rules(sinks: [
      SinkRules(name: "b", provider: "stripe", featureNames: ["x": "1", "y": "2"], rowRules: Sample.whole),
      SinkRules(name: "a", provider: "log", rowRules: Sample.exact, start: .instant(-5), isRetired: true),
    ])
    rules.counting.features = ["t": FeatureRule(dimensions: ["m", "n"]), "c": FeatureRule(aggregate: .count)]
    rules.counting.fields.key = ["event_id", "data.key"]
    let digest = rules.digest
    var turned = rules
    turned.sinks.reverse()
    #expect(turned.digest == digest)
    #expect(try BillingRules(decoding: rules.encoded) == turned)
    #expect(digest.hexadecimal == LedgerGolden.rules)
    let changes: [(inout BillingRules) -> Void] = [
      { $0.version = 2 }, { $0.counting.maxAgeMilliseconds += 1 }, { $0.counting.maxAheadMilliseconds += 1 },
      { $0.counting.missingKey = .offset }, { $0.counting.unknownFeature = .quarantine },
      { $0.counting.keyCheck = .strict }, { $0.counting.fields.key = [] }, { $0.counting.fields.time = ["t"] },
      { $0.counting.windowMilliseconds += 1 }, { $0.counting.timeSlotMilliseconds += 1 },
      { $0.counting.features["t"]?.dimensions = ["n", "m"] }, { $0.counting.features["u"] = FeatureRule() },
      { $0.counting.features["t"]?.allowNegative = true }, { $0.sinks[0].name = "c" }, { $0.sinks[0].account = "z" },
      { $0.sinks[0].featureNames["x"] = "3" }, { $0.sinks[0].takesOtherFeatures = false },
      { $0.sinks[0].contractVersion = 2 }, { $0.sinks[0].rowRules.greatestUnits = 7 },
      { $0.sinks[0].rowRules.stepUnits = 1 }, { $0.sinks[0].rowRules.allowsNegative = true },
      { $0.sinks[0].start = .earliest }, { $0.sinks[0].isRetired = true }, { $0.sinks.removeLast() },
    ]
    var digests: Set<Digest> = [digest]
    for change in changes {
      var changed = rules
      change(&changed)
      digests.insert(changed.digest)
    }
    #expect(digests.count == changes.count + 1)
    #expect(try rules.encodedForLedger() == rules.encoded)
    let unreadable: [(inout BillingRules) -> Void] = [
      { $0.sinks[0].name = "a" }, { $0.sinks[0].rowRules.stepUnits = 0 }, { $0.sinks[0].rowRules.greatestUnits = 0 },
      { $0.counting.timeSlotMilliseconds = 0 }, { $0.counting.windowMilliseconds = -1 },
    ]
    for change in unreadable {
      var changed = rules
      change(&changed)
      #expect(throws: LedgerCodecError.self) { try changed.encodedForLedger() }
    }
  }

  @Test("rules that are too many for one record are refused before the broker refuses them; the most fit GENESIS, too")
  func greatestRules() throws {
    var rules = Sample.rules()
    let room = BillingRules.greatestEncodedBytes - rules.encoded.count
    // Its length takes three bytes where an empty text's takes one.
    rules.sinks[0].account = String(repeating: "a", count: room - 2)
    let bytes = try rules.encodedForLedger()
    #expect(bytes.count == BillingRules.greatestEncodedBytes)
    let genesis = LedgerCodec.encode(
      .genesis(Sample.genesis(rules), rules: bytes), identity: RecordIdentity(nonce: .max, sequence: 0))
    #expect(genesis.count < 1_000_000)
    rules.sinks[0].account += "a"
    #expect(throws: LedgerCodecError.tooLarge(bytes: bytes.count + 1, limit: BillingRules.greatestEncodedBytes)) {
      try rules.encodedForLedger()
    }
  }
}
