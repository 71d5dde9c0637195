/// The name out of `names` that was probably meant by `name`, or `nil` where none is near: at most a third of its
/// characters differ (optimal string alignment: insertions, deletions, replacements and neighbours swapped).
public func nearestName(to name: String, among names: some Sequence<String>) -> String? {
  let typed = Array(name.lowercased().unicodeScalars)
  // A name may be refused at any length; comparing endless ones would only cost time.
  guard typed.count <= 128 else { return nil }
  var best: (name: String, distance: Int)?
  for candidate in names {
    let known = Array(candidate.lowercased().unicodeScalars)
    let distance = editDistance(typed, known)
    guard distance <= max(1, max(typed.count, known.count) / 3) else { continue }
    if distance < best?.distance ?? Int.max { best = (candidate, distance) }
  }
  return best?.name
}

private func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
  if left.isEmpty || right.isEmpty { return max(left.count, right.count) }
  var beforeLast = [Int](repeating: 0, count: right.count + 1)
  var last = Array(0...right.count)
  var present = last
  for i in 1...left.count {
    present[0] = i
    for j in 1...right.count {
      let replaced = last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1)
      present[j] = min(last[j] + 1, present[j - 1] + 1, replaced)
      if i > 1, j > 1, left[i - 1] == right[j - 2], left[i - 2] == right[j - 1] {
        present[j] = min(present[j], beforeLast[j - 2] + 1)
      }
    }
    (beforeLast, last, present) = (last, present, beforeLast)
  }
  return last[right.count]
}
