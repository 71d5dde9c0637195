import Testing

@testable import Metering

/// A partition's first owners: GENESIS, and the sightings before the start.
@Suite("Founding a ledger") struct FoundingTests {
  private let rules = Sample.rules()
  /// An event that is five hours old when it is appended.
  private static let event =
    #"{"idempotencyKey":"k","customerId":"c","featureId":"calls","amount":1,"timestamp":1759982000000}"#
  /// The same, with a time that its producer wrote anew.
  private static let again =
    #"{"idempotencyKey":"k","customerId":"c","featureId":"calls","amount":1,"timestamp":1760000000000}"#

  /// Another configuration, for which an event of five hours is too old to be one.
  private var strict: BillingRules {
    var strict = Sample.rules(version: 2)
    strict.counting.maxAgeMilliseconds = 3_600_000
    return strict
  }

  /// An owner of a partition whose record 0 lies before the start, which is 1.
  private func owner(
    _ nonce: UInt64, _ rules: BillingRules, log: [LedgerEntry] = [], local: LocalSummary? = nil,
    chunks: [JournalChunk] = []
  ) -> MachineRig {
    let rig = MachineRig(
      nonce: nonce, rules: rules, log: log, local: local, chunks: chunks, dedupFrom: 0, start: 1)
    rig.usage = [Self.event]
    return rig
  }

  /// The GENESIS of a founder that dies before it appends anything else.
  private func genesis() throws -> [[UInt8]] {
    let founder = owner(1, rules)
    founder.lands = false
    founder.begin()
    return try #require(founder.appended.first)
  }

  @Test("a founder appends OWNER only when GENESIS has been read back, and no CONFIG: GENESIS holds it")
  func founding() {
    let founder = owner(1, rules)
    founder.lands = false
    founder.begin()
    #expect(founder.appended.map(\.count) == [1])
    founder.lands = true
    founder.land(founder.appended[0])
    #expect(founder.appended.map(\.count) == [1, 1])
    #expect(founder.machine.phaseDescription == "counting")
  }

  @Test("who loses the race to found goes on under the rules of a changed configuration", arguments: [Int64(1), 2])
  func founderThatLost(version: Int64) throws {
    var changed = rules
    changed.version = version
    changed.counting.windowMilliseconds += 3_600_000
    let loser = owner(2, changed)
    loser.lands = false
    loser.begin()
    loser.lands = true
    loser.land(try genesis())
    if version == 1 {
      #expect(loser.stops.map(\.code) == [.configurationWithoutVersion])
      #expect(loser.appended.count == 1)
    } else {
      // OWNER and CONFIG.
      #expect(loser.appended.map(\.count) == [1, 2])
      #expect(loser.machine.phaseDescription == "counting")
    }
  }

  @Test("an owner whose version was overtaken between its look at the ledger and its OWNER counts nothing")
  func overtakenVersion() throws {
    let founder = owner(1, rules)
    founder.begin()
    let late = owner(2, rules, log: founder.log)
    late.lands = false
    late.begin()
    let own = try #require(late.appended.first)
    // Meanwhile a higher version cuts.
    let higher = owner(3, strict, log: founder.log)
    higher.begin()
    #expect(higher.count(Self.again, at: 1) == 1)
    higher.handle(.tick, now: 300_000)
    #expect(higher.machine.picture().head == 2)
    late.lands = true
    late.land(higher.log.dropFirst(founder.log.count).map(\.bytes))
    late.land(own)
    #expect(late.stops.map(\.code) == [.configurationWithoutVersion])
  }

  @Test("warm and rebuilt state decide alike, whatever the founder had come to append, and whenever it lands")
  func sightingsOfADeadFounder() throws {
    let second = owner(2, strict)
    second.land(try genesis())
    second.begin()
    #expect(second.machine.phaseDescription == "counting")
    let commit = try #require(second.commits.last)
    second.land(.owner(Owner(instance: "a")), nonce: 1, sequence: 1)
    second.land(.config(ConfigurationRecord(digest: rules.digest, bytes: rules.encoded)), nonce: 1, sequence: 2)
    #expect(second.ends == [.otherOwner])

    let warm = owner(3, strict, log: second.log, local: commit.state, chunks: second.commits.flatMap(\.chunks))
    let rebuilt = owner(3, strict, log: second.log)
    for rig in [warm, rebuilt] {
      rig.begin()
      #expect(rig.machine.phaseDescription == "counting")
      #expect(rig.count(Self.again, at: 1) == 1)
    }
    #expect(warm.plans.map(\.local) == [.cutBack])
    #expect(rebuilt.plans.map(\.local) == [.rebuild])
    // Under the founder's rules, which GENESIS names, record 0 is a sighting.
    #expect(warm.machine.picture().totals.duplicate == 1)
    #expect(rebuilt.machine.picture().totals.duplicate == 1)
  }
}
