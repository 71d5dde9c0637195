/// Rows that a sink has to bring to an outcome: neither settled, nor parked, nor uncertain. They are places in their claims'
/// arenas; a row is put together when it is asked for.
public struct LedgerRows: Sendable {
  /// By claim, ascending.
  public var claims: [ClaimRows]

  public init(_ claims: [ClaimRows] = []) { self.claims = claims }

  public var count: Int { claims.reduce(0) { $0 + $1.count } }
  public var isEmpty: Bool { claims.allSatisfy { $0.count == 0 } }
}

/// Rows of one claim, ascending by index. Immutable; a class, so that holding them costs one reference.
public final class ClaimRows: Sendable {
  /// The claim's number.
  public let claim: UInt64
  private let arena: ClaimArena
  private let places: [UInt32]
  /// What is known of rows that are not fresh, by place.
  private let histories: [UInt32: RowHistory]
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

  private init(
    claim: UInt64, arena: ClaimArena, places: [UInt32], histories: [UInt32: RowHistory],
    remapped: [UInt32: ClaimRow], keyPrefix: [UInt8]
  ) {
    self.claim = claim
    self.arena = arena
    self.places = places
    self.histories = histories
    self.remapped = remapped
    self.keyPrefix = keyPrefix
  }

  /// Some of the rows, named in ascending order, in an arena of their own: the others' memory is no longer held.
  public func keeping(_ numbers: [Int]) -> ClaimRows {
    var kept: [UInt32: RowHistory] = [:]
    if !histories.isEmpty {
      for (number, former) in numbers.enumerated() { kept[UInt32(number)] = histories[places[former]] }
    }
    return ClaimRows(
      claim: claim, arena: arena.keeping(numbers.lazy.map { Int(self.places[$0]) }),
      places: (0..<UInt32(numbers.count)).map { $0 }, histories: kept, remapped: remapped, keyPrefix: keyPrefix)
  }

  /// The index in the claim of the `number`th row.
  public func index(_ number: Int) -> UInt32 { arena.entries[Int(places[number])].index }

  /// The greatest event time in the `number`th row, Unix milliseconds.
  public func timestampMilliseconds(_ number: Int) -> Int64 {
    arena.entries[Int(places[number])].timestampMilliseconds
  }

  /// Whether no record has named any of the rows.
  public var isFresh: Bool { histories.isEmpty }

  /// Whether no record has named the `number`th row.
  public func isFresh(_ number: Int) -> Bool {
    histories.isEmpty || histories[places[number]] == nil
  }

  /// The open attempts of the `number`th row, in ledger order.
  public func attempts(_ number: Int) -> [RowAttempt] {
    histories.isEmpty ? [] : histories[places[number]]?.attempts ?? []
  }

  /// Whether an attempt of the `number`th row before the last PARK or RESOLVE may have had effect.
  public func hasEarlierAttempts(_ number: Int) -> Bool {
    histories.isEmpty ? false : histories[places[number]]?.hasEarlierAttempts ?? false
  }

  /// The value of the `number`th row.
  public func value(_ number: Int) -> Quantity {
    let place = Int(places[number])
    if remapped.isEmpty { return arena.values[place] }
    return remapped[arena.entries[place].index]?.value ?? arena.values[place]
  }

  /// The idempotency key of the `number`th row.
  public func key(_ number: Int) -> String { IdempotencyKey.text(prefix: keyPrefix, row: index(number)) }

  /// Writes the idempotency key of the `number`th row, ASCII, to where there is room for its ``keyCount(_:)`` bytes.
  public func writeKey(_ number: Int, to bytes: UnsafeMutablePointer<UInt8>) {
    keyPrefix.withUnsafeBufferPointer { prefix in
      guard let base = prefix.baseAddress else { return }
      bytes.initialize(from: base, count: prefix.count)
    }
    IdempotencyKey.write(row: index(number), to: bytes + keyPrefix.count)
  }

  /// The bytes of that key.
  public func keyCount(_ number: Int) -> Int { keyPrefix.count + IdempotencyKey.digits(of: index(number)) }

  /// Whether all customers and meters of the claim are known to be ASCII.
  public var isASCII: Bool { arena.isASCII && remapped.isEmpty }

  /// Asks for the memory of the `number`th row, for those who read rows in an order of their own.
  public func prefetch(_ number: Int) { arena.prefetch(at: Int(places[number])) }

  /// Calls `body` with the `number`th row, where it lies.
  public func withBytes(_ number: Int, _ body: (ClaimRowBytes) -> Void) {
    let place = Int(places[number])
    guard !remapped.isEmpty, let row = remapped[arena.entries[place].index] else {
      return arena.withBytes(at: place, body)
    }
    row.customer.withUnsafeBufferPointer { customer in
      row.meter.withUnsafeBufferPointer { meter in
        row.dimensions.withUnsafeBufferPointer { dimensions in
          body(
            ClaimRowBytes(
              customer: customer, meter: meter, dimensions: dimensions, value: row.value,
              timestampMilliseconds: row.timestampMilliseconds, events: row.events))
        }
      }
    }
  }

  /// The bytes of the `number`th row.
  public func row(_ number: Int) -> ClaimRow {
    let place = Int(places[number])
    if remapped.isEmpty { return arena.row(at: place) }
    return remapped[arena.entries[place].index] ?? arena.row(at: place)
  }

  /// The `number`th row with its bytes and its state.
  public subscript(_ number: Int) -> LedgerRow {
    let history = histories.isEmpty ? nil : histories[places[number]]
    return LedgerRow(
      reference: RowReference(claim: claim, row: index(number)), key: key(number), row: row(number),
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
