public import Metering

/// Rows handed to a sink: by places in their claims' arenas, or made by hand. One's bytes are put together when its request
/// is written.
public struct SinkRows: Sendable, ExpressibleByArrayLiteral {
  /// Rows of one claim, ascending by index.
  enum Part: Sendable {
    case claim(ClaimRows)
    case made([SinkRow])
  }

  private(set) var parts: [Part]

  public init(_ rows: LedgerRows) { parts = rows.claims.map { .claim($0) } }

  public init(_ rows: [SinkRow]) {
    let claims = Dictionary(grouping: rows, by: \.reference.claim)
    parts = claims.sorted { $0.key < $1.key }.map {
      .made($0.value.sorted { $0.reference < $1.reference })
    }
  }

  public init(arrayLiteral rows: SinkRow...) { self.init(rows) }

  var isEmpty: Bool { parts.allSatisfy { $0.count == 0 } }
}

extension SinkRows.Part {
  var count: Int {
    switch self {
    case .claim(let rows): rows.count
    case .made(let rows): rows.count
    }
  }

  func reference(_ number: Int) -> RowReference {
    switch self {
    case .claim(let rows): RowReference(claim: rows.claim, row: rows.index(number))
    case .made(let rows): rows[number].reference
    }
  }

  func timestampMilliseconds(_ number: Int) -> Int64 {
    switch self {
    case .claim(let rows): rows.timestampMilliseconds(number)
    case .made(let rows): rows[number].timestampMilliseconds
    }
  }

  /// Whether no record has named any of the rows.
  var isFresh: Bool {
    switch self {
    case .claim(let rows): rows.isFresh
    case .made: false
    }
  }

  func doubt(_ number: Int) -> Doubt? {
    switch self {
    case .claim(let rows): rows.isFresh(number) ? nil : Doubt(rows.attempts(number))
    case .made(let rows): rows[number].doubt
    }
  }

  subscript(_ number: Int) -> SinkRow {
    switch self {
    case .claim(let rows): SinkRow(number, of: rows)
    case .made(let rows): rows[number]
    }
  }

  func keeping(_ numbers: [Int]) -> Self {
    switch self {
    case .claim(let rows): .claim(rows.keeping(numbers))
    case .made(let rows): .made(numbers.map { rows[$0] })
    }
  }

  /// The place of that row; nil where it is not among these.
  func number(of reference: RowReference) -> Int? {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      let found = self.reference(middle)
      if found == reference { return middle }
      if found < reference { low = middle + 1 } else { high = middle }
    }
    return nil
  }
}
