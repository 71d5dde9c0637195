/// Why an event could not be counted: the stable codes of the quarantine, in the order in which they are judged
/// (the first that applies is the event's reason).
public enum QuarantineReason: UInt8, CaseIterable, Sendable {
  case emptyValue
  case recordTooLarge
  case malformedJSON
  case notAnObject
  case ambiguousField
  case missingKey
  case missingCustomer
  case missingFeature
  case missingQuantity
  case wrongType
  case fieldTooLong
  case fieldEmpty
  case quantityNotExact
  case quantityOutOfRange
  case quantityNegative
  case timeInvalid
  case timeTooOld
  case timeTooNew
  case unknownFeature
  case keyMismatch
  case keyConflict

  /// The code as operators, headers and metrics see it.
  public var code: StaticString {
    switch self {
    case .emptyValue: "empty_value"
    case .recordTooLarge: "record_too_large"
    case .malformedJSON: "malformed_json"
    case .notAnObject: "not_an_object"
    case .ambiguousField: "ambiguous_field"
    case .missingKey: "missing_key"
    case .missingCustomer: "missing_customer"
    case .missingFeature: "missing_feature"
    case .missingQuantity: "missing_quantity"
    case .wrongType: "wrong_type"
    case .fieldTooLong: "field_too_long"
    case .fieldEmpty: "field_empty"
    case .quantityNotExact: "quantity_not_exact"
    case .quantityOutOfRange: "quantity_out_of_range"
    case .quantityNegative: "quantity_negative"
    case .timeInvalid: "time_invalid"
    case .timeTooOld: "time_too_old"
    case .timeTooNew: "time_too_new"
    case .unknownFeature: "unknown_feature"
    case .keyMismatch: "key_mismatch"
    case .keyConflict: "key_conflict"
    }
  }
}
