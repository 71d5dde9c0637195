/// What a ``BinaryHeap`` orders.
protocol HeapElement {
  static func precedes(_ left: Self, _ right: Self) -> Bool
}

/// A binary heap: the first element by `precedes` in constant time, adding and removing it in logarithmic time.
///
/// The order is the element's own, not a closure, and elements carry what they are ordered by: so comparing two is some
/// instructions, without a reference being retained and followed. Hundreds of thousands of rows go through one.
struct BinaryHeap<Element: HeapElement> {
  private var elements: [Element] = []

  var count: Int { elements.count }
  var isEmpty: Bool { elements.isEmpty }
  var first: Element? { elements.first }

  mutating func push(_ element: Element) {
    elements.append(element)
    var child = elements.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard Element.precedes(elements[child], elements[parent]) else { break }
      elements.swapAt(child, parent)
      child = parent
    }
  }

  @discardableResult
  mutating func popFirst() -> Element? {
    guard let last = elements.popLast() else { return nil }
    guard let first = elements.first else { return last }
    elements[0] = last
    siftDown(0)
    return first
  }

  /// Drops elements that are no longer wanted, in linear time: for heaps whose elements become void in place.
  mutating func removeAll(where isVoid: (Element) -> Bool) {
    elements.removeAll(where: isVoid)
    guard elements.count > 1 else { return }
    for index in stride(from: elements.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
  }

  private mutating func siftDown(_ start: Int) {
    var parent = start
    while true {
      var least = parent
      let left = 2 * parent + 1
      if left < elements.count, Element.precedes(elements[left], elements[least]) { least = left }
      if left + 1 < elements.count, Element.precedes(elements[left + 1], elements[least]) { least = left + 1 }
      guard least != parent else { return }
      elements.swapAt(parent, least)
      parent = least
    }
  }
}

/// First in, first out, both in amortized constant time.
struct FIFO<Element> {
  private var elements: [Element?] = []
  private var head = 0

  var count: Int { elements.count - head }
  var isEmpty: Bool { head == elements.count }
  var first: Element? { isEmpty ? nil : elements[head] }

  mutating func append(_ element: Element) { elements.append(element) }

  @discardableResult
  mutating func popFirst() -> Element? {
    guard !isEmpty else { return nil }
    let element = elements[head]
    elements[head] = nil
    head += 1
    if head > 64, head * 2 > elements.count {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }

  /// Takes all elements out, in order.
  mutating func takeAll() -> [Element] {
    let all = elements[head...].compactMap { $0 }
    elements.removeAll(keepingCapacity: true)
    head = 0
    return all
  }
}
