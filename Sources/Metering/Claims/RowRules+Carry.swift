extension RowRules {
  /// The part of a total that one row may carry to the provider: within the greatest value, cut towards zero to a
  /// multiple of the step, and nothing of a negative where the contract takes none. The rest is carried.
  public func part(of total: Quantity) -> Quantity {
    if total.units <= 0, !allowsNegative { return .zero }
    var units = total.units
    if let greatest = greatestUnits { units = min(max(units, -greatest), greatest) }
    if stepUnits == 1 { return Quantity(units: units) }
    if let small = Int64(exactly: units), let step = Int64(exactly: stepUnits) {
      return Quantity(units: Int128(small - small % step))
    }
    return Quantity(units: units - units % stepUnits)
  }
}
