/// What is known of the present on the broker's clock, from records that were appended and read back.
///
/// Both bounds only ever rise against our own clock: a broker clock that was set back cannot make an attempt younger.
struct LedgerClock {
  /// Ledger time of a record minus elapsed time before its append: the greatest seen.
  private var latestOffset: Int64
  /// Ledger time of a record minus elapsed time when it was read back: the greatest seen.
  private var earliestOffset: Int64

  init(_ anchor: LedgerAnchor, now: Int64) {
    latestOffset = anchor.ledgerMilliseconds - anchor.elapsedBeforeAppend
    earliestOffset = anchor.ledgerMilliseconds - now
  }

  mutating func note(_ anchor: LedgerAnchor, now: Int64) {
    latestOffset = max(latestOffset, anchor.ledgerMilliseconds - anchor.elapsedBeforeAppend)
    earliestOffset = max(earliestOffset, anchor.ledgerMilliseconds - now)
  }

  /// The present is at most this, Unix milliseconds.
  func latest(_ now: Int64) -> Int64 { latestOffset + now }
  /// The present is at least this, Unix milliseconds.
  func earliest(_ now: Int64) -> Int64 { earliestOffset + now }
  /// When ``earliest(_:)`` will have reached `instant`, elapsed milliseconds, by what is known now.
  func elapsed(whenEarliestReaches instant: Int64) -> Int64 { instant - earliestOffset }
  /// When ``latest(_:)`` will have reached `instant`, elapsed milliseconds, by what is known now.
  func elapsed(whenLatestReaches instant: Int64) -> Int64 { instant - latestOffset }
}
