public import Metering

/// One dimension of a row as a provider is told it; absent ones are left out.
public struct RowDimension: Hashable, Sendable {
  public enum Kind: Hashable, Sendable { case string, number, boolean }
  public var name: String
  /// The string itself, the canonical text of the number, `true` or `false`.
  public var text: String
  public var kind: Kind

  public init(name: String, text: String, kind: Kind = .string) {
    self.name = name
    self.text = text
    self.kind = kind
  }
}

/// The attempts of a row whose outcome nobody knows, as the ledger has them: SENDINGs without a DONE or an UNSENT.
public struct Doubt: Hashable, Sendable {
  /// Ledger time of the first such SENDING, Unix milliseconds.
  public var firstLedgerMilliseconds: Int64
  /// Ledger time of the last such SENDING, Unix milliseconds.
  public var lastLedgerMilliseconds: Int64
  /// The last such SENDING: a DONE of the row names it.
  public var lastSending: RecordIdentity
  /// The account that all of them name; nil where they name different ones.
  public var account: String?

  public init(
    firstLedgerMilliseconds: Int64, lastLedgerMilliseconds: Int64, lastSending: RecordIdentity,
    account: String?
  ) {
    self.firstLedgerMilliseconds = firstLedgerMilliseconds
    self.lastLedgerMilliseconds = lastLedgerMilliseconds
    self.lastSending = lastSending
    self.account = account
  }
}

extension Doubt {
  /// The doubt that a ledger row's open attempts amount to; nil where there are none.
  public init?(_ attempts: [RowAttempt]) {
    guard let first = attempts.first else { return nil }
    let last = attempts.dropFirst().reduce(first) {
      $1.ledgerMilliseconds >= $0.ledgerMilliseconds ? $1 : $0
    }
    self.init(
      firstLedgerMilliseconds: attempts.reduce(first.ledgerMilliseconds) {
        min($0, $1.ledgerMilliseconds)
      },
      lastLedgerMilliseconds: last.ledgerMilliseconds, lastSending: last.sending,
      account: attempts.allSatisfy { $0.account == first.account } ? first.account : nil)
  }
}

/// A row that the sink has to bring to an outcome. Its bytes never change.
///
/// Rows that need no attempt (a value of zero, an unmapped customer, anything settled or parked) are not handed over.
///
/// One of a claim is a reference to its place there: its bytes are put together where a property asks for them, or read
/// where they lie (``withBytes(_:)``).
public struct SinkRow: Hashable, Sendable {
  private struct Made: Hashable, Sendable {
    var reference: RowReference
    var key: String
    var customer: [UInt8]
    var meter: [UInt8]
    var dimensions: [RowDimension]
    var value: Quantity
    var timestampMilliseconds: Int64
    var events: Int64
    var doubt: Doubt?
    var mayBeKnown: Bool
  }
  private enum Content: Sendable {
    case claimed(ClaimRows, number: Int)
    indirect case made(Made)
  }
  private var content: Content

  public init(
    reference: RowReference, key: String, customer: [UInt8], meter: [UInt8],
    dimensions: [RowDimension] = [],
    value: Quantity, timestampMilliseconds: Int64, events: Int64 = 0, doubt: Doubt? = nil,
    mayBeKnown: Bool = false
  ) {
    content = .made(
      Made(
        reference: reference, key: key, customer: customer, meter: meter, dimensions: dimensions, value: value,
        timestampMilliseconds: timestampMilliseconds, events: events, doubt: doubt, mayBeKnown: mayBeKnown))
  }

  /// The `number`th of a claim's rows.
  init(_ number: Int, of rows: ClaimRows) { content = .claimed(rows, number: number) }

  private var made: Made {
    switch content {
    case .made(let made): made
    case .claimed(let rows, let number):
      Self.made(
        rows.row(number), reference: RowReference(claim: rows.claim, row: rows.index(number)), key: rows.key(number),
        doubt: Doubt(rows.attempts(number)), mayBeKnown: rows.hasEarlierAttempts(number))
    }
  }

  private static func made(
    _ row: ClaimRow, reference: RowReference, key: String, doubt: Doubt?, mayBeKnown: Bool
  ) -> Made {
    Made(
      reference: reference, key: key, customer: row.customer, meter: row.meter,
      dimensions: row.dimensions.isEmpty ? [] : RowDimension.all(in: row.dimensions), value: row.value,
      timestampMilliseconds: row.timestampMilliseconds, events: row.events, doubt: doubt, mayBeKnown: mayBeKnown)
  }

  private mutating func change(_ body: (inout Made) -> Void) {
    var changed = made
    body(&changed)
    content = .made(changed)
  }

  /// A ledger's row as its sink needs it.
  public init(_ ledgerRow: LedgerRow) {
    var doubt: Doubt?
    if case .inDoubt(let attempts) = ledgerRow.state { doubt = Doubt(attempts) }
    content = .made(
      Self.made(
        ledgerRow.row, reference: ledgerRow.reference, key: ledgerRow.key, doubt: doubt,
        mayBeKnown: ledgerRow.hasEarlierAttempts))
  }

  public static func == (left: Self, right: Self) -> Bool { left.made == right.made }
  public func hash(into hasher: inout Hasher) { hasher.combine(made) }

  // MARK: Fields

  public var reference: RowReference {
    get {
      switch content {
      case .made(let made): made.reference
      case .claimed(let rows, let number): RowReference(claim: rows.claim, row: rows.index(number))
      }
    }
    set { change { $0.reference = newValue } }
  }
  /// The idempotency key: ASCII letters, digits, `-`, `_`, `.`.
  public var key: String {
    get {
      switch content {
      case .made(let made): made.key
      case .claimed(let rows, let number): rows.key(number)
      }
    }
    set { change { $0.key = newValue } }
  }
  /// As the provider knows it, UTF-8.
  public var customer: [UInt8] {
    get {
      switch content {
      case .made(let made): made.customer
      case .claimed(let rows, let number): rows.row(number).customer
      }
    }
    set { change { $0.customer = newValue } }
  }
  /// The provider's name of the feature, UTF-8.
  public var meter: [UInt8] {
    get {
      switch content {
      case .made(let made): made.meter
      case .claimed(let rows, let number): rows.row(number).meter
      }
    }
    set { change { $0.meter = newValue } }
  }
  public var dimensions: [RowDimension] {
    get { made.dimensions }
    set { change { $0.dimensions = newValue } }
  }
  public var value: Quantity {
    get {
      switch content {
      case .made(let made): made.value
      case .claimed(let rows, let number): rows.value(number)
      }
    }
    set { change { $0.value = newValue } }
  }
  /// The greatest event time in it, Unix milliseconds.
  public var timestampMilliseconds: Int64 {
    get {
      switch content {
      case .made(let made): made.timestampMilliseconds
      case .claimed(let rows, let number): rows.timestampMilliseconds(number)
      }
    }
    set { change { $0.timestampMilliseconds = newValue } }
  }
  /// How many events are in it.
  public var events: Int64 {
    get { made.events }
    set { change { $0.events = newValue } }
  }
  /// Open attempts; nil for a row that was never sent, or whose attempts all were void.
  public var doubt: Doubt? {
    get {
      switch content {
      case .made(let made): made.doubt
      case .claimed(let rows, let number): Doubt(rows.attempts(number))
      }
    }
    set { change { $0.doubt = newValue } }
  }
  /// A person retries a row that was uncertain: the provider may know its key from us.
  public var mayBeKnown: Bool {
    get {
      switch content {
      case .made(let made): made.mayBeKnown
      case .claimed(let rows, let number): rows.hasEarlierAttempts(number)
      }
    }
    set { change { $0.mayBeKnown = newValue } }
  }

  // MARK: Where it lies

  /// The dimensions of a row: in the ledger's encoding, or made by hand.
  enum Dimensions {
    case encoded(UnsafeBufferPointer<UInt8>)
    case made([RowDimension])
  }

  /// A row's fields without copies, there only during the call that hands them over.
  struct Bytes {
    let customer: UnsafeBufferPointer<UInt8>
    let meter: UnsafeBufferPointer<UInt8>
    let dimensions: Dimensions
    let value: Quantity
    let timestampMilliseconds: Int64
    let events: Int64
  }

  /// Asks for the memory of the row that is written some rows later: rows are sent in the order of their times, and lie in
  /// that of their customers.
  static func prefetch(behind index: Int, of rows: [SinkRow]) {
    guard index + 8 < rows.count, case .claimed(let claim, let number) = rows[index + 8].content else { return }
    claim.prefetch(number)
  }

  /// Calls `body` with the row's fields where they lie.
  func withBytes(_ body: (Bytes) -> Void) {
    switch content {
    case .claimed(let rows, let number):
      rows.withBytes(number) { row in
        body(
          Bytes(
            customer: row.customer, meter: row.meter, dimensions: .encoded(row.dimensions), value: row.value,
            timestampMilliseconds: row.timestampMilliseconds, events: row.events))
      }
    case .made(let made):
      made.customer.withUnsafeBufferPointer { customer in
        made.meter.withUnsafeBufferPointer { meter in
          body(
            Bytes(
              customer: customer, meter: meter, dimensions: .made(made.dimensions), value: made.value,
              timestampMilliseconds: made.timestampMilliseconds, events: made.events))
        }
      }
    }
  }

  /// Whether its customer and meter are known to be ASCII, without a look at them.
  var isASCII: Bool {
    if case .claimed(let rows, _) = content { rows.isASCII } else { false }
  }

  /// Writes its key, of ``keyCount`` bytes.
  func writeKey(to text: inout TextCursor) {
    switch content {
    case .claimed(let rows, let number): text.raw(count: rows.keyCount(number)) { rows.writeKey(number, to: $0) }
    case .made(let made):
      var key = made.key
      key.withUTF8 { text.raw($0) }
    }
  }

  /// The bytes of its key.
  var keyCount: Int {
    switch content {
    case .claimed(let rows, let number): rows.keyCount(number)
    case .made(let made): made.key.utf8.count
    }
  }
}
