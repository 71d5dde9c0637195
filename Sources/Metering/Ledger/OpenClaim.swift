/// A row that is not settled: its bytes, and what the ledger says of it.
///
/// The state is derived from two facts, so that the order in which DONEs arrive decides nothing:
/// the *verdict* (none, uncertain, parked) and the *attempts* (SENDINGs that stand, are not void, and come after the last
/// PARK or RESOLVE of the row). A PARK or RESOLVE empties the attempts: a late DONE or UNSENT of an older SENDING then
/// names no attempt of the row, which is how it is outranked. One thing outlives: where a person retries a row that a DONE
/// has refused, an ambiguous attempt before the refusal stays, since its age decides how long the row may be sent again,
/// and what is learnt of it late is still the truth. *Settled* absorbs: delivered is the highest rank, a
/// person's settling or dropping outranks all SENDINGs before it, and a SENDING of a settled row does not count. So of a
/// settled row nothing has to be remembered but that it is no longer here.
public struct OpenRow: Hashable, Sendable {
  /// The row's index in its claim.
  public let index: UInt32
  public let row: ClaimRow
  let history: RowHistory

  public var state: RowState { history.state }
  /// The attempts whose outcome is open or ambiguous, in ledger order.
  public var attempts: [RowAttempt] { history.attempts }
  /// Whether an attempt before the last PARK or RESOLVE may have had effect: then `already_delivered` is our own.
  public var hasEarlierAttempts: Bool { history.hasEarlierAttempts }
}

/// What the ledger says of a row, its bytes apart: mostly the same of many rows.
struct RowHistory: Hashable, Sendable {
  enum Verdict: Hashable, Sendable {
    case none
    case uncertain(code: String, record: Int64)
    case parked(reason: String, record: Int64)
    case settled(RowState.Settlement)
  }

  var verdict: Verdict = .none
  var attempts: [RowAttempt] = []
  var hasEarlierAttempts = false

  /// Of a row that no record has named.
  static let fresh = RowHistory()

  var state: RowState {
    switch verdict {
    case .none: attempts.isEmpty ? .ready : .inDoubt(attempts)
    case .uncertain(let code, let record): .uncertain(code: code, record: record)
    case .parked(let reason, let record): .parked(reason: reason, record: record)
    case .settled(let settlement): .settled(settlement)
    }
  }
}

/// A claim with rows that are not settled.
///
/// Rows lie in an arena that never changes; what the ledger says of each is a number, the place of a history that it
/// shares with all rows of the claim that went the same way. So a record that names thousands of rows writes numbers.
public struct OpenClaim: Hashable, Sendable {
  public let number: UInt64
  public let firstCut: UInt64
  public let lastCut: UInt64
  public let configuration: Digest
  /// The ledger offset of its SEAL.
  public let sealOffset: Int64
  /// Ledger time at its SEAL, Unix milliseconds.
  public let ledgerMilliseconds: Int64
  /// Ascending by index. Settled rows stay until they are half of it.
  private(set) var arena: ClaimArena
  /// For each row of the arena the place of its history, or ``settledMark``.
  private(set) var marks: [UInt32]
  /// The first is ``RowHistory/fresh``.
  private(set) var histories: [RowHistory] = [.fresh]
  /// Rows that a person gave another customer (and so another value), by index.
  private(set) var remapped: [UInt32: ClaimRow] = [:]
  public private(set) var openCount: Int

  static let settledMark = UInt32.max

  init(
    number: UInt64, firstCut: UInt64, lastCut: UInt64, configuration: Digest, sealOffset: Int64,
    ledgerMilliseconds: Int64, arena: ClaimArena
  ) {
    self.number = number
    self.firstCut = firstCut
    self.lastCut = lastCut
    self.configuration = configuration
    self.sealOffset = sealOffset
    self.ledgerMilliseconds = ledgerMilliseconds
    self.arena = arena
    openCount = arena.entries.count
    marks = [UInt32](repeating: 0, count: openCount)
  }

  // MARK: Reading

  /// The rows that are not settled, ascending by index.
  public var rows: some Sequence<OpenRow> {
    var cursor = ClaimArena.Cursor()
    var next = 0
    return AnyIterator { [self] in
      while next < marks.count, marks[next] == Self.settledMark { next += 1 }
      guard next < marks.count else { return nil }
      defer { next += 1 }
      let index = arena.entries[next].index
      let row = remapped.isEmpty ? nil : remapped[index]
      return OpenRow(
        index: index, row: row ?? cursor.row(of: arena, at: next), history: histories[Int(marks[next])])
    }
  }

  /// The row of that index, unless it is settled.
  public func row(at index: UInt32) -> OpenRow? {
    position(of: index).map {
      OpenRow(index: index, row: remapped[index] ?? arena.row(at: $0), history: histories[Int(marks[$0])])
    }
  }

  func position(of index: UInt32) -> Int? { Self.position(of: index, arena, marks) }

  /// Where the row of that index is, unless it is settled.
  @inline(__always) fileprivate static func position(
    of index: UInt32, _ arena: ClaimArena, _ marks: [UInt32]
  ) -> Int? {
    // Mostly nothing has been compacted: then the index is the place.
    guard let place = arena.isDense ? Int(index) : arena.place(of: index) else { return nil }
    return place < marks.count && marks[place] != settledMark ? place : nil
  }

  func value(at position: Int) -> Quantity {
    let value = arena.values[position]
    return remapped.isEmpty ? value : remapped[arena.entries[position].index]?.value ?? value
  }

  /// Calls `body` with the sum of the rows that follow each other with the same history, their number, and that history.
  func forEachHistory(_ body: (Quantity, Int64, RowHistory) -> Void) {
    var last = Self.settledMark
    var sum = Quantity.zero
    var rows: Int64 = 0
    for position in marks.indices {
      let mark = marks[position]
      if mark == Self.settledMark { continue }
      if mark != last {
        if rows > 0 { body(sum, rows, histories[Int(last)]) }
        last = mark
        sum = .zero
        rows = 0
      }
      sum.units &+= value(at: position).units
      rows += 1
    }
    if rows > 0 { body(sum, rows, histories[Int(last)]) }
  }

  // MARK: Changing

  /// The number of that history.
  mutating func mark(of history: RowHistory) -> UInt32 {
    if case .settled = history.verdict { return Self.settledMark }
    if history == .fresh { return 0 }
    histories.append(history)
    return UInt32(histories.count - 1)
  }

  /// The claim's rows while a record is applied to many of them: its marks moved out, so that writing them asks nobody
  /// whether they are shared.
  struct Changes {
    fileprivate let arena: ClaimArena
    fileprivate(set) var marks: [UInt32]
    fileprivate var remapped: [UInt32: ClaimRow]
    fileprivate var settled = 0

    /// Where the row of that index is, unless it is settled.
    @inline(__always) func position(of index: UInt32) -> Int? { OpenClaim.position(of: index, arena, marks) }

    @inline(__always) func value(at position: Int) -> Quantity {
      let value = arena.values[position]
      return remapped.isEmpty ? value : remapped[arena.entries[position].index]?.value ?? value
    }

    @inline(__always) mutating func set(_ mark: UInt32, at position: Int) {
      marks[position] = mark
      guard mark == OpenClaim.settledMark else { return }
      settled += 1
      if !remapped.isEmpty { remapped[arena.entries[position].index] = nil }
    }
  }

  /// To be given back to ``end(_:)`` before anything else is asked of the claim but its histories.
  mutating func beginChanges() -> Changes {
    let changes = Changes(arena: arena, marks: marks, remapped: remapped)
    marks = []
    remapped = [:]
    return changes
  }

  mutating func end(_ changes: Changes) {
    marks = changes.marks
    remapped = changes.remapped
    openCount -= changes.settled
  }

  mutating func set(_ mark: UInt32, at position: Int) {
    var changes = beginChanges()
    changes.set(mark, at: position)
    end(changes)
  }

  mutating func set(_ history: RowHistory, at positions: [Int]) {
    let mark = mark(of: history)
    var changes = beginChanges()
    for position in positions { changes.set(mark, at: position) }
    end(changes)
  }

  mutating func remap(_ row: ClaimRow, at position: Int) { remapped[arena.entries[position].index] = row }

  /// Drops settled rows once they are the greater part, and histories that no row has any more.
  mutating func compact() {
    if marks.count >= 32, openCount * 2 < marks.count {
      let open = marks.indices.filter { marks[$0] != Self.settledMark }
      arena = arena.keeping(open)
      marks = open.map { marks[$0] }
    }
    guard histories.count > 64, histories.count > marks.count / 4 else { return }
    var places = [UInt32: UInt32]()
    var kept: [RowHistory] = [.fresh]
    for position in marks.indices where marks[position] != 0 && marks[position] != Self.settledMark {
      let former = marks[position]
      if places[former] == nil {
        places[former] = UInt32(kept.count)
        kept.append(histories[Int(former)])
      }
      marks[position] = places[former] ?? 0
    }
    histories = kept
  }
}

extension OpenClaim {
  /// Equal in what they say; how many settled rows are still held is no part of it.
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
