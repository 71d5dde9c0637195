/// What records say of rows. Each function returns the rows on which it had effect, in the record's order.
extension SinkState {
  /// Calls `body` with what is known of each named row that is not settled; where it returns true the row's state is what
  /// it made of it, and the sums follow.
  ///
  /// - Parameters:
  ///   - reference: the row at a place of the record, of `count` places.
  ///   - isSame: whether the record says the same of the rows at two places of it. Rows of which it says the same, and of
  ///     which the same was known, are judged once.
  ///   - note: takes each row that changed.
  @inline(__always) private mutating func update(
    count: Int, _ reference: (Int) -> RowReference, isSame: (Int, Int) -> Bool = { _, _ in true },
    _ body: (inout RowHistory, _ place: Int) -> Bool, note: (RowReference, RowState) -> Void
  ) {
    var place = 0
    var touched: [UInt64] = []
    while place < count {
      let number = reference(place).claim
      guard let claim = claimPosition(number) else {
        while place < count, reference(place).claim == number { place += 1 }
        continue
      }
      if touched.last != number { touched.append(number) }
      var changes = claims[claim].beginChanges()
      // The last row's judgement, and the rows that share it.
      var known: (mark: UInt32, place: Int, next: UInt32?, from: RowState, to: RowState)?
      var moved = (units: Int128(0), rows: Int64(0))
      while place < count {
        let named = reference(place)
        guard named.claim == number else { break }
        defer { place += 1 }
        guard let position = changes.position(of: named.row) else { continue }
        let mark = changes.marks[position]
        if known?.mark != mark || known.map({ isSame($0.place, place) }) != true {
          if let known { totals.move(moved, from: known.from, to: known.to) }
          moved = (0, 0)
          let before = claims[claim].histories[Int(mark)]
          var after = before
          let hasEffect = body(&after, place)
          known = (mark, place, hasEffect ? claims[claim].mark(of: after) : nil, before.state, after.state)
        }
        guard let known, let next = known.next else { continue }
        moved.units &+= changes.value(at: position).units
        moved.rows += 1
        changes.set(next, at: position)
        note(named, known.to)
      }
      if let known { totals.move(moved, from: known.from, to: known.to) }
      claims[claim].end(changes)
    }
    for number in touched { tidy(number) }
  }

  @inline(__always) private mutating func changes(
    count: Int, _ reference: (Int) -> RowReference, isSame: (Int, Int) -> Bool = { _, _ in true },
    _ body: (inout RowHistory, _ place: Int) -> Bool
  ) -> [RowChange] {
    var changes: [RowChange] = []
    changes.reserveCapacity(count)
    update(count: count, reference, isSame: isSame, body) { changes.append(RowChange(reference: $0, state: $1)) }
    return changes
  }

  /// An unmapped row kept its quantity as it was counted; with a customer it becomes what the contract takes of it, and
  /// the rest joins what is carried when the sink's next claim stands. Not at once: that claim may have been built already,
  /// and states what was carried then. Nothing of it left to send: the row is settled, and this is its change.
  private mutating func map(
    _ open: OpenRow, of claim: Int, at position: Int, to customer: [UInt8], _ rules: (Digest) -> RowRules?
  ) -> RowChange? {
    var row = open.row
    row.customer = customer
    row.isUnmapped = false
    let whole = row.value
    if let rules = rules(claims[claim].configuration) { row.value = rules.part(of: whole) }
    let rest = Quantity(units: whole.units &- row.value.units)
    totals.add(Quantity(units: 0 &- rest.units), rows: 0, to: open.state.bucket)
    totals.carried.units &+= rest.units
    let key = CarryKey(customer: customer, meter: row.meter)
    let joined = Quantity(units: (returned[key] ?? .zero).units &+ rest.units)
    returned[key] = joined == .zero ? nil : joined
    claims[claim].remap(row, at: position)
    guard row.value == .zero else { return nil }
    let number = claims[claim].number
    totals.move((0, 1), from: open.state, to: .settled(.zero))
    claims[claim].set(OpenClaim.settledMark, at: position)
    tidy(number)
    return RowChange(reference: RowReference(claim: number, row: open.index), state: .settled(.zero))
  }

  private mutating func tidy(_ number: UInt64) {
    guard let claim = claimPosition(number) else { return }
    if claims[claim].openCount == 0 { claims.remove(at: claim) } else { claims[claim].compact() }
  }

  /// A SENDING: one attempt of each row that may be sent. Rows that are parked, uncertain or settled are left out.
  mutating func apply(sending rows: [RowReference], attempt: RowAttempt) -> [RowReference] {
    var standing: [RowReference] = []
    standing.reserveCapacity(rows.count)
    update(count: rows.count) {
      rows[$0]
    } _: { row, _ in
      // A row that the record names twice is attempted once.
      guard row.verdict == .none, row.attempts.last?.sending != attempt.sending else { return false }
      row.attempts.append(attempt)
      return true
    } note: { reference, _ in
      standing.append(reference)
    }
    return standing
  }

  /// An UNSENT: the attempt is void. Where no attempt is left that could have had effect, nothing is uncertain any more.
  mutating func apply(unsent rows: [RowReference], of sending: RecordIdentity) -> [RowChange] {
    changes(count: rows.count) {
      rows[$0]
    } _: { row, _ in
      guard let place = row.attempts.firstIndex(where: { $0.sending == sending }) else { return false }
      row.attempts.remove(at: place)
      if row.attempts.isEmpty, case .uncertain = row.verdict { row.verdict = .none }
      return true
    }
  }

  /// A DONE: delivered > rejected > uncertain, whatever the order; an attempt that a PARK or RESOLVE outranked, or an
  /// UNSENT voided, is none.
  mutating func apply(done rows: [Done.Row], of sending: RecordIdentity, at offset: Int64) -> [RowChange] {
    let isSame: (Int, Int) -> Bool = { rows[$0].outcome == rows[$1].outcome && rows[$0].code == rows[$1].code }
    return changes(count: rows.count, { rows[$0].reference }, isSame: isSame) { row, place in
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
    changes(count: park.rows.count) {
      park.rows[$0]
    } _: { row, _ in
      if case .parked = row.verdict { return false }
      // A foreign duplicate is found on an attempt that proves itself without effect, with no ambiguous one before it.
      row.outrankAttempts(mayHaveHadEffect: park.reason != Park.foreignDuplicate)
      row.verdict = .parked(reason: park.reason, record: offset)
      return true
    }
  }

  /// A person's decision on a row, where the row still is in the state that the decision names.
  ///
  /// - Parameter rules: what the sink's contract takes, by the number of the claim's configuration; asked for a row that
  ///   was not mapped.
  mutating func apply(_ decision: Resolve.Decision, rules: (Digest) -> RowRules?) -> RowChange? {
    switch decision {
    case .retry(_, let reference, let state, let customer):
      guard let claim = claimPosition(reference.claim), let position = claims[claim].position(of: reference.row),
        let row = claims[claim].row(at: reference.row), row.row.isUnmapped == (customer != nil),
        row.history.stateRecord == state
      else { return nil }
      if let customer, let change = map(row, of: claim, at: position, to: customer, rules) { return change }
      return changes(count: 1) { _ in
        reference
      } _: { row, _ in
        if case .parked = row.verdict, row.attempts.contains(where: { !$0.isRefused }) {
          // The refusal is overruled, and an ambiguous attempt before it remains one: its age counts as ever.
          row.attempts.removeAll(where: \.isRefused)
        } else {
          row.outrankAttempts(mayHaveHadEffect: true)
        }
        row.verdict = .none
        return true
      }.first
    case .settle(_, let reference, let state):
      return changes(count: 1) { _ in
        reference
      } _: { row, _ in
        guard case .uncertain(_, let record) = row.verdict, record == state else { return false }
        row.verdict = .settled(.resolved)
        return true
      }.first
    case .drop(_, let reference, let state):
      return changes(count: 1) { _ in
        reference
      } _: { row, _ in
        guard row.stateRecord == state else { return false }
        row.verdict = .settled(.dropped)
        return true
      }.first
    case .stop: return nil
    }
  }
}

extension RowHistory {
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
