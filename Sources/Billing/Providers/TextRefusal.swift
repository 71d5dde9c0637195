/// Refusals that all providers with text bodies share.
enum TextRefusal {
  /// Customer and meter must be UTF-8, and keys plain.
  static func judge(_ row: SinkRow) -> RowRefusal? {
    if row.isASCII { return nil }
    var refusal: RowRefusal?
    row.withBytes { row in
      if !isText(row.customer) {
        refusal = RowRefusal(reason: "invalid_customer", detail: "the customer is not valid UTF-8")
      } else if !isText(row.meter) {
        refusal = RowRefusal(reason: "invalid_meter", detail: "the meter's name is not valid UTF-8")
      }
    }
    return refusal
  }

  /// Valid UTF-8; mostly it is ASCII, which is seen at a glance.
  private static func isText(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    bytes.reduce(0 as UInt8) { $0 | $1 } < 0x80 || String(validating: bytes, as: UTF8.self) != nil
  }
}
