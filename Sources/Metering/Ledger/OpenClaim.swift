/// A row that is not settled: its bytes, and what the ledger says of it.
///
/// The state is derived from two facts, so that the order in which DONEs arrive decides nothing:
/// the *verdict* (none, uncertain, parked) and the *attempts* (SENDINGs that stand, are not void, and come after the last
/// PARK or RESOLVE of the row). A PARK or RESOLVE empties the attempts: a late DONE or UNSENT of an older SENDING then
/// names no attempt of the row, which is how it is outranked. *Settled* absorbs: delivered is the highest rank, a
/// person's settling or dropping outranks all SENDINGs before it, and a SENDING of a settled row does not count. So of a
/// settled row nothing has to be remembered but that it is no longer here.
public struct OpenRow: Hashable, Sendable {
  enum Verdict: Hashable, Sendable {
    case none
    case uncertain(code: String, record: Int64)
    case parked(reason: String, record: Int64)
    case settled(RowState.Settlement)
  }

  /// The row's index in its claim.
  public let index: UInt32
  public internal(set) var row: ClaimRow
  var verdict: Verdict = .none
  /// The attempts whose outcome is open or ambiguous, in ledger order.
  public internal(set) var attempts: [RowAttempt] = []
  /// Whether an attempt before the last PARK or RESOLVE may have had effect: then `already_delivered` is our own.
  public internal(set) var hasEarlierAttempts = false

  public var state: RowState {
    switch verdict {
    case .none: attempts.isEmpty ? .ready : .inDoubt(attempts)
    case .uncertain(let code, let record): .uncertain(code: code, record: record)
    case .parked(let reason, let record): .parked(reason: reason, record: record)
    case .settled(let settlement): .settled(settlement)
    }
  }

  var isSettled: Bool {
    if case .settled = verdict { true } else { false }
  }

  init(index: UInt32, row: ClaimRow) {
    self.index = index
    self.row = row
  }
}

/// A claim with rows that are not settled.
public struct OpenClaim: Hashable, Sendable {
  public let number: UInt64
  public let firstCut: UInt64
  public let lastCut: UInt64
  public let configuration: Digest
  /// The ledger offset of its SEAL.
  public let sealOffset: Int64
  /// Ledger time at its SEAL, Unix milliseconds.
  public let ledgerMilliseconds: Int64
  /// Ascending by index. Settled rows stay as empty shells until half of the array is shells.
  var stored: [OpenRow]
  public internal(set) var openCount: Int

  init(
    number: UInt64, firstCut: UInt64, lastCut: UInt64, configuration: Digest, sealOffset: Int64,
    ledgerMilliseconds: Int64, rows: [OpenRow]
  ) {
    self.number = number
    self.firstCut = firstCut
    self.lastCut = lastCut
    self.configuration = configuration
    self.sealOffset = sealOffset
    self.ledgerMilliseconds = ledgerMilliseconds
    stored = rows
    openCount = rows.count
  }

  /// The rows that are not settled, ascending by index.
  public var rows: some Sequence<OpenRow> { stored.lazy.filter { !$0.isSettled } }

  /// The row of that index, unless it is settled.
  public func row(at index: UInt32) -> OpenRow? { position(of: index).map { stored[$0] } }

  func position(of index: UInt32) -> Int? {
    var low = 0
    var high = stored.count
    // Mostly nothing has been compacted: then the index is the place.
    if Int(index) < stored.count, stored[Int(index)].index == index {
      return stored[Int(index)].isSettled ? nil : Int(index)
    }
    while low < high {
      let middle = (low &+ high) / 2
      if stored[middle].index == index { return stored[middle].isSettled ? nil : middle }
      if stored[middle].index < index { low = middle + 1 } else { high = middle }
    }
    return nil
  }

  mutating func settle(at position: Int, as settlement: RowState.Settlement) {
    stored[position].verdict = .settled(settlement)
    stored[position].attempts = []
    stored[position].row = .empty
    openCount -= 1
  }

  mutating func compact() {
    if stored.count >= 32, openCount * 2 < stored.count { stored.removeAll { $0.isSettled } }
  }
}

extension OpenClaim {
  /// Equal in what they say; how many shells are still held is no part of it.
  public static func == (left: Self, right: Self) -> Bool {
    left.number == right.number && left.firstCut == right.firstCut && left.lastCut == right.lastCut
      && left.configuration == right.configuration && left.sealOffset == right.sealOffset
      && left.ledgerMilliseconds == right.ledgerMilliseconds && left.openCount == right.openCount
      && left.rows.elementsEqual(right.rows)
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(number)
    hasher.combine(openCount)
  }
}

extension ClaimRow {
  static let empty = ClaimRow(
    customer: [], meter: [], dimensions: [], value: .zero, timestampMilliseconds: 0, events: 0, isUnmapped: false)
}
