internal import CRdkafka

/// The headers of one record at a time: what is the same for all of them was made once, and two values are written over.
///
/// It goes round: from a ``HeaderStock`` into a record, and from the record's report into a ``HeaderPile`` and back. Who
/// has it owns it, until it is handed on; it is copied so that it can be remembered beside the record that has the list.
public struct ReusableHeaders: @unchecked Sendable, Equatable {
  // Unchecked: only who has the list writes through these pointers. They lead straight to the values, since the way by
  // way of the list takes three look-ups in memory that another core wrote last.
  let list: OpaquePointer
  /// Where it belongs in a stock.
  public let place: Int32
  private let first: UnsafeMutableRawPointer
  private let second: UnsafeMutableRawPointer
  private let firstCount: Int32
  private let secondCount: Int32

  init(
    list: OpaquePointer, place: Int32, first: UnsafeMutableRawBufferPointer, second: UnsafeMutableRawBufferPointer
  ) {
    self.list = list
    self.place = place
    // An empty value has an address, too.
    self.first = first.baseAddress ?? UnsafeMutableRawPointer(list)
    self.second = second.baseAddress ?? UnsafeMutableRawPointer(list)
    firstCount = Int32(truncatingIfNeeded: first.count)
    secondCount = Int32(truncatingIfNeeded: second.count)
  }

  /// Writes both values; `false`, and neither is written, where one has another length than it had.
  public func write(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Bool {
    guard first.count == Int(firstCount), second.count == Int(secondCount) else { return false }
    UnsafeMutableRawBufferPointer(start: self.first, count: first.count).copyMemory(from: first)
    UnsafeMutableRawBufferPointer(start: self.second, count: second.count).copyMemory(from: second)
    return true
  }

  /// Lets the memory go: nobody may have it any more.
  public func destroy() { rd_kafka_headers_destroy(list) }
}

/// Some headers on their way to a stock.
public struct HeaderPile: ~Copyable, Sendable {
  fileprivate var lists: [ReusableHeaders] = []

  /// None.
  public init() {}

  deinit { for headers in lists { headers.destroy() } }

  /// How many there are.
  public var count: Int { lists.count }

  /// Puts one on top.
  public mutating func push(_ headers: ReusableHeaders) { lists.append(headers) }

  /// Puts another pile's on top, the uppermost first, until there are `most`; the others stay there.
  public mutating func take(from other: inout HeaderPile, most: Int) {
    while lists.count < most, let next = other.lists.popLast() { lists.append(next) }
  }
}

/// Headers that are kept to be used again, in numbered places.
public struct HeaderStock: ~Copyable, Sendable {
  private var places: [[ReusableHeaders]]
  private let most: Int
  /// How many there are.
  public private(set) var count = 0

  /// An empty stock that keeps at most so many.
  public init(places: Int, most: Int) {
    self.places = Array(repeating: [], count: places)
    self.most = most
  }

  deinit {
    for place in places {
      for headers in place { headers.destroy() }
    }
  }

  /// Keeps some in their place, unless the stock is full: then they are destroyed.
  public mutating func push(_ headers: ReusableHeaders) {
    guard count < most else { return headers.destroy() }
    places[Int(headers.place)].append(headers)
    count += 1
  }

  /// Keeps those of a pile, the uppermost first, and leaves it empty.
  public mutating func take(from pile: inout HeaderPile) {
    while let headers = pile.lists.popLast() { push(headers) }
  }

  /// Takes what came to a place last. A full stock that has nothing there is emptied: nobody asks for what it has.
  public mutating func pop(at place: Int32) -> ReusableHeaders? {
    guard let headers = places[Int(place)].popLast() else {
      if count == most { self = HeaderStock(places: places.count, most: most) }
      return nil
    }
    count -= 1
    return headers
  }
}
