/// Sorting by a small integer first: what takes logarithmic time for each of a million rows is linear where each customer
/// has a few.
enum Grouped {
  /// The elements by their groups, 0 ..< `groups`, and sorted within each by `precedes`, in which no two are equal.
  @inline(__always) static func sorted<Element: BitwiseCopyable>(
    _ elements: [Element], groups: Int, group: (Element) -> Int, by precedes: (Element, Element) -> Bool
  ) -> [Element] {
    // Where each group begins.
    var starts = [Int](repeating: 0, count: groups + 1)
    for element in elements { starts[group(element) + 1] += 1 }
    for number in 0..<groups { starts[number + 1] += starts[number] }
    return [Element](unsafeUninitializedCapacity: elements.count) { sorted, count in
      var next = starts
      for element in elements {
        let number = group(element)
        sorted.initializeElement(at: next[number], to: element)
        next[number] += 1
      }
      count = elements.count
      for number in 0..<groups {
        sort(UnsafeMutableBufferPointer(rebasing: sorted[starts[number]..<starts[number + 1]]), by: precedes)
      }
    }
  }

  /// Most groups are short: each element is put in its place among those before it.
  @inline(__always) private static func sort<Element>(
    _ elements: UnsafeMutableBufferPointer<Element>, by precedes: (Element, Element) -> Bool
  ) {
    if elements.count > 24 {
      var elements = elements
      return elements.sort(by: precedes)
    }
    var index = 1
    while index < elements.count {
      let element = elements[index]
      var hole = index
      while hole > 0, precedes(element, elements[hole - 1]) {
        elements[hole] = elements[hole - 1]
        hole -= 1
      }
      elements[hole] = element
      index += 1
    }
  }
}
