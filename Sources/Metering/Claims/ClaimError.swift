/// Why a claim could not be built.
public enum ClaimError: Error, Hashable, Sendable {
  /// The head's configuration does not name the sink, or names it as retired.
  case noSuchSink(String)
  /// No cut is unclaimed, or none up to the wanted one.
  case nothingToClaim
  /// The rows of this cut are no longer in memory: read them again (``CutRecall``).
  case rowsMissing(cut: UInt64)
  /// The rows of a cut cannot be decoded. (The fold has decoded them before: this is memory gone wrong.)
  case damagedRows(cut: UInt64, LedgerCodecError)
  /// A sum does not fit in 128 bits.
  case overflow(customer: [UInt8], meter: [UInt8])
  /// More rows than a claim can number.
  case tooManyRows
}
