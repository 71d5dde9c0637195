/// Refusals that all providers with text bodies share.
enum TextRefusal {
  /// Customer and meter must be UTF-8, and keys plain.
  static func judge(_ row: SinkRow) -> RowRefusal? {
    guard isText(row.customer) else {
      return RowRefusal(reason: "invalid_customer", detail: "the customer is not valid UTF-8")
    }
    guard isText(row.meter) else {
      return RowRefusal(reason: "invalid_meter", detail: "the meter's name is not valid UTF-8")
    }
    return nil
  }

  /// Valid UTF-8; mostly it is ASCII, which is seen at a glance.
  private static func isText(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBufferPointer { $0.reduce(0 as UInt8) { $0 | $1 } } < 0x80
      || String(validating: bytes, as: UTF8.self) != nil
  }
}
