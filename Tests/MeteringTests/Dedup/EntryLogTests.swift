import Testing

@testable import Metering

@Suite struct EntryLogTests {
  private func entry(_ number: Int) -> DedupEntry {
    DedupEntry(Fingerprint(first: UInt64(number) &* 0x9e37_79b9_7f4a_7c15 + 1, second: 7), check: UInt32(number))
  }

  private func numbers(of slice: EntrySlice) -> [UInt32] {
    slice.withBytes { $0.bindMemory(to: DedupEntry.self).map(\.check) }
  }

  /// Whether the log grows where it lies or the table goes on with a longer copy: a slice stays as it was taken.
  @Test(arguments: [0, 1 << 26]) func slicesOutliveTheirTable(reserved: Int) {
    var slices: [EntrySlice] = []
    do {
      var table = DedupTable(capacity: 4096, growingTo: reserved)
      for number in 0..<100_000 {
        #expect(table.checkOrInsert(entry(number).fingerprint, check: UInt32(number)) == nil)
        if number % 1_000 == 999 { slices.append(EntrySlice(table.log, from: number - 999, to: number + 1)) }
      }
    }
    #expect(slices.flatMap(numbers) == (0..<100_000).map { UInt32($0) })
  }

  @Test func theIndexTellsEachSightingOnce() {
    var index = DedupIndex(bucket: 5, memoryLimit: 1 << 20)
    func sight(_ numbers: Range<Int>) {
      for number in numbers { _ = index.sight(entry(number).fingerprint, check: UInt32(number)) }
    }
    sight(0..<10)
    sight(0..<10)
    #expect(index.newsCount == 10)
    #expect(index.takeNews().map { numbers(of: $0.entries).count } == [10])
    #expect(index.takeNews().isEmpty && index.newsCount == 0)
    sight(10..<13)
    index.advance(to: 6, at: 100)
    // Repeats in a later bucket are sightings of that bucket.
    sight(12..<15)
    #expect(index.newsCount == 6)
    let news = index.takeNews()
    #expect(news.map(\.bucket) == [5, 6])
    #expect(news.map { numbers(of: $0.entries) } == [[10, 11, 12], [12, 13, 14]])
    index.advance(to: 7, at: 200)
    #expect(index.takeNews().isEmpty)
  }
}
