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

  private func overwrites(_ list: borrowing HeaderList, _ index: Int, _ value: String) -> Bool {
    Array(value.utf8).withUnsafeBytes { list.overwrite(index, with: $0) }
  }

  /// The length of its first value; nil where there is no list.
  private func length(_ list: consuming HeaderList?) -> Int? {
    guard let list else { return nil }
    return list.valueLength(0)
  }

  // What is compared is taken out before: #expect copies what it is handed.

  @Test func onlyAValueOfTheSameLengthIsOverwritten() {
    let list = list(["abc", nil, ""])
    let count = list.count
    #expect(count == 3)
    let lengths = (0...3).map { list.valueLength($0) }
    #expect(lengths == [3, 0, 0, 0])
    let overwritten = [
      overwrites(list, 0, "xyz"), overwrites(list, 0, "xy"), overwrites(list, 0, "wxyz"), overwrites(list, 1, "x"),
      overwrites(list, 3, "x"),
    ]
    #expect(overwritten == [true, false, false, false, false])
  }

  @Test func aStockHandsOutWhatItsPlaceHas() {
    var stock = HeaderStock(places: 2, most: 2)
    stock.push(list(["a"]), at: 0)
    stock.push(list(["bb"]), at: 1)
    // One more than it keeps.
    stock.push(list(["ccc"]), at: 1)
    let full = stock.count
    #expect(full == 2)
    let found = [length(stock.pop(at: 1)), length(stock.pop(at: 1)), length(stock.pop(at: 0))]
    #expect(found == [2, nil, 1])
  }

  @Test func aFullStockThatHasNothingForAPlaceIsEmptied() {
    var stock = HeaderStock(places: 2, most: 1)
    stock.push(list(["a"]), at: 0)
    let found = [length(stock.pop(at: 1)), length(stock.pop(at: 0))]
    #expect(found == [nil, nil])
    stock.push(list(["bb"]), at: 1)
    let next = length(stock.pop(at: 1))
    #expect(next == 2)
  }

  @Test func aPileBringsListsToTheirPlaces() {
    var stock = HeaderStock(places: 2, most: 2)
    var pile = HeaderPile()
    pile.push(list(["a"]), for: 0)
    pile.push(list(["bb"]), for: 1)
    pile.push(list(["ccc"]), for: 1)
    // The uppermost two: there is no room for the third.
    stock.take(from: &pile)
    let left = pile.count
    #expect(left == 0)
    let found = [length(stock.pop(at: 1)), length(stock.pop(at: 1)), length(stock.pop(at: 0))]
    #expect(found == [2, 3, nil])
  }

  @Test func aPileTakesFromAnotherOneUntilItHasEnough() {
    var pile = HeaderPile()
    var other = HeaderPile()
    other.push(list(["a"]), for: 0)
    other.push(list(["bb"]), for: 1)
    other.push(list(["ccc"]), for: 0)
    pile.take(from: &other, most: 2)
    let counts = [pile.count, other.count]
    #expect(counts == [2, 1])
    var stock = HeaderStock(places: 2, most: 8)
    stock.take(from: &pile)
    let found = [length(stock.pop(at: 0)), length(stock.pop(at: 0)), length(stock.pop(at: 1))]
    #expect(found == [3, nil, 2])
  }
}
