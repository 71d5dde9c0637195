import Testing

@testable import Metering

/// A usage topic that is not what it was: re-created, too short, or with a record that one reader passes over.
@Suite struct UsageTopicTests {
  private static let time: Int64 = 1_760_000_000_000
  private let rules = Sample.rules()

  /// Two cuts, [100, 103) and [103, 106), an hour of the log's clock apart.
  private func ledger() throws -> TestLedger {
    var ledger = try TestLedger(rules: rules)
    ledger.time = Self.time
    try ledger.appendCut([Sample.row("c", units: 1, slot: Self.time)], clock: Self.time)
    try ledger.appendCut([Sample.row("c", units: 2, slot: Self.time)], clock: Self.time + 3_600_000)
    return ledger
  }

  private func rig(
    _ nonce: UInt64, _ log: [LedgerEntry], from start: Int64 = 0, isPartial: Bool = false
  ) -> MachineRig {
    var settings = PartitionSettings()
    settings.allowPartialRebuild = isPartial
    let rig = MachineRig(nonce: nonce, rules: rules, log: log, dedupFrom: 90, start: 100, settings: settings)
    rig.usageStart = start
    rig.usageEnd = 1_000
    return rig
  }

  @Test("another record where the last counted one was, or none, is a topic that was re-created")
  func recreated() throws {
    let ledger = try ledger()
    let other = rig(20, ledger.entries)
    other.usageDigest = Digest(of: [9])
    other.begin()
    #expect(other.stops.map(\.code) == [.topicRecreated])
    let hole = rig(20, ledger.entries)
    hole.isHole = true
    hole.begin()
    #expect(hole.stops.map(\.code) == [.topicRecreated])
    // Nothing can be said once that record has been deleted: the log begins at the head.
    let deleted = rig(20, ledger.entries, from: 106, isPartial: true)
    deleted.isHole = true
    deleted.begin()
    #expect(deleted.stops.isEmpty)
  }

  @Test("where a person has accepted another topic, what was counted is claimed, and nothing is counted")
  func settlingOnly() throws {
    let ledger = try ledger()
    let first = rig(20, ledger.entries)
    first.usageDigest = Digest(of: [9])
    first.begin()
    let stop = try #require(first.stops.first)
    #expect(stop.isResolvable)
    let accepted = Resolve.Decision.stop(reason: stop.code.rawValue, offset: stop.offset, argument: 0)
    first.land(.resolve(Resolve(decision: accepted, why: "test")), nonce: 99, sequence: 0)
    #expect(first.ends == [.resolved])
    let second = rig(21, first.log)
    second.usageDigest = Digest(of: [9])
    second.begin()
    #expect(second.stops.isEmpty && second.plans.isEmpty)
    #expect(!second.machine.isCounting && second.count("{}", at: 106) == 0)
    second.handle(.sinkReady(name: "books", true))
    second.handle(.tick, now: 60_000)
    let rows = second.takeNotices().compactMap { if case .claimStands(let rows) = $0 { rows.count } else { nil } }
    #expect(rows == [1])
    second.handle(.drain)
    #expect(second.machine.picture().head == 106 && second.ends.isEmpty)
    // The topic is what it was again: counting goes on.
    let third = rig(22, second.log)
    third.begin()
    #expect(third.stops.isEmpty && third.machine.isCounting)
    #expect(third.machine.counter?.nextOffset == 106)
  }

  @Test("a ledger of another topic, or of another number of partitions, is settled once that is accepted")
  func otherTopic() throws {
    let ledger = try ledger()
    for (topic, partitions, code) in [
      ("other", Int32(8), StopReason.Code.otherTopic), ("usage", 9, .partitionCountChanged),
    ] {
      let first = MachineRig(nonce: 20, rules: rules, log: ledger.entries, topic: topic, partitionCount: partitions)
      first.begin()
      #expect(first.stops.map(\.code) == [code] && first.appended.isEmpty)
      let accepted = Resolve.Decision.stop(reason: code.rawValue, offset: 0, argument: 0)
      first.land(.resolve(Resolve(decision: accepted, why: "test")), nonce: 99, sequence: 0)
      let second = MachineRig(nonce: 21, rules: rules, log: first.log, topic: topic, partitionCount: partitions)
      second.begin()
      #expect(second.stops.isEmpty && !second.machine.isCounting)
      second.handle(.sinkReady(name: "books", true))
      second.handle(.tick, now: 60_000)
      #expect(second.takeNotices().contains { if case .claimStands = $0 { true } else { false } })
    }
  }

  @Test("a rebuild from the middle of a cut ends with the clock that the cut states, so that the next one follows it")
  func partialRebuild() throws {
    let ledger = try ledger()
    let whole = rig(20, ledger.entries, from: 105)
    whole.begin()
    #expect(whole.stops.map(\.code) == [.windowNotRetained])
    // No record of what is retained moves the clock: the one that did is gone.
    let partial = rig(20, ledger.entries, from: 105, isPartial: true)
    partial.begin()
    #expect(partial.plans.map(\.local) == [.rebuild])
    #expect(partial.plans.first?.replay.map(\.from) == [105])
    #expect(partial.machine.counter?.clockMilliseconds == Self.time + 3_600_000)
  }

  @Test("a record in a hole stops the partition; once it is accepted, that record is passed over, and no other")
  func recordInHole() throws {
    let ledger = try ledger()
    let first = rig(20, ledger.entries)
    first.begin()
    first.handle(.recordInHole(offset: 108, from: 106, to: 111))
    #expect(first.stops.map(\.code) == [.recordInHole])
    #expect(first.stops.first?.offset == 108)
    let accepted = Resolve.Decision.stop(
      reason: StopReason.Code.recordInHole.rawValue, offset: 108, argument: 0)
    first.land(.resolve(Resolve(decision: accepted, why: "test")), nonce: 99, sequence: 0)
    #expect(first.ends == [.resolved])
    let second = rig(21, first.log)
    second.begin()
    second.handle(.recordInHole(offset: 108, from: 106, to: 111))
    #expect(second.stops.isEmpty)
    #expect(second.machine.counter?.nextOffset == 109)
    second.handle(.recordInHole(offset: 110, from: 109, to: 111))
    #expect(second.stops.map(\.offset) == [110])
  }
}
