import Testing

@testable import Daemon

@Suite struct HoleScanTests {
  @Test func recordsBehindAHoleVerifyIt() {
    var scan = HoleScan(holes: [10..<11, 20..<22, 30..<31])
    scan.record(at: 11)
    #expect(scan.findings == [.verified])
    scan.record(at: 19)
    scan.record(at: 22)
    #expect(scan.findings == [.verified, .verified])
    #expect(!scan.isOver)
    scan.reached(31)
    #expect(scan.findings == [.verified, .verified, .verified])
    #expect(scan.isOver)
  }

  @Test func aRecordInAHoleIsFoundAndEndsTheScan() {
    var scan = HoleScan(holes: [10..<13, 20..<21])
    scan.record(at: 12)
    #expect(scan.findings == [.recordFound(12)])
    #expect(scan.isOver)
    scan.record(at: 20)
    #expect(scan.findings == [.recordFound(12)])
  }

  @Test func oneRecordMayVerifySeveralHoles() {
    var scan = HoleScan(holes: [10..<11, 11..<12, 12..<20])
    scan.record(at: 20)
    #expect(scan.findings == [.verified, .verified, .verified])
  }

  @Test func recordsBetweenHolesSayNothingOfTheNext() {
    var scan = HoleScan(holes: [10..<11, 20..<21])
    scan.record(at: 15)
    scan.record(at: 16)
    #expect(scan.findings == [.verified])
    scan.record(at: 20)
    #expect(scan.findings == [.verified, .recordFound(20)])
  }

  @Test func theEndBeforeAHolesEndVerifiesNothing() {
    var scan = HoleScan(holes: [10..<12])
    scan.reached(11)
    #expect(scan.findings == [])
    #expect(!scan.isOver)
  }
}

@Suite struct GapBudgetTests {
  @Test func itRefillsByATwentiethOfTheTime() {
    var budget = GapBudget(now: 0)
    #expect(budget.grant(now: 0) == 2_000)
    budget.spend(2_000)
    #expect(budget.grant(now: 0) == nil)
    #expect(budget.grant(now: 980) == nil)
    #expect(budget.grant(now: 1_000) == 50)
    #expect(budget.grant(now: 1_000_000) == 2_000)
  }

  @Test func smallStepsAddUp() {
    var budget = GapBudget(now: 0)
    budget.spend(2_000)
    var granted: Int64?
    for now in Int64(1)...1_000 { granted = budget.grant(now: now) }
    #expect(granted == 50)
  }

  @Test func anOverspentLookIsPaidBack() {
    var budget = GapBudget(now: 0)
    budget.spend(3_000)
    #expect(budget.grant(now: 20_000) == nil)
    #expect(budget.grant(now: 21_000) == 50)
  }

  @Test func timeThatGoesBackChangesNothing() {
    var budget = GapBudget(now: 1_000)
    budget.spend(2_000)
    #expect(budget.grant(now: 0) == nil)
    #expect(budget.grant(now: 2_000) == 50)
  }
}

@Suite struct PendingOffsetsTests {
  @Test func theLowestUnacknowledgedBounds() {
    var pending = PendingOffsets<Int>()
    #expect(pending.acknowledgedThrough == .max)
    for offset in [Int64(5), 7, 9] { pending.added(offset) }
    #expect(pending.acknowledgedThrough == 5)
    pending.acknowledged(7)
    #expect(pending.acknowledgedThrough == 5)
    pending.acknowledged(5)
    #expect(pending.acknowledgedThrough == 9)
    pending.acknowledged(9)
    #expect(pending.acknowledgedThrough == .max)
    #expect(pending.count == 0)
  }

  @Test func whatARecordWasHandedOverWithComesBackUnlessTwoCopiesAreUnderWay() {
    var pending = PendingOffsets<Int>()
    pending.added(5, with: 50)
    pending.added(7, with: 70)
    pending.added(9)
    pending.added(7, with: 71)
    pending.added(6, with: 60)
    #expect(pending.acknowledged(7) == nil)
    #expect(pending.acknowledged(6) == 60)
    #expect(pending.acknowledged(5) == 50)
    #expect(pending.acknowledged(7) == nil)
    #expect(pending.acknowledged(9) == nil)
    #expect(pending.count == 0)
  }

  @Test func anOffsetHandedOverTwiceNeedsTwoAcknowledgements() {
    var pending = PendingOffsets<Int>()
    pending.added(5)
    pending.added(9)
    pending.added(5)
    pending.acknowledged(5)
    #expect(pending.acknowledgedThrough == 5)
    pending.acknowledged(5)
    #expect(pending.acknowledgedThrough == 9)
  }

  @Test func aForeignAcknowledgementIsIgnored() {
    var pending = PendingOffsets<Int>()
    pending.added(3)
    pending.acknowledged(4)
    #expect(pending.acknowledgedThrough == 3)
  }

  @Test func agreesWithASetOverRandomOrders() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20 {
      var pending = PendingOffsets<Int>()
      var model: [Int64] = []
      for step in 0..<4_000 {
        if Bool.random(using: &random) || model.isEmpty {
          let offset = Int64(step - (step % 50 == 0 ? 40 : 0))
          pending.added(offset)
          model.append(offset)
        } else {
          let place = Int.random(in: 0..<min(model.count, 30), using: &random)
          pending.acknowledged(model.remove(at: place))
        }
        #expect(pending.acknowledgedThrough == model.min() ?? .max)
        #expect(pending.count == model.count)
      }
    }
  }
}
