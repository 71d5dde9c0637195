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
public struct SinkRow: Hashable, Sendable {
  public var reference: RowReference
  /// The idempotency key: ASCII letters, digits, `-`, `_`, `.`.
  public var key: String
  /// As the provider knows it, UTF-8.
  public var customer: [UInt8]
  /// The provider's name of the feature, UTF-8.
  public var meter: [UInt8]
  public var dimensions: [RowDimension]
  public var value: Quantity
  /// The greatest event time in it, Unix milliseconds.
  public var timestampMilliseconds: Int64
  /// How many events are in it.
  public var events: Int64
  /// Open attempts; nil for a row that was never sent, or whose attempts all were void.
  public var doubt: Doubt?
  /// A person retries a row that was uncertain: the provider may know its key from us.
  public var mayBeKnown: Bool

  public init(
    reference: RowReference, key: String, customer: [UInt8], meter: [UInt8],
    dimensions: [RowDimension] = [],
    value: Quantity, timestampMilliseconds: Int64, events: Int64 = 0, doubt: Doubt? = nil,
    mayBeKnown: Bool = false
  ) {
    self.reference = reference
    self.key = key
    self.customer = customer
    self.meter = meter
    self.dimensions = dimensions
    self.value = value
    self.timestampMilliseconds = timestampMilliseconds
    self.events = events
    self.doubt = doubt
    self.mayBeKnown = mayBeKnown
  }
}
