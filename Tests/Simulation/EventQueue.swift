/// What happens next in virtual time: a binary heap by (time, order of scheduling), so that a run is one history.
struct EventQueue {
  struct Event {
    var time: Int64
    var order: UInt64
    var run: () -> Void
  }

  private var heap: [Event] = []
  private var order: UInt64 = 0

  var isEmpty: Bool { heap.isEmpty }
  var nextTime: Int64? { heap.first?.time }

  mutating func schedule(at time: Int64, _ run: @escaping () -> Void) {
    order += 1
    heap.append(Event(time: time, order: order, run: run))
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard precedes(heap[child], heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> Event? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      var parent = 0
      while true {
        var least = parent
        for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
          if precedes(heap[child], heap[least]) { least = child }
        }
        if least == parent { break }
        heap.swapAt(parent, least)
        parent = least
      }
    }
    return first
  }

  private func precedes(_ a: Event, _ b: Event) -> Bool { (a.time, a.order) < (b.time, b.order) }
}
