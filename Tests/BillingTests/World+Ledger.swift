import Billing
import Metering

/// What stands in the ledger, and what it comes to.
extension World {
  func land(_ append: SinkAppend, _ partition: Int32, _ life: Life) {
    let nonce = life.nonces[partition] ?? 0
    life.sequence += 1
    let identity = RecordIdentity(nonce: nonce, sequence: life.sequence)
    if case .sending(_, let sending) = append {
      for reference in sending.rows {
        if let row = ledger[partition]?[reference]?.row { life.askedAt[row.key] = now }
      }
    }
    let landing = max(now + between(1...20), life.lastLanding[partition] ?? 0)
    life.lastLanding[partition] = landing
    at(landing) { [self] in
      // What a crashed process had not handed over yet is lost, sometimes.
      if !life.isAlive, chance(50) { return }
      fold(append, identity, partition, isOwner: owners[partition]?.nonce == nonce)
      guard case .sending(let token, let sending) = append else { return }
      let stands = owners[partition]?.nonce == nonce
      let ledgerMilliseconds = epoch + now
      // Now and then the read-back takes longer than the lease.
      let delay = now < calmFrom && chance(2) ? between(0...80_000) : between(0...20)
      at(now + delay) { [self] in
        let decided = sending.rows.filter { ledger[partition]?[$0]?.verdict != nil }
        let isWhole = decided.isEmpty
        for row in decided { give(life, .rowGone(partition, row)) }
        give(
          life,
          stands && isWhole
            ? .sendingStands(partition, token, identity: identity, ledgerMilliseconds: ledgerMilliseconds)
            : .sendingVoid(partition, token))
        if stands, !isWhole {
          fold(.unsent(Unsent(sink: "sink", sending: identity, rows: sending.rows)), identity, partition, isOwner: true)
        }
      }
    }
  }

  func fold(_ append: SinkAppend, _ identity: RecordIdentity, _ partition: Int32, isOwner: Bool) {
    switch append {
    case .sending(_, let sending):
      guard isOwner else { return }
      for row in sending.rows where ledger[partition]?[row]?.verdict == nil {
        ledger[partition]?[row]?.attempts.append((identity, epoch + now, sending.account))
      }
    case .unsent(let unsent):
      for row in unsent.rows { ledger[partition]?[row]?.attempts.removeAll { $0.identity == unsent.sending } }
    case .done(let done):
      for row in done.rows {
        // A DONE of an attempt that an UNSENT voided says nothing.
        guard var folded = ledger[partition]?[row.reference],
          folded.attempts.contains(where: { $0.identity == done.sending })
        else { continue }
        let rank = ["uncertain": 0, "rejected": 1, "delivered": 2, "alreadyDelivered": 2]
        let outcome = "\(row.outcome)"
        if rank[outcome, default: 0] > rank[folded.verdict ?? "", default: -1] {
          folded.verdict = outcome
          ledger[partition]?[row.reference] = folded
          if !isOwner, chance(50), let owner = owners[partition]?.life {
            give(owner, .rowGone(partition, row.reference))
          }
        }
      }
      // Read back by its own partition: a row that is not at rest after all comes again.
      guard isOwner, let owner = owners[partition]?.life else { return }
      let rows = done.rows.map(\.reference)
      at(now + between(0...20)) { [self] in
        guard owners[partition]?.life === owner else { return }
        for row in rows {
          if let folded = ledger[partition]?[row], !folded.isAtRest {
            give(owner, .rowRetried(partition, open(folded)))
          }
        }
      }
    case .park(let park):
      guard isOwner else { return }
      for row in park.rows {
        ledger[partition]?[row]?.attempts = []
        ledger[partition]?[row]?.verdict = "parked:" + park.reason
      }
    }
  }
}
