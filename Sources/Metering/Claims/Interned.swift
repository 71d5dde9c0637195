/// Values as small numbers, in the order of their first appearance.
struct Interned<Value: Hashable> {
  private(set) var values: [Value] = []
  private var indices: [Value: Int32] = [:]

  mutating func index(of value: Value) -> Int32 {
    if let known = indices[value] { return known }
    let index = Int32(values.count)
    indices[value] = index
    values.append(value)
    return index
  }
}
