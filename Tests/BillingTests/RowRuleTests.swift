import Billing
import Metering
import Testing

private let identity = RecordIdentity(nonce: 3, sequence: 9)
private let hour: Int64 = 3_600_000

private func doubt(_ sinceEpoch: Int64, account: String? = "acct") -> Doubt {
  Doubt(
    firstLedgerMilliseconds: epoch + sinceEpoch, lastLedgerMilliseconds: epoch + sinceEpoch, lastSending: identity,
    account: account)
}

@Suite("Doubt, age, accounts")
struct DoubtTests {
  @Test("Past the window less 5 % a row is uncertain, counted from its first ambiguous attempt")
  func age() {
    let harness = Harness(contract())
    let margin = 24 * hour / 20
    harness.open(
      0, [row(0, doubt: doubt(-(24 * hour - margin))), row(1, doubt: doubt(-(24 * hour - margin) + 1))])
    #expect(harness.sent.map(\.keys) == [["k0.1"]])
    harness.run(for: 200)
    #expect(harness.outcomes == [ref(0): .uncertain])
    #expect(harness.done[0].sending == identity)
    #expect(harness.done[0].rows[0].code == "idempotency_window_passed")
  }

  @Test("The margin is at least the request time-out and five minutes")
  func smallWindow() {
    let harness = Harness(contract(idempotency: .key(windowMilliseconds: hour)))
    let usable = hour - 330_000
    harness.open(0, [row(0, doubt: doubt(-usable)), row(1, doubt: doubt(-usable + 1))])
    #expect(harness.sent.map(\.keys) == [["k0.1"]])
  }

  @Test("Attempts proven without effect do not start the clock, ambiguous ones do, at their SENDING")
  func whatStartsTheClock() {
    let harness = Harness(contract(idempotency: .key(windowMilliseconds: hour)))
    harness.open(0, [row(0)])
    harness.reply(429, [("Retry-After", "3500")])
    harness.run(for: 3_500_000)
    #expect(harness.requests.count == 1)
    harness.reply(.ambiguous(code: "timeout"))
    let first = harness.now
    harness.run(until: first + hour) {
      while !harness.requests.isEmpty { harness.reply(.ambiguous(code: "timeout")) }
    }
    #expect(harness.outcomes == [ref(0): .uncertain])
    #expect(harness.sent.allSatisfy { $0.at < first + hour - 330_000 })
    #expect(harness.sent.count > 3)
  }

  @Test("already_delivered counts only after an earlier ambiguous SENDING of our own")
  func foreignDuplicate() {
    let harness = Harness(contract())
    harness.open(0, [row(0), row(1, doubt: doubt(-1_000)), row(2, mayBeKnown: true)])
    while !harness.requests.isEmpty { harness.reply(208) }
    harness.run(for: 200)
    #expect(harness.parked == [ref(0): "foreign_duplicate"])
    #expect(harness.outcomes == [ref(1): .alreadyDelivered, ref(2): .alreadyDelivered])
    #expect(harness.events.contains(.foreignDuplicate(0, ref(0))))
  }

  @Test("After an attempt without effect, already_delivered still is foreign; after an ambiguous one it is ours")
  func whichAttemptsCount() {
    for (first, expected) in [(ProviderReply.notSent(code: "tls"), true), (.ambiguous(code: "reset"), false)] {
      let harness = Harness(contract())
      harness.open(0, [row(0)])
      harness.reply(first)
      harness.run(for: 5_000)
      harness.reply(208)
      harness.run(for: 200)
      #expect((harness.parked[ref(0)] == "foreign_duplicate") == expected)
      #expect((harness.outcomes[ref(0)] == .alreadyDelivered) == !expected)
    }
  }

  @Test("A change of account makes rows in doubt uncertain; others go to the new account")
  func accountChange() {
    let harness = Harness(contract())
    harness.open(0, [row(0, doubt: doubt(-1_000, account: "former")), row(1, doubt: doubt(-1_000, account: nil))])
    harness.run(for: 200)
    #expect(harness.outcomes == [ref(0): .uncertain, ref(1): .uncertain])
    harness.give(.claimStands(0, rows: [row(2), row(3)]))
    harness.reply(.ambiguous(code: "timeout"))
    harness.reply(.notSent(code: "connect"))
    harness.give(.accountKnown("other"))
    harness.run(for: 5_000)
    #expect(harness.outcomes[ref(2)] == .uncertain)
    #expect(harness.sent.last?.keys == ["k0.3"])
    #expect(harness.sent.last?.account == "other")
  }

  @Test("Nothing is sent before the account is known")
  func noAccount() {
    let harness = Harness(TestAdapter(contract: contract()), account: nil)
    harness.open(0, [row(0)])
    harness.run(for: 5_000)
    #expect(harness.sent.isEmpty)
    harness.give(.accountKnown("acct"))
    #expect(harness.sent.count == 1)
  }

  @Test("Not idempotent: an ambiguous row is never sent again, and is decided only after lease, request and a minute")
  func notIdempotent() {
    let harness = Harness(contract(idempotency: .none))
    harness.open(0, [row(0), row(1, doubt: doubt(-100_000))])
    #expect(harness.sent.map(\.keys) == [["k0.0"]])
    harness.reply(503)
    // The predecessor's: 60 s lease + 30 s time-out + 60 s after its SENDING.
    harness.run(until: 49_999)
    #expect(harness.outcomes.isEmpty)
    harness.run(until: 50_100)
    #expect(harness.outcomes == [ref(1): .uncertain])
    harness.run(until: 149_999)
    #expect(harness.outcomes.count == 1)
    harness.run(until: 150_100)
    #expect(harness.outcomes[ref(0)] == .uncertain)
    #expect(harness.done.flatMap(\.rows).first { $0.reference == ref(0) }?.code == "http_503")
    #expect(harness.sent.count == 1)
  }

  @Test("Not idempotent: what is proven without effect is sent again")
  func notIdempotentProven() {
    let harness = Harness(contract(idempotency: .none))
    harness.open(0, [row(0)])
    harness.reply(.notSent(code: "connect"))
    harness.run(for: 5_000)
    harness.reply(200)
    harness.run(for: 200)
    #expect(harness.outcomes == [ref(0): .delivered])
    #expect(harness.sent.count == 2)
  }

  @Test("Racy: a row in doubt is sent again only when the earlier attempt must have ended")
  func racy() {
    let harness = Harness(contract(idempotency: .racyKey(windowMilliseconds: 24 * hour)))
    harness.open(0, [row(0)])
    harness.reply(.ambiguous(code: "timeout"))
    harness.run(until: 149_000)
    #expect(harness.sent.count == 1)
    harness.run(until: 151_000)
    #expect(harness.sent.count == 2)
  }

  @Test("A broker clock that is set back makes no attempt younger")
  func clockSetBack() {
    let harness = Harness(contract(idempotency: .key(windowMilliseconds: hour)))
    harness.open(0, [row(0)])
    harness.reply(.ambiguous(code: "timeout"))
    harness.now = 3_000_000
    // Ledger time stands still, since the new broker is behind: the elapsed time counts.
    harness.give(
      .ledgerAnchor(0, LedgerAnchor(ledgerMilliseconds: epoch, elapsedBeforeAppend: harness.now)))
    harness.run(until: 3_280_000)
    harness.requests.removeAll()
    harness.run(for: 200)
    #expect(harness.sent.allSatisfy { $0.at < hour - 330_000 })
  }
}

@Suite("Timestamps and refusals")
struct TimestampTests {
  private let rules = Contract.TimestampRules(oldestMilliseconds: 10 * hour, newestAheadMilliseconds: 300_000)

  @Test("Older than the contract takes: parked without an attempt")
  func tooOld() {
    let harness = Harness(contract(timestamps: rules))
    harness.open(0, [row(0, timestamp: epoch - 10 * hour), row(1, timestamp: epoch - 10 * hour + 30_001)])
    #expect(harness.parked == [ref(0): "timestamp_too_old"])
    #expect(harness.sent.map(\.keys) == [["k0.1"]])
  }

  @Test("Newer than it takes: waits without an attempt, and holds up no claim")
  func tooNew() {
    let harness = Harness(contract(timestamps: rules))
    harness.open(0, [row(0, timestamp: epoch + 400_000)])
    #expect(harness.sent.isEmpty)
    #expect(harness.ready[0] == true)
    #expect(harness.machine.status().waitingRows == 1)
    harness.run(until: 99_999)
    #expect(harness.sent.isEmpty)
    harness.run(until: 100_000)
    #expect(harness.sent.count == 1)
    #expect(harness.unsent.isEmpty)
  }

  @Test("A claim whose rows all wait, or are parked at once, leaves the partition not busy")
  func nothingToSend() {
    let harness = Harness(contract(timestamps: rules))
    harness.open(0, [])
    #expect(harness.ready[0] == true)
    // With a claim that has rows the partition takes its sink for busy, until it is told otherwise.
    for (claim, timestamp) in [(1, epoch + 400_000), (2, epoch - 10 * hour)] as [(UInt64, Int64)] {
      harness.ready = [:]
      harness.give(.claimStands(0, rows: SinkRows([row(0, claim: claim, timestamp: timestamp)])))
      #expect(harness.sent.isEmpty)
      #expect(harness.ready[0] == true)
    }
    #expect(harness.machine.status().waitingRows == 1)
    #expect(harness.parked == [ref(0, claim: 2): "timestamp_too_old"])
    // With a row to send it is busy, until that is settled.
    harness.ready = [:]
    harness.give(.claimStands(0, rows: SinkRows([row(0, claim: 3)])))
    #expect(harness.sent.count == 1)
    #expect(harness.ready[0] == false)
    harness.reply(200)
    harness.run(for: 200)
    #expect(harness.ready[0] == true)
  }

  @Test("In doubt and by now too old: uncertain, not parked")
  func doubtTooOld() {
    let harness = Harness(contract(timestamps: rules))
    harness.open(0, [row(0, timestamp: epoch - 11 * hour, doubt: doubt(-1_000))])
    harness.run(for: 200)
    #expect(harness.outcomes == [ref(0): .uncertain])
    #expect(harness.parks.isEmpty)
  }

  @Test("A row that the adapter cannot write is parked without an attempt")
  func refused() {
    let harness = Harness(TestAdapter(contract: contract(), refused: ["k0.0"]))
    harness.open(0, [row(0), row(1)])
    #expect(harness.parked == [ref(0): "value_not_taken"])
    #expect(harness.sent.map(\.keys) == [["k0.1"]])
  }
}
