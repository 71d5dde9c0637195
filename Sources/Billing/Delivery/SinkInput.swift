public import Metering

/// A moment that the ledger and our own clock have in common: at `ledgerMilliseconds` a record was appended, whose
/// append began at `elapsedBeforeAppend` at the earliest. So the present is at most `ledgerMilliseconds` plus what has
/// elapsed since then, and at least `ledgerMilliseconds` plus what has elapsed since it was read back.
public struct LedgerAnchor: Hashable, Sendable {
  /// The record's ledger time, Unix milliseconds.
  public var ledgerMilliseconds: Int64
  /// Elapsed milliseconds (CLOCK_BOOTTIME) before the append began.
  public var elapsedBeforeAppend: Int64

  public init(ledgerMilliseconds: Int64, elapsedBeforeAppend: Int64) {
    self.ledgerMilliseconds = ledgerMilliseconds
    self.elapsedBeforeAppend = elapsedBeforeAppend
  }
}

/// Names one append of a SENDING between the machine and the partition.
public struct SendingToken: Hashable, Sendable {
  public var number: UInt64
  public init(number: UInt64) { self.number = number }
}

/// Names one request between the machine and its shell.
public struct RequestID: Hashable, Sendable {
  public var number: UInt64
  public init(number: UInt64) { self.number = number }
}

/// What a sink is told. Partitions are numbers of the usage topic.
public enum SinkInput: Sendable {
  /// This instance's OWNER record of the partition was read back. `rows`: all rows of this sink's claims that are
  /// neither settled nor parked nor uncertain. `anchor`: of that OWNER record, or any later one.
  case partitionOpened(Int32, rows: SinkRows, anchor: LedgerAnchor)
  /// A claim's SEAL was read back.
  case claimStands(Int32, rows: SinkRows)
  /// No new SENDING for the partition; what has one is sent or voided; then ``SinkAction/drained(_:)``.
  case partitionDraining(Int32)
  /// The partition is no longer ours. Its rows are forgotten; replies still to come are not reported.
  case partitionClosed(Int32)
  /// Our SENDING was read back under our own OWNER.
  case sendingStands(Int32, SendingToken, identity: RecordIdentity, ledgerMilliseconds: Int64)
  /// Our SENDING does not count (another OWNER came before it), or its append failed for certain.
  case sendingVoid(Int32, SendingToken)
  /// What became of a request.
  case reply(RequestID, ProviderReply)
  /// This row is to be brought to an outcome (again): after a person's RESOLVE, and after each of our own DONEs and PARKs
  /// was folded, for those of its rows that the ledger does not hold for settled, parked or uncertain (a former owner's
  /// UNSENT may have voided the SENDING that a DONE named). A row that is known here already is left as it is.
  case rowRetried(Int32, SinkRow)
  /// The ledger has an outcome for this row that did not come from here (a person's, or a former owner's late DONE): it
  /// is not sent any more. To be told at the latest before `sendingVoid` of a SENDING that named it, or the row is asked
  /// for again and again.
  case rowGone(Int32, RowReference)
  /// The account that the credentials belong to, at the start and after each change.
  case accountKnown(String)
  /// Any record of the partition that we appended was read back.
  case ledgerAnchor(Int32, LedgerAnchor)
  /// Time has passed.
  case tick
}
