internal import CRdkafka

/// Some lists of headers on their way to a stock, each with its place there.
public struct HeaderPile: ~Copyable, @unchecked Sendable {
  // Unchecked: as with one list.
  fileprivate var lists: [(list: OpaquePointer, place: Int)] = []

  /// None.
  public init() {}

  deinit { for (list, _) in lists { rd_kafka_headers_destroy(list) } }

  /// How many there are.
  public var count: Int { lists.count }

  /// Puts one on top.
  public mutating func push(_ list: consuming HeaderList, for place: Int) { lists.append((list.release(), place)) }

  /// Puts another pile's lists on top, the uppermost first, until there are `most`; the others stay there.
  public mutating func take(from other: inout HeaderPile, most: Int) {
    while lists.count < most, let next = other.lists.popLast() { lists.append(next) }
  }
}

/// Lists of headers that are kept to be used again, in numbered places.
public struct HeaderStock: ~Copyable, @unchecked Sendable {
  // Unchecked: as with one list.
  private var places: [[OpaquePointer]]
  private let most: Int
  /// How many lists there are.
  public private(set) var count = 0

  /// An empty stock that keeps at most so many lists.
  public init(places: Int, most: Int) {
    self.places = Array(repeating: [], count: places)
    self.most = most
  }

  deinit {
    for place in places {
      for list in place { rd_kafka_headers_destroy(list) }
    }
  }

  /// Keeps a list in a place, unless the stock is full: then it is destroyed.
  public mutating func push(_ list: consuming HeaderList, at place: Int) {
    guard count < most else { return }
    places[place].append(list.release())
    count += 1
  }

  /// Keeps the lists of a pile, the uppermost first, and leaves it empty.
  public mutating func take(from pile: inout HeaderPile) {
    while let (list, place) = pile.lists.popLast() { push(HeaderList(owning: list), at: place) }
  }

  /// Takes the list that came to a place last. A full stock that has none there is emptied: nobody asks for what it has.
  public mutating func pop(at place: Int) -> HeaderList? {
    guard let list = places[place].popLast() else {
      if count == most { self = HeaderStock(places: places.count, most: most) }
      return nil
    }
    count -= 1
    return HeaderList(owning: list)
  }
}
