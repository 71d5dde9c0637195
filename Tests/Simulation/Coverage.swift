/// How often each thing happened: what the seeds really exercised, so that a fault that silently stops occurring is seen.
struct Coverage {
  private(set) var counts: [String: Int] = [:]

  mutating func note(_ what: String, _ count: Int = 1) { counts[what, default: 0] += count }

  mutating func add(_ other: Coverage) { counts.merge(other.counts) { $0 + $1 } }

  /// What the suite must have seen, each in at least one of a thousand seeds on average.
  static let expected: [String] = [
    // Faults.
    "fault: crash between two steps", "fault: crash inside a step", "fault: crash, disk lost", "fault: crash, old disk",
    "fault: take-over", "fault: two live owners", "fault: stop", "fault: long stop",
    "fault: stop before the first byte",
    "fault: stop between read-back and send", "fault: outage", "fault: provider refuses rows", "fault: disk full",
    "fault: append refused", "fault: idle days", "fault: account changed", "fault: committed offset lost",
    "fault: unknown append, landed whole", "fault: unknown append, landed in part", "fault: unknown append, not landed",
    "fault: unknown append, landed late", "fault: reply lost after the effect",
    "fault: retention", "fault: retention too short", "fault: topic re-created",
    "configuration: window longer", "configuration: window shorter", "configuration: aggregate",
    "configuration: dimensions", "configuration: time slot", "configuration: sink retired",
    "configuration: sink returned", "configuration: sink added", "configuration: without version",
    "configuration: sink vanished",
    // Records of the log.
    "timestamp: past", "timestamp: future", "timestamp: none", "timestamp: capped", "record: malformed", "record: hole",
    "record: elusive",
    "record: repeat", "record: conflict", "start: earliest", "start: latest", "start: instant",
    "start: with sightings before it", "partitions: several",
    // Ways back to a state that decides.
    "recovery: founded", "recovery: restored as it stands", "recovery: restored with open events",
    "recovery: restored with a frozen range", "recovery: cut back", "recovery: cut back and replayed",
    "recovery: rebuilt", "recovery: rebuilt for a changed window", "recovery: from a snapshot",
    "recovery: the ledger's beginning is deleted", "recovery: sealed segments", "recovery: settling only",
    "recovery: sealed within a replay", "warm: sealed within a bucket", "warm: later cut of one life",
    // The ledger.
    "ledger: genesis", "ledger: owner", "ledger: configuration", "ledger: cut", "ledger: empty cut", "ledger: claim",
    "ledger: sending", "ledger: unsent", "ledger: done", "ledger: uncertain", "ledger: parked",
    "ledger: settled by resolve",
    "ledger: retried by resolve", "ledger: dropped by resolve", "ledger: snapshot", "ledger: carry",
    "ledger: accepted loss", "ledger: deleted rows skipped", "record: passed over as accepted",
    "ledger: ignored notOwner", "ledger: ignored genesisStands",
    "ledger: ignored configurationStands", "ledger: ignored noEffect", "ledger: deleted below a snapshot",
    "cut: sightings of a changed window",
    // Stops and ends.
    "stop: configuration_without_version", "stop: sink_vanished", "stop: storage_failed", "stop: append_refused",
    "stop: rows_deleted", "stop: log_starts_beyond_head", "stop: window_not_retained",
    "stop: record_in_hole", "stop: topic_recreated", "stop: log_ends_before_head",
    "end: otherOwner", "end: unknownAppend", "end: closed",
    // Delivery.
    "sink: circuitOpened", "sink: circuitClosed", "sink: rowUncertain", "sink: rowsVoided", "sink: batchSplit",
    "sink: rowRejected", "sink: rowDeferred", "sink: rateLimited", "sink: accountChanged", "sink: already delivered",
    "sink: sent by another process in the lease",
  ]
}
