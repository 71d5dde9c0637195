internal import CHotPath

/// What a usage event is asked for, in the order in which missing and badly typed ones are judged.
enum Concept {
  static let key = 0
  static let customer = 1
  static let feature = 2
  static let source = 3
  static let quantity = 4
  static let revert = 5
  static let time = 6
  /// How many concepts have one value.
  static let count = 7
  /// An object of dimensions; there may be several.
  static let dimensions = 7
}

/// The value found for one concept: borrowed from the record, its headers or the scratch. The scanner's own type, so that
/// nothing is copied between them.
typealias FieldValue = meterd_value

extension FieldValue {
  enum Kind: Int32 {
    /// Not there, or `null`.
    case absent
    /// ``bytes`` is the unescaped text.
    case string
    /// ``bytes`` is the JSON text of a number.
    case number
    case `true`, `false`
    /// An object or array; ``bytes`` is its JSON text, or empty on the fast path.
    case container
    /// A header whose bytes are not UTF-8.
    case notText
  }

  init(start: UnsafeRawPointer?, count: Int32, kind: Kind) {
    self.init(start: start, count: count, code: kind.rawValue)
  }

  static var absent: FieldValue { FieldValue(start: nil, count: 0, kind: .absent) }

  /// What it is; the codes are the scanner's.
  var kind: Kind {
    @inline(__always) get { Kind(rawValue: code) ?? .absent }
    set { code = newValue.rawValue }
  }

  var bytes: ByteSlice { ByteSlice(start: start, count: Int(count)) }

  /// The byte of the record at which it stands, or −1 where its text is not the record's own (a header, an escape).
  func position(in record: RecordView) -> Int {
    guard let start, let base = record.value.baseAddress, start >= base, start < base + record.value.count else {
      return -1
    }
    return start - base
  }

  /// The number that it states: a JSON number, or a string that holds exactly one.
  var number: NumberText? {
    switch kind {
    case .number: NumberText(bytes)
    case .string where count > 0 && NumberText.length(in: bytes, from: 0) == Int(count): NumberText(bytes)
    default: nil
    }
  }

  /// The number that it states where that is digits and nothing else, as nearly all are; −1 for any other.
  @inline(__always) var plainInteger: Int64 {
    guard code == Kind.number.rawValue, count <= 18, let start else { return -1 }
    return meterd_digits(start, Int(count))
  }

  /// The instant that it states, in Unix milliseconds.
  var instant: Int64? {
    switch kind {
    case .number:
      guard let integer = NumberText(bytes).integer else { return nil }
      return TimeText.milliseconds(unix: integer)
    case .string: return TimeText.milliseconds(rfc3339: bytes)
    default: return nil
    }
  }

  /// Whether two values of a concept say the same. What the concept cannot take is the same only where type and text
  /// are.
  func says(sameAs other: FieldValue, for concept: Int) -> Bool {
    if concept == Concept.quantity {
      let numbers = (number, other.number)
      if let left = numbers.0, let right = numbers.1 { return left.isSameValue(as: right) }
      if numbers.0 != nil || numbers.1 != nil { return false }
    }
    if concept == Concept.time {
      let instants = (instant, other.instant)
      if instants.0 != nil || instants.1 != nil { return instants.0 == instants.1 }
    }
    return kind == other.kind && (kind == .true || kind == .false || isSameText(as: other))
  }

  private func isSameText(as other: FieldValue) -> Bool {
    guard count == other.count, let start, let otherStart = other.start else { return count == other.count }
    return meterd_equal(start, otherStart, Int(count))
  }
}
