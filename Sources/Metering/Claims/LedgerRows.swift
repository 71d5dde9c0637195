/// Rows that a sink has to bring to an outcome: neither settled, nor parked, nor uncertain. They are places in their claims'
/// arenas; a row is put together when it is asked for.
public struct LedgerRows: Sendable {
  /// By claim, ascending.
  public var claims: [ClaimRows]

  public init(_ claims: [ClaimRows] = []) { self.claims = claims }

  public var count: Int { claims.reduce(0) { $0 + $1.count } }
  public var isEmpty: Bool { claims.allSatisfy { $0.count == 0 } }
}

/// Rows of one claim, ascending by index.
public struct ClaimRows: Sendable {
  /// The claim's number.
  public let claim: UInt64
  private var arena: ClaimArena
  private var places: [UInt32]
  /// What is known of rows that are not fresh, by place.
  private var histories: [UInt32: RowHistory]
  /// Rows that a person gave another customer, by index.
  private let remapped: [UInt32: ClaimRow]
  /// The idempotency keys of its rows but for their last field.
  private let keyPrefix: [UInt8]

  /// The rows of `claim` that are neither settled, nor parked, nor uncertain.
  public init(_ claim: OpenClaim, keyPrefix: [UInt8]) {
    self.claim = claim.number
    self.keyPrefix = keyPrefix
    arena = claim.arena
    remapped = claim.remapped
    var places: [UInt32] = []
    places.reserveCapacity(claim.openCount)
    var histories: [UInt32: RowHistory] = [:]
    for (place, mark) in claim.marks.enumerated() {
      if mark == 0 {
        places.append(UInt32(place))
      } else if mark != OpenClaim.settledMark {
        let history = claim.histories[Int(mark)]
        if history.state.isAtRest { continue }
        places.append(UInt32(place))
        histories[UInt32(place)] = history
      }
    }
    self.places = places
    self.histories = histories
  }

  public var count: Int { places.count }

  /// Some of the rows, named in ascending order, in an arena of their own: the others' memory is no longer held.
  public func keeping(_ numbers: [Int]) -> ClaimRows {
    var kept = self
    kept.arena = arena.keeping(numbers.lazy.map { Int(places[$0]) })
    kept.places = (0..<UInt32(numbers.count)).map { $0 }
    kept.histories = [:]
    if !histories.isEmpty {
      for (number, former) in numbers.enumerated() { kept.histories[UInt32(number)] = histories[places[former]] }
    }
    return kept
  }

  /// The index in the claim of the `number`th row.
  public func index(_ number: Int) -> UInt32 { arena.entries[Int(places[number])].index }

  /// The greatest event time in the `number`th row, Unix milliseconds.
  public func timestampMilliseconds(_ number: Int) -> Int64 {
    arena.entries[Int(places[number])].timestampMilliseconds
  }

  /// Whether no record has named the `number`th row.
  public func isFresh(_ number: Int) -> Bool {
    histories.isEmpty || histories[places[number]] == nil
  }

  /// The open attempts of the `number`th row, in ledger order.
  public func attempts(_ number: Int) -> [RowAttempt] {
    histories.isEmpty ? [] : histories[places[number]]?.attempts ?? []
  }

  /// The `number`th row with its bytes.
  public subscript(_ number: Int) -> LedgerRow {
    let place = places[number]
    let index = arena.entries[Int(place)].index
    let history = histories.isEmpty ? nil : histories[place]
    return LedgerRow(
      reference: RowReference(claim: claim, row: index),
      key: IdempotencyKey.text(prefix: keyPrefix, row: index),
      row: remapped.isEmpty
        ? arena.row(at: Int(place)) : remapped[index] ?? arena.row(at: Int(place)),
      state: history?.state ?? .ready, hasEarlierAttempts: history?.hasEarlierAttempts ?? false)
  }
}

extension LedgerFold {
  /// The rows that a sink has to bring to an outcome: of all its claims, or of one.
  public func rowsToDeliver(sink name: String, claim number: UInt64? = nil) -> LedgerRows {
    guard let sink = sinks[name], let genesis else { return LedgerRows() }
    return LedgerRows(
      sink.claims.filter { number == nil || $0.number == number }.map { claim in
        ClaimRows(
          claim,
          keyPrefix: IdempotencyKey.prefix(
            incarnation: genesis.incarnation, sink: name, partition: partition, claim: claim.number)
        )
      })
  }
}
