@testable import Kafka
import Testing

@Suite struct HeaderListTests {
  private func list(_ values: [String?]) -> HeaderList {
    let list = HeaderList(expecting: values.count)
    for value in values {
      guard let value else {
        list.add("name", nil)
        continue
      }
      Array(value.utf8).withUnsafeBytes { list.add("name", $0) }
    }
    return list
  }

  /// Headers of one value twice.
  private func reusable(_ value: String, at place: Int32 = 0) throws -> ReusableHeaders {
    let headers = list([value, value]).reusable(at: place, first: 0, second: 1)
    return try #require(headers)
  }

  private func writes(_ headers: ReusableHeaders, _ first: String, _ second: String) -> Bool {
    Array(first.utf8).withUnsafeBytes { first in
      Array(second.utf8).withUnsafeBytes { headers.write(first, $0) }
    }
  }

  // What is compared is taken out before: #expect copies what it is handed.

  @Test func onlyValuesOfTheSameLengthsAreWritten() throws {
    let made = list(["fixed", "abc", ""]).reusable(at: 7, first: 1, second: 2)
    let headers = try #require(made)
    defer { headers.destroy() }
    #expect(headers.place == 7)
    let written = [
      writes(headers, "xyz", ""), writes(headers, "xy", ""), writes(headers, "wxyz", ""), writes(headers, "xyz", "x"),
    ]
    #expect(written == [true, false, false, false])
  }

  @Test func aNullOrAMissingValueCannotBeWrittenOver() {
    let headers = [
      list(["a", nil]).reusable(at: 0, first: 0, second: 1), list(["a"]).reusable(at: 0, first: 0, second: 1),
      list([nil, "a"]).reusable(at: 0, first: 0, second: 1),
    ]
    #expect(headers == [nil, nil, nil])
  }

  @Test func aStockHandsOutWhatItsPlaceHas() throws {
    var stock = HeaderStock(places: 2, most: 2)
    let (one, two) = try (reusable("a", at: 0), reusable("bb", at: 1))
    stock.push(one)
    stock.push(two)
    // One more than it keeps.
    stock.push(try reusable("ccc", at: 1))
    let full = stock.count
    #expect(full == 2)
    let found = [stock.pop(at: 1), stock.pop(at: 1), stock.pop(at: 0)]
    #expect(found == [two, nil, one])
    for headers in found { headers?.destroy() }
  }

  @Test func aFullStockThatHasNothingForAPlaceIsEmptied() throws {
    var stock = HeaderStock(places: 2, most: 1)
    stock.push(try reusable("a", at: 0))
    let found = [stock.pop(at: 1), stock.pop(at: 0)]
    #expect(found == [nil, nil])
    let next = try reusable("bb", at: 1)
    stock.push(next)
    let popped = stock.pop(at: 1)
    #expect(popped == next)
    popped?.destroy()
  }

  @Test func aPileBringsHeadersToTheirPlaces() throws {
    var stock = HeaderStock(places: 2, most: 2)
    var pile = HeaderPile()
    let (two, three) = try (reusable("bb", at: 1), reusable("ccc", at: 1))
    pile.push(try reusable("a", at: 0))
    pile.push(two)
    pile.push(three)
    // The uppermost two: there is no room for the third.
    stock.take(from: &pile)
    let left = pile.count
    #expect(left == 0)
    let found = [stock.pop(at: 1), stock.pop(at: 1), stock.pop(at: 0)]
    #expect(found == [two, three, nil])
    for headers in found { headers?.destroy() }
  }

  @Test func aPileTakesFromAnotherOneUntilItHasEnough() throws {
    var pile = HeaderPile()
    var other = HeaderPile()
    let (two, three) = try (reusable("bb", at: 1), reusable("ccc", at: 0))
    other.push(try reusable("a", at: 0))
    other.push(two)
    other.push(three)
    pile.take(from: &other, most: 2)
    let counts = [pile.count, other.count]
    #expect(counts == [2, 1])
    var stock = HeaderStock(places: 2, most: 8)
    stock.take(from: &pile)
    let found = [stock.pop(at: 0), stock.pop(at: 0), stock.pop(at: 1)]
    #expect(found == [three, nil, two])
    for headers in found { headers?.destroy() }
  }
}
