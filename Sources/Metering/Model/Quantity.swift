/// An exact decimal: a 128-bit integer in units of 10⁻⁹. Never a floating-point number.
///
/// One event's magnitude is below 10¹⁸ (10²⁷ units), so a sum of 10¹¹ such events still fits; a sum that does not is
/// reported by ``adding(_:)`` as `nil`, never trapped or wrapped.
public struct Quantity: Hashable, Comparable, Sendable {
  /// The value in units of 10⁻⁹.
  public var units: Int128

  /// Units in one: 10⁹.
  public static let scale: Int128 = 1_000_000_000
  /// The first magnitude, in units, that one event may not have: 10¹⁸ · 10⁹.
  public static let eventLimit: Int128 = 1_000_000_000_000_000_000 * 1_000_000_000
  /// Zero.
  public static let zero = Quantity(units: 0)

  /// A quantity of so many units of 10⁻⁹.
  @inlinable public init(units: Int128) { self.units = units }
  /// A whole number.
  @inlinable public init(_ whole: Int64) { self.units = Int128(whole) * Quantity.scale }

  /// The exact sum, or `nil` where it does not fit in 128 bits.
  @inlinable public func adding(_ other: Quantity) -> Quantity? {
    let (sum, overflow) = units.addingReportingOverflow(other.units)
    return overflow ? nil : Quantity(units: sum)
  }

  @inlinable public static func < (left: Quantity, right: Quantity) -> Bool { left.units < right.units }
}
