import Testing

@testable import Metering

@Suite("The end of a backlog") struct BacklogTests {
  private func event(_ key: Int) -> String {
    #"{"idempotencyKey":"k\#(key)","customerId":"c","featureId":"calls","amount":1,"timestamp":1760000000000}"#
  }

  private func counting() -> MachineRig {
    let rig = MachineRig(nonce: 1, rules: Sample.rules())
    rig.begin()
    rig.handle(.sinkReady(name: "books", true))
    return rig
  }

  private func claims(_ rig: MachineRig) throws -> Int {
    try rig.appended.joined().count { if case .claim = try LedgerCodec.decode($0).record { true } else { false } }
  }

  private func cuts(_ rig: MachineRig) throws -> Int {
    try rig.appended.joined().count { if case .cut = try LedgerCodec.decode($0).record { true } else { false } }
  }

  @Test("its keys have room before the first of them is counted, within half of the memory limit")
  func hasRoom() throws {
    func bytes(recordsAhead: Int64, limit: Int = 1 << 30) throws -> Int {
      var settings = PartitionSettings()
      settings.memoryLimit = limit
      let rig = MachineRig(nonce: 1, rules: Sample.rules(), settings: settings)
      rig.usageEnd = recordsAhead
      rig.begin()
      let isCounting = rig.machine.isCounting
      #expect(isCounting)
      let active = rig.machine.counter?.dedupActiveBytes
      return try #require(active)
    }
    let least = try bytes(recordsAhead: 10)
    #expect(least < 1 << 20)
    #expect(try bytes(recordsAhead: 1_000_000) >= 20 * 1_000_000)
    let bounded = try bytes(recordsAhead: 1_000_000, limit: 16 << 20)
    #expect(bounded > least && bounded <= 8 << 20)
    #expect(try bytes(recordsAhead: 1_000_000, limit: 1) == least)
  }

  @Test("it is cut at once, and claimed at its time")
  func workedOff() throws {
    let rig = counting()
    _ = rig.count(event(0), at: 0)
    rig.handle(.tick, now: 60_000)
    #expect(rig.machine.picture().head == 1)
    rig.handle(.sinkReady(name: "books", true))
    _ = rig.count(event(1), at: 1)
    rig.handle(.tick, now: 61_000)
    #expect(rig.machine.picture().head == 1)
    rig.handle(.reachedEnd)
    #expect(rig.machine.picture().head == 2)
    #expect(try claims(rig) == 1)
    rig.handle(.tick, now: 120_000)
    #expect(try claims(rig) == 2)
  }

  @Test("a partition that keeps up is cut at its times only")
  func keepsUp() throws {
    let rig = counting()
    rig.handle(.reachedEnd)
    for offset in 0..<20 {
      _ = rig.count(event(offset), at: Int64(offset))
      rig.handle(.reachedEnd, now: Int64(offset) * 10_000)
      rig.handle(.sinkReady(name: "books", true))
    }
    // At 60, 120 and 180 s.
    #expect(try cuts(rig) == 3)
  }

  @Test("an end that is reached while a cut is on its way is cut after it")
  func duringACut() {
    let rig = counting()
    _ = rig.count(event(0), at: 0)
    rig.lands = false
    rig.handle(.tick, now: 60_000)
    _ = rig.count(event(1), at: 1)
    rig.handle(.reachedEnd)
    #expect(rig.machine.picture().head == 0)
    rig.lands = true
    rig.land(rig.appended.last ?? [])
    rig.handle(.tick, now: 60_100)
    #expect(rig.machine.picture().head == 2)
  }
}
