import Testing

@testable import Metering

/// A partition machine over a ledger in memory: what it appends lands at once and is read back, until it rests.
final class MachineRig {
  var machine: PartitionMachine
  private(set) var log: [LedgerEntry]
  /// Records below this ledger offset are deleted.
  private let low: Int64
  /// Whether appends land.
  var lands = true
  private(set) var appended: [[[UInt8]]] = []
  private(set) var notices: [SinkNotice] = []
  private(set) var commits: [(chunks: [JournalChunk], state: LocalSummary)] = []
  private(set) var plans: [RecoveryPlan] = []
  private(set) var stops: [StopReason] = []
  private(set) var ends: [EndReason] = []
  private let chunks: [JournalChunk]
  private var cursor: Int64?
  private var ledgerEnd: Int64?
  private var time: Int64 = 1_760_000_000_000
  var usageStart: Int64 = 0
  var usageEnd: Int64 = 10
  /// The usage records that a replay reads, from offset 0 on: nothing but holes where there are none.
  var usage: [String] = []
  /// What is found in the place of the last counted record: that one, unless something else is said.
  var usageDigest: Digest?
  var isHole = false
  /// Elapsed milliseconds.
  private var now: Int64 = 0

  init(
    nonce: UInt64, rules: BillingRules, log: [LedgerEntry] = [], low: Int64 = 0, local: LocalSummary? = nil,
    chunks: [JournalChunk] = [], partition: Int32 = 3, dedupFrom: Int64 = 0, start: Int64 = 0,
    settings: PartitionSettings = PartitionSettings(), topic: String = "usage", partitionCount: Int32 = 8
  ) {
    self.log = log
    self.low = low
    self.chunks = chunks
    let facts = PartitionFacts(
      clusterID: "cluster", topic: topic, group: "meterd", partition: partition, partitionCount: partitionCount,
      instance: "a", nonce: nonce, fingerprintKey: Array(0..<16), incarnation: Array(16..<32), startOffset: start,
      dedupFromOffset: dedupFrom, committed: nil, local: local)
    machine = PartitionMachine(
      facts: facts, rules: rules, settings: settings, mapCustomer: { _, customer in customer })
  }

  func begin() {
    machine.begin(now: 0)
    rest()
  }

  func handle(_ input: PartitionInput, now: Int64? = nil) {
    self.now = now ?? self.now
    machine.handle(input, now: self.now)
    rest()
  }

  /// Lands records of somebody else.
  func land(_ records: [[UInt8]]) {
    for bytes in records {
      time += 10
      log.append(LedgerEntry(offset: Int64(log.count), appendMilliseconds: time, bytes: bytes))
    }
    rest()
  }

  func land(_ record: LedgerRecord, nonce: UInt64, sequence: UInt64) {
    land([LedgerCodec.encode(record, identity: RecordIdentity(nonce: nonce, sequence: sequence))])
  }

  func takeNotices() -> [SinkNotice] {
    defer { notices = [] }
    return notices
  }

  /// Counts one record of this text at an offset.
  func count(_ text: String, at offset: Int64) -> Int {
    let taken = withRecord(text, at: offset) { machine.count($0, now: now) { _, _, _ in } }
    rest()
    return taken
  }

  private func withRecord(
    _ text: String, at offset: Int64, _ body: (UnsafeBufferPointer<RecordView>) -> Int
  ) -> Int {
    var value = Array(text.utf8)
    let length = value.count
    value += [UInt8](repeating: 0, count: 64)
    return value.withUnsafeBytes { bytes in
      let view = RecordView(
        value: UnsafeRawBufferPointer(rebasing: bytes[..<length]), key: UnsafeRawBufferPointer(start: nil, count: 0),
        offset: offset, timestampMilliseconds: 1_760_000_000_000)
      return withUnsafePointer(to: view) { body(UnsafeBufferPointer(start: $0, count: 1)) }
    }
  }

  private func replay(from: Int64, to: Int64) {
    for offset in from..<to where offset < Int64(usage.count) {
      let taken = withRecord(usage[Int(offset)], at: offset) { machine.replay($0) }
      #expect(taken == 1)
    }
    machine.handle(.replayed(through: to), now: now)
  }

  private func rest() {
    while true {
      let actions = machine.drainActions()
      for action in actions { carryOut(action) }
      if read() || !actions.isEmpty { continue }
      return
    }
  }

  private func carryOut(_ action: PartitionAction) {
    switch action {
    case .readLedger(let from):
      cursor = max(from, low)
      ledgerEnd = Int64(log.count)
    case .append(let records, _):
      appended.append(records)
      guard lands else { return }
      for bytes in records {
        time += 10
        log.append(LedgerEntry(offset: Int64(log.count), appendMilliseconds: time, bytes: bytes))
      }
    case .recallLedger(let from, let through):
      let retained = log.filter { $0.offset >= max(from, low) && $0.offset <= through }
      machine.handle(.recalled(retained, isEnd: true), now: now)
    case .inspectLog:
      let digest = usageDigest ?? machine.fold.head?.lastRecord?.digest
      machine.handle(.logInspected(start: usageStart, end: usageEnd, digest: isHole ? nil : digest), now: now)
    case .openStorage:
      do {
        for chunk in chunks {
          let target = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk.byteCount, alignment: 16)
          defer { target.deallocate() }
          chunk.encode(into: target)
          try machine.restore(JournalChunkView(UnsafeRawBufferPointer(target)))
        }
      } catch {
        Issue.record("a chunk cannot be restored: \(error)")
      }
      machine.handle(.storageOpened, now: now)
    case .replay(let from, let to): replay(from: from, to: to)
    case .storage(.commit(let chunks, let state)): commits.append((chunks, state))
    case .sink(_, let notice): notices.append(notice)
    case .report(.recovering(let plan)): plans.append(plan)
    case .stopped(let reason): stops.append(reason)
    case .ended(let reason): ends.append(reason)
    default: break
    }
  }

  /// Hands over what the machine has not read; true where there was something.
  private func read() -> Bool {
    guard let from = cursor else { return false }
    let entries = Array(log[Int(min(from, Int64(log.count)))...])
    cursor = Int64(log.count)
    if !entries.isEmpty { machine.handle(.ledger(entries), now: now) }
    guard let end = ledgerEnd, Int64(log.count) >= end else { return !entries.isEmpty }
    // A handed-over snapshot asks for another reading first.
    let more = machine.drainActions()
    for action in more { carryOut(action) }
    if more.contains(where: { if case .readLedger = $0 { true } else { false } }) { return true }
    ledgerEnd = nil
    machine.handle(.ledgerEnd, now: now)
    return true
  }
}
