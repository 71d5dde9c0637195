import Dispatch
import Metering
import Synchronization
import Testing

@testable import Daemon

@Suite struct MailboxTests {
  @Test func lettersComeInOrderAndEachWakesTheWorker() throws {
    let mailbox = Mailbox<Int>(queue: DispatchQueue(label: "mailbox.test"))
    let taken = Collected<[Int]>()
    mailbox.onTurn {
      taken.add(mailbox.take())
      mailbox.endTurn(again: false)
    }
    for letter in 0..<1_000 { mailbox.post(letter) }
    #expect(taken.wait { $0.reduce(0) { $0 + $1.count } == 1_000 })
    #expect(taken.all.flatMap { $0 } == Array(0..<1_000))
  }

  @Test func aTurnThatWantsAnotherOneGetsItWithoutALetter() throws {
    let mailbox = Mailbox<Int>(queue: DispatchQueue(label: "mailbox.test"))
    let turns = Collected<Int>()
    mailbox.onTurn {
      turns.add(1)
      mailbox.endTurn(again: turns.all.count < 5)
    }
    mailbox.wake()
    #expect(turns.wait { $0.count == 5 })
    mailbox.wake()
    #expect(turns.wait { $0.count == 6 })
  }

  /// A closure that grew with each turn would end the stack long before.
  @Test func turnsCostTheSameHoweverManyThereWere() throws {
    let mailbox = Mailbox<Int>(queue: DispatchQueue(label: "mailbox.test"))
    let count = Atomic(0)
    let done = DispatchSemaphore(value: 0)
    mailbox.onTurn {
      let turns = count.wrappingAdd(1, ordering: .relaxed).newValue
      if turns == 300_000 { done.signal() }
      mailbox.endTurn(again: turns < 300_000)
    }
    mailbox.wake()
    #expect(done.wait(timeout: .now() + 60) == .success)
  }
}

@Suite struct GroupOffsetMetadataTests {
  @Test func aHintIsReadBackAsItWasWritten() {
    for snapshot in [nil, Int64(0), 12_345] {
      let hint = CommittedHint(offset: 77, incarnation: (0..<16).map { UInt8($0 * 16 + 3) }, snapshotOffset: snapshot)
      #expect(CommittedHint(offset: 77, metadata: hint.metadata) == hint)
    }
  }

  @Test(arguments: [
    "", "meterd1", "meterd1 00 -", "meterd2 000102030405060708090a0b0c0d0e0f -",
    "meterd1 000102030405060708090a0b0c0d0e0g -", "meterd1 000102030405060708090a0b0c0d0e0f x",
    "meterd1 000102030405060708090a0b0c0d0e0f -5", "meterd1 000102030405060708090a0b0c0d0e0f - more",
  ])
  func foreignTextIsNoHint(text: String) {
    #expect(CommittedHint(offset: 1, metadata: text) == nil)
  }
}
