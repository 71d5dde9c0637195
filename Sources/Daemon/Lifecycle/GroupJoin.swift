/// Which of a process's members are in the group, and which partitions may be opened. Pure.
///
/// The members of a process join one after the other, and where the group's first assignment does not wait for them
/// (`group.initial.rebalance.delay.ms=0`, or a group that exists), the first one gets what is the others' a moment
/// later: all that was begun is drained, taken away and taken over again, which costs seconds. So nothing is opened
/// before every member has had an assignment, or the wait for the others is given up.
struct GroupJoin {
  /// How long the others are waited for, milliseconds: a rebalance that they bring about has begun by then, as the
  /// member hears of it by its next heartbeat.
  static let patienceMilliseconds = 5_000

  /// Two fencings within this time are another process's doing, milliseconds: two that fence each other need some three
  /// heartbeats.
  static let doubleMilliseconds: Int64 = 30_000

  /// The members that have an assignment now.
  private(set) var joined: Set<Int> = []
  private var waiting: [Int: [Int32]] = [:]
  private var isOver = false
  private var fencedAt: [Int: Int64] = [:]

  /// A member has these partitions now, of `count` members of this process.
  ///
  /// - Returns: the partitions to open now, of this member and of others that waited.
  mutating func assigned(_ partitions: [Int32], to member: Int, of count: Int) -> [Int32] {
    joined.insert(member)
    if isOver { return partitions }
    waiting[member] = partitions
    return joined.count >= count ? giveUpWaiting() : []
  }

  /// A member has nothing any more.
  mutating func revoked(from member: Int) {
    joined.remove(member)
    waiting[member] = nil
  }

  /// A member was fenced: its name is another's now.
  ///
  /// That need not be another process. A member that lost its session while the coordinator was away joins under a new
  /// id, and whatever librdkafka still sends under the old one is answered as a double's. So it joins again. Where there
  /// *is* another process, that one is fenced thereby, joins again as well, and this one is fenced a second time soon.
  ///
  /// - Parameter now: elapsed milliseconds.
  /// - Returns: whether it is another process.
  mutating func fenced(_ member: Int, now: Int64) -> Bool {
    revoked(from: member)
    defer { fencedAt[member] = now }
    return fencedAt[member].map { now - $0 < Self.doubleMilliseconds } ?? false
  }

  /// The others are waited for no longer.
  ///
  /// - Returns: the partitions to open now.
  mutating func giveUpWaiting() -> [Int32] {
    isOver = true
    defer { waiting = [:] }
    return waiting.values.flatMap(\.self).sorted()
  }
}
