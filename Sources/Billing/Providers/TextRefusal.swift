/// Refusals that all providers with text bodies share.
enum TextRefusal {
  /// Customer and meter must be UTF-8, and keys plain.
  static func judge(_ row: SinkRow) -> RowRefusal? {
    guard String(validating: row.customer, as: UTF8.self) != nil else {
      return RowRefusal(reason: "invalid_customer", detail: "the customer is not valid UTF-8")
    }
    guard String(validating: row.meter, as: UTF8.self) != nil else {
      return RowRefusal(reason: "invalid_meter", detail: "the meter's name is not valid UTF-8")
    }
    return nil
  }
}
