import Metering

/// One partition of the ledger topic, in memory, with the broker's append times.
final class LedgerLog {
  private var entries: [LedgerEntry] = []
  /// Records below this offset are deleted.
  private(set) var low: Int64 = 0
  /// Readers at the end: told once when there is more.
  var waiting: [() -> Void] = []
  /// Sees each record at the moment at which it lands.
  var watch: LedgerWatch?

  var end: Int64 { Int64(entries.count) }

  /// The broker's clock may be off, and may step back: ledger time is the running maximum.
  func append(_ bytes: [UInt8], at time: Int64) {
    let entry = LedgerEntry(offset: end, appendMilliseconds: time, bytes: bytes)
    entries.append(entry)
    watch?.take(entry)
    let told = waiting
    waiting = []
    for tell in told { tell() }
  }

  func delete(below offset: Int64) { low = max(low, min(offset, end)) }

  /// What is retained from `offset` on.
  func entries(from offset: Int64, limit: Int) -> ArraySlice<LedgerEntry> {
    let from = max(offset, low)
    guard from < end, limit > 0 else { return [] }
    return entries[Int(from)..<Int(min(end, from + Int64(limit)))]
  }
}
