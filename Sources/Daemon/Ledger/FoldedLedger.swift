public import Metering

/// A ledger partition folded from wherever it begins now, for reading only: from GENESIS, or, where the beginning was
/// deleted, from the first whole SNAPSHOT.
public struct FoldedLedger {
  /// What the records say; empty until there is a beginning.
  public private(set) var fold: LedgerFold
  /// Why the state cannot be told, where it cannot: a record that cannot be read, or no beginning.
  public private(set) var unusable: String?
  /// Whether records were read, and neither a GENESIS nor a whole SNAPSHOT to begin with was among them.
  public var lacksBeginning: Bool { finder != nil && unusable == nil }
  private var finder: SnapshotFinder?
  private var waiting: [LedgerEntry] = []
  private var hasBegun = false

  /// A fold that has read nothing.
  public init(partition: Int32) { fold = LedgerFold(partition: partition) }

  /// Takes the next record.
  ///
  /// - Returns: why it counts for nothing, where it does.
  public mutating func take(_ entry: LedgerEntry) -> String? {
    if !hasBegun {
      hasBegun = true
      if entry.offset > 0 { finder = SnapshotFinder() }
    }
    guard unusable == nil else { return nil }
    guard finder != nil else { return apply(entry) }
    waiting.append(entry)
    guard let found = finder?.add(entry) else { return nil }
    finder = nil
    do {
      fold = try LedgerFold(snapshot: found.payloads, through: found.through, partition: fold.partition)
    } catch {
      unusable = "the snapshot at ledger offset \(entry.offset) cannot be read: \(error)"
      return nil
    }
    // What lies between the snapshot's `through` and its own place is folded now.
    let later = waiting
    waiting = []
    for entry in later where entry.offset >= fold.nextOffset { _ = apply(entry) }
    return nil
  }

  private mutating func apply(_ entry: LedgerEntry) -> String? {
    do throws(LedgerFault) {
      if case .ignored(let why) = try fold.apply(entry) { return "ignored: \(why.rawValue)" }
      return nil
    } catch {
      unusable = error.description
      return unusable
    }
  }
}
