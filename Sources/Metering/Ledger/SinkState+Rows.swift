/// What records say of rows. Each function returns the rows on which it had effect, in the record's order.
extension SinkState {
  /// Calls `body` with each named row that is not settled, in place; where it changes the row's state, the sums follow.
  private mutating func update(
    _ references: [RowReference], _ body: (_ row: inout OpenRow, _ place: Int) -> Bool
  ) -> [RowChange] {
    var changes: [RowChange] = []
    var touched: Set<UInt64> = []
    for (place, reference) in references.enumerated() {
      guard let claim = claimPosition(reference.claim), let position = claims[claim].position(of: reference.row)
      else { continue }
      let before = claims[claim].stored[position].state
      guard body(&claims[claim].stored[position], place) else { continue }
      let after = claims[claim].stored[position].state
      totals.move(claims[claim].stored[position].row.value, from: before, to: after)
      if case .settled(let settlement) = after {
        claims[claim].settle(at: position, as: settlement)
        touched.insert(reference.claim)
      }
      changes.append(RowChange(reference: reference, state: after))
    }
    for number in touched { tidy(number) }
    return changes
  }

  private mutating func tidy(_ number: UInt64) {
    guard let claim = claimPosition(number) else { return }
    if claims[claim].openCount == 0 { claims.remove(at: claim) } else { claims[claim].compact() }
  }

  /// A SENDING: one attempt of each row that may be sent. Rows that are parked, uncertain or settled are left out.
  mutating func apply(sending rows: [RowReference], attempt: RowAttempt) -> [RowReference] {
    update(rows) { row, _ in
      // A row that the record names twice is attempted once.
      guard row.verdict == .none, row.attempts.last?.sending != attempt.sending else { return false }
      row.attempts.append(attempt)
      return true
    }.map(\.reference)
  }

  /// An UNSENT: the attempt is void. Where no attempt is left that could have had effect, nothing is uncertain any more.
  mutating func apply(unsent rows: [RowReference], of sending: RecordIdentity) -> [RowChange] {
    update(rows) { row, _ in
      guard let place = row.attempts.firstIndex(where: { $0.sending == sending }) else { return false }
      row.attempts.remove(at: place)
      if row.attempts.isEmpty, case .uncertain = row.verdict { row.verdict = .none }
      return true
    }
  }

  /// A DONE: delivered > rejected > uncertain, whatever the order; an attempt that a PARK or RESOLVE outranked, or an
  /// UNSENT voided, is none.
  mutating func apply(done rows: [Done.Row], of sending: RecordIdentity, at offset: Int64) -> [RowChange] {
    update(rows.map(\.reference)) { row, place in
      guard let attempt = row.attempts.firstIndex(where: { $0.sending == sending }) else { return false }
      if rows[place].outcome == .rejected { row.attempts[attempt].isRefused = true }
      let code = rows[place].code
      switch (rows[place].outcome, row.verdict) {
      case (.delivered, _): row.verdict = .settled(.delivered)
      case (.alreadyDelivered, _): row.verdict = .settled(.alreadyDelivered)
      case (.rejected, .none), (.rejected, .uncertain):
        row.verdict = .parked(reason: code.isEmpty ? Park.rejected : code, record: offset)
      case (.uncertain, .none): row.verdict = .uncertain(code: code, record: offset)
      default: return false
      }
      return true
    }
  }

  /// A PARK of rows that are not parked yet. It outranks the attempts before it.
  mutating func apply(park: Park, at offset: Int64) -> [RowChange] {
    update(park.rows) { row, _ in
      if case .parked = row.verdict { return false }
      // A foreign duplicate is found on an attempt that proves itself without effect, with no ambiguous one before it.
      row.outrankAttempts(mayHaveHadEffect: park.reason != Park.foreignDuplicate)
      row.verdict = .parked(reason: park.reason, record: offset)
      return true
    }
  }

  /// A person's decision on a row, where the row still is in the state that the decision names.
  mutating func apply(_ decision: Resolve.Decision) -> RowChange? {
    switch decision {
    case .retry(_, let reference, let state, let customer):
      return update([reference]) { row, _ in
        guard row.stateRecord == state, row.row.isUnmapped == (customer != nil) else { return false }
        if let customer {
          row.row.customer = customer
          row.row.isUnmapped = false
        }
        row.outrankAttempts(mayHaveHadEffect: true)
        row.verdict = .none
        return true
      }.first
    case .settle(_, let reference, let state):
      return update([reference]) { row, _ in
        guard case .uncertain(_, let record) = row.verdict, record == state else { return false }
        row.verdict = .settled(.resolved)
        return true
      }.first
    case .drop(_, let reference, let state):
      return update([reference]) { row, _ in
        guard row.stateRecord == state else { return false }
        row.verdict = .settled(.dropped)
        return true
      }.first
    case .stop: return nil
    }
  }
}

extension OpenRow {
  /// The record that a RESOLVE has to name; nil where there is nothing to resolve.
  var stateRecord: Int64? {
    switch verdict {
    case .uncertain(_, let record), .parked(_, let record): record
    case .none, .settled: nil
    }
  }

  mutating func outrankAttempts(mayHaveHadEffect: Bool) {
    if mayHaveHadEffect, attempts.contains(where: { !$0.isRefused }) { hasEarlierAttempts = true }
    attempts = []
  }
}

extension Park {
  /// The reason of a row that the provider refused without a code.
  public static let rejected = "rejected"
  /// The provider knows the key already, and not from us.
  public static let foreignDuplicate = "foreign_duplicate"
  /// The customer map has no entry: parked from birth.
  public static let unmappedCustomer = "unmapped_customer"
}
