import Metering

/// One partition of the ledger topic, in memory, with the broker's append times.
final class LedgerLog {
  private(set) var entries: [LedgerEntry] = []
  /// Readers at the end: told once when there is more.
  var waiting: [() -> Void] = []

  var end: Int64 { Int64(entries.count) }

  /// The broker's clock may be off by `skew`, and may step back: ledger time is the running maximum.
  func append(_ bytes: [UInt8], at time: Int64) {
    entries.append(LedgerEntry(offset: end, appendMilliseconds: time, bytes: bytes))
    let told = waiting
    waiting = []
    for tell in told { tell() }
  }

  func entries(from offset: Int64, limit: Int) -> [LedgerEntry] {
    guard offset < end else { return [] }
    return Array(entries[Int(offset)..<min(entries.count, Int(offset) + limit)])
  }
}
