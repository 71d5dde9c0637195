/// Numbers for pairs of feature and dimensions that are numbers themselves (``RowPayloadWriter``).
struct SeriesNumbers {
  /// Where there are few pairs, the number is counted from both; else it is looked up.
  private let isDense: Bool
  private let dimensions: Int
  private var sparse: [UInt64: Int] = [:]

  /// - Parameters:
  ///   - features: how many there are.
  ///   - dimensions: how many there are.
  ///   - rows: that have them.
  init(features: Int, dimensions: Int, rows: Int) {
    self.dimensions = dimensions
    // Both have 32 bits: their product fits.
    isDense = features * dimensions <= 4 * rows + 1_024
  }

  @inline(__always) mutating func number(feature: Int, dimensions second: Int) -> Int {
    isDense ? feature * dimensions + second : lookUp(feature, second)
  }

  private mutating func lookUp(_ feature: Int, _ second: Int) -> Int {
    let pair = UInt64(feature) << 32 | UInt64(second)
    if let known = sparse[pair] { return known }
    let next = sparse.count
    sparse[pair] = next
    return next
  }
}
