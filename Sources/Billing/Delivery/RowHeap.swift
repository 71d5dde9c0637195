/// Rows by a key, the least first: finding it takes constant time, adding and removing logarithmic time.
///
/// Keys lie beside the handles: a comparison does not touch the row.
struct RowHeap<Key: Comparable> {
  struct Entry {
    var key: Key
    var row: DeliveryRow
  }
  private var entries: [Entry] = []

  var count: Int { entries.count }
  var isEmpty: Bool { entries.isEmpty }
  var first: DeliveryRow? { entries.first?.row }
  var firstKey: Key? { entries.first?.key }

  mutating func push(_ row: DeliveryRow, _ key: Key) {
    entries.append(Entry(key: key, row: row))
    let last = entries.count - 1
    entries.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      let entry = (base + last).move()
      var hole = last
      while hole > 0, entry.key < base[(hole - 1) / 2].key {
        (base + hole).moveInitialize(from: base + (hole - 1) / 2, count: 1)
        hole = (hole - 1) / 2
      }
      (base + hole).initialize(to: entry)
    }
  }

  @discardableResult
  mutating func popFirst() -> DeliveryRow? {
    guard let last = entries.popLast() else { return nil }
    guard let first = entries.first else { return last.row }
    entries[0] = last
    siftDown(0)
    return first.row
  }

  /// Drops rows that are no longer wanted, in linear time: for rows that are decided while they wait.
  mutating func removeAll(where isVoid: (DeliveryRow) -> Bool) {
    entries.removeAll { isVoid($0.row) }
    guard entries.count > 1 else { return }
    for index in stride(from: entries.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
  }

  private mutating func siftDown(_ start: Int) {
    let count = entries.count
    entries.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      let entry = (base + start).move()
      var hole = start
      while true {
        var child = 2 * hole + 1
        guard child < count else { break }
        if child + 1 < count, base[child + 1].key < base[child].key { child += 1 }
        guard base[child].key < entry.key else { break }
        (base + hole).moveInitialize(from: base + child, count: 1)
        hole = child
      }
      (base + hole).initialize(to: entry)
    }
  }
}

/// Rows by ``RowOrder``, the oldest first. Rows that come together are sorted once and taken from the front; what comes
/// back later goes through a heap. Taking a million rows out of one heap would cost more than all else.
struct RowQueue {
  private struct Run {
    var entries: [RowHeap<RowOrder>.Entry]
    var head = 0
  }
  private var heap = RowHeap<RowOrder>()
  private var runs: [Run] = []
  /// The run whose first row is the oldest of all runs'; nil without runs.
  private var oldestRun: Int?
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }
  var first: DeliveryRow? {
    firstIsInRun.map {
      $0 ? runs[oldestRun ?? 0].entries[runs[oldestRun ?? 0].head].row : heap.first
    } ?? nil
  }

  /// Whether the oldest row lies in a run; nil where there is none at all.
  private var firstIsInRun: Bool? {
    guard let run = oldestRun else { return heap.isEmpty ? nil : false }
    guard let key = heap.firstKey else { return true }
    return runs[run].entries[runs[run].head].key < key
  }

  mutating func push(_ row: DeliveryRow, _ key: RowOrder) {
    heap.push(row, key)
    count += 1
  }

  /// Rows in ascending order.
  mutating func push(sorted entries: [RowHeap<RowOrder>.Entry]) {
    guard !entries.isEmpty else { return }
    count += entries.count
    runs.append(Run(entries: entries))
    findOldestRun()
  }

  @discardableResult
  mutating func popFirst() -> DeliveryRow? {
    guard let isInRun = firstIsInRun else { return nil }
    count -= 1
    guard isInRun, let run = oldestRun else { return heap.popFirst() }
    let row = runs[run].entries[runs[run].head].row
    runs[run].head += 1
    if runs[run].head == runs[run].entries.count {
      runs.remove(at: run)
      findOldestRun()
    } else if runs.count > 1 {
      findOldestRun()
    }
    return row
  }

  private mutating func findOldestRun() {
    oldestRun = runs.indices.min {
      runs[$0].entries[runs[$0].head].key < runs[$1].entries[runs[$1].head].key
    }
  }

  /// Drops rows that are no longer wanted, in linear time.
  mutating func removeAll(where isVoid: (DeliveryRow) -> Bool) {
    heap.removeAll(where: isVoid)
    runs = runs.compactMap { run in
      let kept = run.entries[run.head...].filter { !isVoid($0.row) }
      return kept.isEmpty ? nil : Run(entries: kept)
    }
    count = heap.count + runs.reduce(0) { $0 + $1.entries.count }
    findOldestRun()
  }
}

/// Oldest timestamp first; ties by partition and place, so that runs repeat.
struct RowOrder: Comparable {
  let timestampMilliseconds: Int64
  let partition: Int32
  let row: UInt32
  let claim: UInt64

  static func < (left: Self, right: Self) -> Bool {
    if left.timestampMilliseconds != right.timestampMilliseconds {
      return left.timestampMilliseconds < right.timestampMilliseconds
    }
    if left.partition != right.partition { return left.partition < right.partition }
    if left.claim != right.claim { return left.claim < right.claim }
    return left.row < right.row
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
