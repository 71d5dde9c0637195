import Testing

@testable import Daemon

/// What a process of several members opens, and when.
@Suite struct GroupJoinTests {
  @Test("nothing is opened before every member has an assignment") func waits() {
    var group = GroupJoin()
    #expect(group.assigned([0, 1, 2, 3], to: 0, of: 2) == [])
    #expect(group.joined == [0])
    // The second one joins: the first one's are shared out again.
    group.revoked(from: 0)
    #expect(group.joined == [])
    #expect(group.assigned([2, 3], to: 1, of: 2) == [])
    #expect(group.assigned([0, 1], to: 0, of: 2) == [0, 1, 2, 3])
    #expect(group.joined == [0, 1])
  }

  @Test("a member alone opens at once, and so does every later assignment") func opens() {
    var group = GroupJoin()
    #expect(group.assigned([1, 0], to: 0, of: 1) == [0, 1])
    group.revoked(from: 0)
    #expect(group.assigned([1], to: 0, of: 1) == [1])
  }

  @Test("where the others do not come, what waits is opened, once") func givesUp() {
    var group = GroupJoin()
    #expect(group.assigned([0, 1], to: 0, of: 2) == [])
    #expect(group.giveUpWaiting() == [0, 1])
    #expect(group.giveUpWaiting() == [])
    // It comes after all.
    group.revoked(from: 0)
    #expect(group.assigned([0], to: 0, of: 2) == [0])
    #expect(group.assigned([1], to: 1, of: 2) == [1])
  }

  @Test("what was revoked while it waited is not opened") func forgets() {
    var group = GroupJoin()
    #expect(group.assigned([0, 1], to: 0, of: 2) == [])
    group.revoked(from: 0)
    #expect(group.giveUpWaiting() == [])
  }

  @Test("one fencing may be librdkafka's own doing; two in a short time are another process's") func fenced() {
    var group = GroupJoin()
    #expect(group.assigned([0, 1], to: 0, of: 1) == [0, 1])
    #expect(group.fenced(0, now: 1_000_000) == false)
    #expect(group.joined == [])
    #expect(group.assigned([0, 1], to: 0, of: 1) == [0, 1])
    // Members are fenced each for itself, and an old fencing is over.
    #expect(group.fenced(1, now: 1_003_000) == false)
    #expect(group.fenced(0, now: 1_060_000) == false)
    #expect(group.fenced(0, now: 1_065_000) == true)
  }
}
