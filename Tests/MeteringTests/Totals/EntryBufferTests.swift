import Testing

@testable import Metering

@Suite struct EntryBufferTests {
  /// From the allocator's memory to a region, which grows where it lies.
  @Test(arguments: [64, 1 << 16]) func everythingThatWasAppendedIsThere(capacity: Int) {
    let buffer = EntryBuffer(capacity: capacity)
    func entry(_ number: Int) -> DedupEntry {
      DedupEntry(Fingerprint(first: UInt64(number) + 1, second: UInt64(number) * 3), check: UInt32(number))
    }
    for block in 0..<2_500 {
      buffer.reserve(100)
      for number in 0..<100 { buffer.append(entry(block * 100 + number)) }
    }
    #expect(buffer.count == 250_000)
    let entries = buffer.bytes.bindMemory(to: DedupEntry.self)
    #expect(entries.count == 250_000 && entries.indices.allSatisfy { entries[$0] == entry($0) })
  }
}
