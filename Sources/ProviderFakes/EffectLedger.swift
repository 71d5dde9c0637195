internal import HTTP

/// One customer's total of one meter, as the provider has booked it.
public struct FakeTotal: Sendable, Equatable {
  public let customer: String
  public let meter: String
  public let value: ExactDecimal

  public init(customer: String, meter: String, value: ExactDecimal) {
    self.customer = customer
    self.meter = meter
    self.value = value
  }
}

/// One row as it arrived, before it is judged.
struct FakeRow: Sendable, Hashable {
  var key: String
  var customer: String
  var meter: String
  /// As sent.
  var value: String
  /// Unix milliseconds; nil where none was sent, or none could be read.
  var timestamp: Int64?
}

/// Something that a correct sender never does.
public struct FakeViolation: Sendable, Equatable {
  public enum Kind: String, Sendable {
    /// One key came with two different contents.
    case twoValues = "two_values"
    /// One key had effect twice: it was sent again after the provider had forgotten it.
    case doubleEffect = "double_effect"
  }
  public let kind: Kind
  public let key: String
  public let detail: String
}

/// One request as it arrived, and what became of it.
public struct FakeCall: Sendable {
  /// Unix milliseconds by the fake's clock.
  public let at: Int64
  public let method: String
  /// As sent, with the query.
  public let path: String
  public let headers: [(String, String)]
  public let body: [UInt8]
  /// The reply's status; nil where the connection was closed without one.
  public let status: Int?
  /// The fault that was injected, by its name in a specification.
  public let fault: String?

  /// The first header of this name, in any case.
  public func header(_ name: String) -> String? {
    headers.first { $0.0.lowercased() == name.lowercased() }?.1
  }
}

/// What the provider has booked, and what it saw: the truth that tests compare with. In memory only.
public final class EffectLedger: Sendable {
  private struct Place: Hashable {
    let customer: String
    let meter: String
  }

  private struct State {
    var totals: [Place: ExactDecimal] = [:]
    var effects: [String: Int] = [:]
    /// The content with which each key had its first effect: kept beyond the provider's window, to find violations.
    var contents: [String: FakeRow] = [:]
    var violations: [FakeViolation] = []
    var calls: [FakeCall] = []
    var requests = 0
    var duplicates = 0
    var refusals = 0
  }

  /// How many calls are kept; the oldest go first.
  public static let callsKept = 2000

  private let state = Locked(State())
  private let record: RecordFile?

  init(record: RecordFile?) { self.record = record }

  /// Sorted by customer, then meter; zeros included where something was booked.
  public func totals() -> [FakeTotal] {
    state.withLock { state in
      state.totals.map { FakeTotal(customer: $0.key.customer, meter: $0.key.meter, value: $0.value) }
    }.sorted { ($0.customer, $0.meter) < ($1.customer, $1.meter) }
  }

  /// How often a key had an effect: 0 or 1 with a correct sender.
  public func effects(ofKey key: String) -> Int { state.withLock { $0.effects[key] ?? 0 } }
  /// How many keys had an effect.
  public var keyCount: Int { state.withLock { $0.effects.count } }
  public var violations: [FakeViolation] { state.withLock { $0.violations } }
  /// The last ``callsKept`` calls, oldest first.
  public var calls: [FakeCall] { state.withLock { $0.calls } }
  /// All requests, but for those to the fake's own admin paths.
  public var requests: Int { state.withLock { $0.requests } }
  /// Rows that came again and had no effect.
  public var duplicates: Int { state.withLock { $0.duplicates } }
  /// Rows (or requests, where no row could be read) that were refused.
  public var refusals: Int { state.withLock { $0.refusals } }

  /// Why the record could not be written; nil while it could.
  public var recordFailure: String? { record?.failure }

  func countRequest() { state.withLock { $0.requests += 1 } }

  func note(_ call: FakeCall) {
    state.withLock { state in
      if state.calls.count >= 2 * Self.callsKept { state.calls.removeFirst(Self.callsKept) }
      state.calls.append(call)
    }
  }

  /// Books a row: `delta` is what it adds to the total (it is the value, but where a meter replaces or counts).
  func book(_ row: FakeRow, delta: ExactDecimal, at: Int64) {
    state.withLock { state in
      let place = Place(customer: row.customer, meter: row.meter)
      state.totals[place] = (state.totals[place] ?? .zero) + delta
      check(row, &state)
      state.effects[row.key, default: 0] += 1
      if state.effects[row.key] == 2 {
        state.violations.append(
          FakeViolation(
            kind: .doubleEffect, key: row.key, detail: "it came again after its window and was booked again"))
      }
    }
    record?.append(row, at: at, outcome: "recorded")
  }

  /// A row that came before; true where it has the same content.
  @discardableResult
  func duplicate(_ row: FakeRow, at: Int64) -> Bool {
    let same = state.withLock { state in
      state.duplicates += 1
      return check(row, &state)
    }
    record?.append(row, at: at, outcome: same ? "duplicate" : "violation")
    return same
  }

  func refuse(_ row: FakeRow?, at: Int64, outcome: String) {
    state.withLock { $0.refusals += 1 }
    record?.append(row, at: at, outcome: outcome)
  }

  /// Takes a booked row back (Stripe's adjustment).
  func cancel(_ row: FakeRow, delta: ExactDecimal, at: Int64) {
    state.withLock { state in
      let place = Place(customer: row.customer, meter: row.meter)
      state.totals[place] = (state.totals[place] ?? .zero) - delta
    }
    record?.append(row, at: at, outcome: "cancelled")
  }

  @discardableResult
  private func check(_ row: FakeRow, _ state: inout State) -> Bool {
    guard let first = state.contents[row.key] else {
      state.contents[row.key] = row
      return true
    }
    guard first != row else { return true }
    state.violations.append(FakeViolation(kind: .twoValues, key: row.key, detail: "first \(first), now \(row)"))
    return false
  }
}
