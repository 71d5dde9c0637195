import CAllocations

/// Time and allocations by stage, in the order in which the stages first ran.
final class Stages {
  private struct Cost {
    var name: String
    var nanoseconds: Int64 = 0
    var allocations: UInt64 = 0
  }
  private var costs: [Cost] = []

  func measure<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
    let index = costs.firstIndex { $0.name == name } ?? costs.count
    if index == costs.count { costs.append(Cost(name: name)) }
    let allocations = allocations_so_far()
    let start = ContinuousClock.now
    defer {
      let elapsed = (ContinuousClock.now - start).components
      costs[index].nanoseconds += elapsed.seconds * 1_000_000_000 + elapsed.attoseconds / 1_000_000_000
      costs[index].allocations += allocations_so_far() - allocations
    }
    return try body()
  }

  /// Nanoseconds a row of all stages.
  func total(rows: Int) -> Double { costs.reduce(0) { $0 + Double($1.nanoseconds) } / Double(rows) }

  func print(rows: Int) {
    func line(_ name: String, _ nanoseconds: Double, _ allocations: Double) {
      let time = String(Int((nanoseconds / Double(rows)).rounded()))
      let count = String((allocations / Double(rows) * 100).rounded() / 100)
      Swift.print(
        name + String(repeating: " ", count: max(1, 34 - name.count))
          + String(repeating: " ", count: max(0, 8 - time.count)) + time
          + String(repeating: " ", count: max(1, 14 - count.count)) + count)
    }
    Swift.print("stage                               ns a row  allocations a row")
    for cost in costs { line(cost.name, Double(cost.nanoseconds), Double(cost.allocations)) }
    line(
      "all", costs.reduce(0) { $0 + Double($1.nanoseconds) }, costs.reduce(0) { $0 + Double($1.allocations) })
  }
}
