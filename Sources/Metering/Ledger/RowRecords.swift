/// The permission to send each of `rows` once, for `leaseMilliseconds` counted from before its own append.
public struct Sending: Hashable, Sendable {
  public var sink: String
  public var account: String
  public var leaseMilliseconds: Int64
  public var rows: [RowReference]

  public init(sink: String, account: String, leaseMilliseconds: Int64, rows: [RowReference]) {
    self.sink = sink
    self.account = account
    self.leaseMilliseconds = leaseMilliseconds
    self.rows = rows
  }
}

/// The attempts of `rows` under `sending` had no effect, provably: they are void.
public struct Unsent: Hashable, Sendable {
  public var sink: String
  public var sending: RecordIdentity
  public var rows: [RowReference]

  public init(sink: String, sending: RecordIdentity, rows: [RowReference]) {
    self.sink = sink
    self.sending = sending
    self.rows = rows
  }
}

public enum RowOutcome: UInt8, Sendable {
  case delivered
  /// The provider knew the key already, from an ambiguous attempt of ours: delivered.
  case alreadyDelivered
  /// Refused for good: the row is parked.
  case rejected
  /// Nobody knows, and it may not be sent again blindly.
  case uncertain
}

public struct Done: Hashable, Sendable {
  public struct Row: Hashable, Sendable {
    public var reference: RowReference
    public var outcome: RowOutcome
    /// The provider's code, for people; empty where there is none.
    public var code: String
    public init(reference: RowReference, outcome: RowOutcome, code: String = "") {
      self.reference = reference
      self.outcome = outcome
      self.code = code
    }
  }
  public var sink: String
  public var sending: RecordIdentity
  public var rows: [Row]

  public init(sink: String, sending: RecordIdentity, rows: [Row]) {
    self.sink = sink
    self.sending = sending
    self.rows = rows
  }
}

public struct Park: Hashable, Sendable {
  public var sink: String
  public var rows: [RowReference]
  /// A stable code such as `foreign_duplicate` or `unmapped_customer`.
  public var reason: String
  public var detail: String

  public init(sink: String, rows: [RowReference], reason: String, detail: String = "") {
    self.sink = sink
    self.rows = rows
    self.reason = reason
    self.detail = detail
  }
}

/// A person's decision. It has effect only where the state that it names is still the state.
public struct Resolve: Hashable, Sendable {
  public enum Decision: Hashable, Sendable {
    /// Send a parked or uncertain row again; `customer` where it was unmapped.
    case retry(sink: String, row: RowReference, state: Int64, customer: [UInt8]?)
    /// An uncertain row did take effect.
    case settle(sink: String, row: RowReference, state: Int64)
    /// A row will never be billed.
    case drop(sink: String, row: RowReference, state: Int64)
    /// The stop `reason` at `offset` is accepted with its consequence; `argument` is the reason's own (an offset).
    case stop(reason: String, offset: Int64, argument: Int64)
  }
  public var decision: Decision
  public var why: String

  public init(decision: Decision, why: String) {
    self.decision = decision
    self.why = why
  }
}
