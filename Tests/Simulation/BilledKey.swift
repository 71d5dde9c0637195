import Metering

/// What a provider books a row under.
struct BilledKey: Hashable, Comparable, CustomStringConvertible {
  var customer: String
  var meter: String

  init(customer: String, meter: String) {
    self.customer = customer
    self.meter = meter
  }

  init(_ row: ClaimRow) {
    self.init(
      customer: String(decoding: row.customer, as: UTF8.self), meter: String(decoding: row.meter, as: UTF8.self))
  }

  var description: String { "\(customer)|\(meter)" }
  static func < (left: Self, right: Self) -> Bool { (left.customer, left.meter) < (right.customer, right.meter) }
}
