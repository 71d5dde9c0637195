import Metering
import Testing

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

private func fingerprint(_ number: UInt64) -> Fingerprint {
  var sip = SipHash128(key: FingerprintKey(low: 1, high: 2))
  sip.word(number, 1)
  let (first, second) = sip.finish(rounds: 3)
  return Fingerprint(first: first, second: second)
}

@Suite struct SipHashTests {
  /// The published vectors of SipHash-2-4-128: key 00 … 0f, messages of 0, 1, 2 … bytes 00, 01, 02 ….
  @Test(arguments: [
    (0, "a3817f04ba25a8e66df67214c7550293"),
    (1, "da87c1d86b99af44347659119b22fc45"),
    (2, "8177228da4a45dc7fca38bdef60affe4"),
    (3, "9c70b60c5267a94e5f33b6b02985ed51"),
  ]) func publishedVectors(length: Int, expected: String) throws {
    #expect(try hash(Array(0..<UInt8(length)), rounds: (2, 4)) == expected)
  }

  /// 15 and 63 bytes of the published vectors: whole words, and a tail that is read from within the slice.
  @Test func wholeWordsAndTailsAgreeWithAByteWiseReading() throws {
    for length in 0..<80 {
      let message = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 7 + 1) }
      // The same message at every alignment, surrounded by other bytes.
      let straight = try hash(message, rounds: (1, 3))
      for before in 1..<9 {
        let padded = [UInt8](repeating: 0xff, count: before) + message + [0xee, 0xdd]
        let shifted = try padded.withUnsafeBytes { all in
          try hash(UnsafeRawBufferPointer(rebasing: all[before..<before + length]), rounds: (1, 3))
        }
        #expect(shifted == straight)
      }
    }
  }

  private func hash(_ message: [UInt8], rounds: (Int, Int)) throws -> String {
    try message.withUnsafeBytes { try hash($0, rounds: rounds) }
  }

  private func hash(_ message: UnsafeRawBufferPointer, rounds: (Int, Int)) throws -> String {
    let key = try #require(FingerprintKey(bytes: Array(0..<16)))
    var sip = SipHash128(key: key)
    var tail = UInt64(message.count) << 56
    for start in stride(from: 0, to: message.count, by: 8) {
      let end = min(start + 8, message.count)
      let word = (start..<end).reduce(UInt64(0)) { $0 | UInt64(message[$1]) << UInt64(8 * ($1 - start)) }
      if end - start == 8 { sip.word(word, rounds.0) } else { tail |= word }
    }
    sip.word(tail, rounds.0)
    let (first, second) = sip.finish(rounds: rounds.1)
    return [first, second].flatMap { word in
      (0..<8).map { index -> String in
        let text = String(UInt8(truncatingIfNeeded: word >> UInt64(8 * index)), radix: 16)
        return text.count == 1 ? "0" + text : text
      }
    }.joined()
  }

  @Test func theFingerprintIsSipHashOfLengthsAndBytes() throws {
    // Built here byte by byte: lengths (4 + 4 bytes), source padded to whole words, key, in 1-3 rounds.
    let secret = try #require(FingerprintKey(bytes: (0..<16).map { $0 * 3 }))
    for (source, key) in [("", "k"), ("", "idempotency-key-0001"), ("src", "k"), ("a longer source", "12345678")] {
      var message: [UInt8] = [UInt8(source.utf8.count), 0, 0, 0, UInt8(key.utf8.count), 0, 0, 0]
      message += bytes(source)
      while message.count % 8 != 0 { message.append(0) }
      message += bytes(key)
      var sip = SipHash128(key: secret)
      let tail = message.withUnsafeBytes { sip.words($0) }
      sip.word(tail | UInt64(message.count) << 56, 1)
      let (first, second) = sip.finish(rounds: 3)
      let made = bytes(source).withUnsafeBytes { source in
        bytes(key).withUnsafeBytes { Fingerprint.of(source: source, key: $0, with: secret) }
      }
      #expect(made == Fingerprint(first: first, second: second))
    }
  }

  @Test func sourceAndKeyDoNotRunIntoEachOther() {
    let secret = FingerprintKey(low: 5, high: 6)
    func of(_ source: String, _ key: String) -> Fingerprint {
      bytes(source).withUnsafeBytes { source in
        bytes(key).withUnsafeBytes { Fingerprint.of(source: source, key: $0, with: secret) }
      }
    }
    #expect(of("a", "bc") != of("ab", "c"))
    #expect(of("", "abc") != of("abc", ""))
    #expect(of("a", "b") != of("a\0", "b"))
    #expect(of("a", "b") == of("a", "b"))
  }

  @Test func aKeyGoesThereAndBack() throws {
    let bytes = (0..<16).map { UInt8($0 * 11) }
    #expect(try #require(FingerprintKey(bytes: bytes)).bytes == bytes)
    #expect(FingerprintKey(bytes: [1, 2, 3]) == nil)
  }

  /// XXH64's published results.
  @Test(arguments: [("", 0xef46_db37_51d8_e999), ("abc", 0x44bc_2cf5_ad77_0999)] as [(String, UInt64)])
  func checksumVectors(text: String, expected: UInt64) {
    #expect(bytes(text).withUnsafeBytes { Checksum64.of($0) } == expected)
  }
}

@Suite struct DedupTableTests {
  @Test func itHoldsTheFirstCheckThroughGrowth() {
    var table = DedupTable(capacity: 4)
    for number: UInt64 in 0..<20_000 {
      if !table.hasRoom(for: 1) { table.grow() }
      #expect(table.checkOrInsert(fingerprint(number), check: UInt32(number)) == nil)
    }
    for number: UInt64 in 0..<20_000 {
      #expect(table.checkOrInsert(fingerprint(number), check: 77) == UInt32(number))
      #expect(table.check(of: fingerprint(number + 20_000)) == nil)
    }
    #expect(table.count == 20_000)
    #expect(table.bytes <= 20_000 * (16 + 12) && table.bytesWhenFull <= 20_000 * 44)
  }

  /// Where the addresses do not reach it moves once; the content is the same, and so is the order.
  @Test(arguments: [0, 1 << 20, 1 << 26]) func itGrowsWhereItLiesOrMoves(reserved: Int) {
    var table = DedupTable(capacity: 4096, growingTo: reserved)
    for number: UInt64 in 0..<400_000 {
      if !table.hasRoom(for: 1) {
        #expect(reserved < 1 << 26 || table.reachesDouble())
        let bound = table.bytesAfterDoubling()
        table.grow()
        #expect(table.bytesWhenFull <= bound)
      }
      _ = table.checkOrInsert(fingerprint(number), check: UInt32(number))
    }
    table.trim()
    var entries: [DedupEntry] = []
    table.forEachSorted { entries.append($0) }
    #expect(entries.count == 400_000 && table.count == 400_000)
    #expect(zip(entries, entries.dropFirst()).allSatisfy { DedupEntry.precedes($0, $1) })
    #expect((0..<400_000).allSatisfy { table.check(of: fingerprint($0)) == UInt32($0) })
  }

  /// Several sizes at once, before and amid the sightings, where it lies and where it has to move.
  @Test(arguments: [0, 1 << 26], [0, 1, 3, 2_000]) func itTakesRoomForWhatIsExpected(reserved: Int, held: Int) {
    var table = DedupTable(capacity: 16, growingTo: reserved)
    for number in 0..<held {
      if !table.hasRoom(for: 1) { table.grow() }
      _ = table.checkOrInsert(fingerprint(UInt64(number)), check: UInt32(number))
    }
    let times = table.doublings(for: 100_000)
    let bound = table.bytesAfterDoubling(times: times)
    table.grow(times: times)
    table.populate(for: 100_000, most: 1 << 20)
    #expect(table.bytesWhenFull <= bound)
    #expect(table.hasRoom(for: 100_000) && table.doublings(for: 100_000) == 0)
    let bytes = table.bytesWhenFull
    for number in held..<held + 100_000 {
      #expect(table.checkOrInsert(fingerprint(UInt64(number)), check: UInt32(number)) == nil)
    }
    #expect(table.bytesWhenFull == bytes, "it grew although it had room")
    #expect((0..<held + 100_000).allSatisfy { table.check(of: fingerprint(UInt64($0))) == UInt32($0) })
    table.populate(for: 100_000, most: .max)
    var entries: [DedupEntry] = []
    table.forEachSorted { entries.append($0) }
    #expect(entries.count == held + 100_000)
    #expect(zip(entries, entries.dropFirst()).allSatisfy { DedupEntry.precedes($0, $1) })
  }

  @Test func runsThatReachTheSpareSlotsOrTheFirstOneMoveWhole() {
    var table = DedupTable(capacity: 256)
    let firsts: [UInt64] = [1, 1 << 40, .max, .max - (1 << 50)]
    var held: [Fingerprint] = []
    for tail: UInt64 in 0..<120 {
      for first in firsts { held.append(Fingerprint(first: first &+ (first > 1 << 41 ? 0 : tail), second: tail)) }
    }
    for (number, one) in held.enumerated() { _ = table.checkOrInsert(one, check: UInt32(number)) }
    for _ in 0..<6 {
      table.grow()
      #expect(held.enumerated().allSatisfy { table.check(of: $1) == UInt32($0) })
    }
    var count = 0
    table.forEachSorted { _ in count += 1 }
    #expect(count == held.count)
  }

  @Test func itIsReadInFingerprintOrderEvenWhereRunsAreLong() {
    var table = DedupTable(capacity: 256)
    // The same home for all: the run lies in the spare slots.
    for tail: UInt64 in 0..<200 { _ = table.checkOrInsert(Fingerprint(first: .max - tail % 7, second: tail), check: 1) }
    for number: UInt64 in 0..<100 { _ = table.checkOrInsert(fingerprint(number), check: 2) }
    var entries: [DedupEntry] = []
    table.forEachSorted { entries.append($0) }
    #expect(entries.count == 300 && table.count == 300)
    #expect(zip(entries, entries.dropFirst()).allSatisfy { DedupEntry.precedes($0, $1) })
  }

  @Test func aFingerprintIsNeverAFreeSlot() {
    var table = DedupTable()
    let zero = Fingerprint(first: 0, second: 0)
    #expect(table.check(of: zero) == nil)
    #expect(table.checkOrInsert(zero, check: 0) == nil)
    #expect(table.check(of: zero) == 0)
  }
}

@Suite struct SegmentFilterTests {
  @Test func itNeverDeniesWhatItHolds() throws {
    let filter = SegmentFilter(keys: 5000)
    for number: UInt64 in 0..<5000 { filter.insert(fingerprint(number)) }
    #expect((0..<5000).allSatisfy { filter.mayContain(fingerprint($0)) })
    let copy = try #require(SegmentFilter(bytes: filter.bytes))
    #expect((0..<5000).allSatisfy { copy.mayContain(fingerprint($0)) })
    // Twelve bits a key: below one in a hundred.
    let wrong = (5000..<105_000).count { filter.mayContain(fingerprint($0)) }
    #expect(wrong < 1000)
    #expect(filter.bytes.count <= 5000 * 12 / 8 + 64)
  }
}
