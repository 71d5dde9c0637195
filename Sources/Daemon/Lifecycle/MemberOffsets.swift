internal import Dispatch
internal import Kafka
internal import Synchronization

/// The group's committed offsets, which are advisory: for lag tools, and as a hint to the last SNAPSHOT.
///
/// Commits are sent by a queue of their own; of several for a partition only the newest is. One that fails is left to
/// the next: nothing depends on it.
final class MemberOffsets: GroupOffsets {
  private struct State {
    var members: [GroupMember] = []
    var memberOf: [Int32: Int] = [:]
    var waiting: [Int32: CommittedOffset] = [:]
    var isScheduled = false
  }
  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "offsets")
  private let log: Log

  init(log: Log) { self.log = log }

  /// The process's members; set once they are made.
  func use(_ members: [GroupMember]) { state.withLock { $0.members = members } }

  /// A member has these partitions now.
  func assigned(_ partitions: [Int32], to member: Int) {
    state.withLock { state in for partition in partitions { state.memberOf[partition] = member } }
  }

  func committed(partition: Int32) throws(KafkaError) -> CommittedOffset? {
    let member = state.withLock { state in
      state.members.isEmpty ? nil : state.members[state.memberOf[partition] ?? 0]
    }
    guard let member else { throw KafkaError(.wrongState, doing: "ask for committed offsets", isRetriable: true) }
    return try member.committed([partition])[partition]
  }

  func commit(_ offset: CommittedOffset) {
    let schedules = state.withLock { state in
      state.waiting[offset.partition] = offset
      defer { state.isScheduled = true }
      return !state.isScheduled
    }
    if schedules { queue.async { self.send() } }
  }

  /// Sends what waits, and returns when it was tried.
  func flush() { queue.sync { send() } }

  private func send() {
    let (waiting, members, memberOf) = state.withLock { state in
      state.isScheduled = false
      defer { state.waiting = [:] }
      return (state.waiting, state.members, state.memberOf)
    }
    for (index, offsets) in Dictionary(grouping: waiting.values, by: { memberOf[$0.partition] ?? 0 })
    where index < members.count {
      do throws(KafkaError) {
        try members[index].commit(offsets)
      } catch {
        log.emit(.offsetsNotCommitted(why: error.description))
      }
    }
  }
}

/// A dry run has no group.
struct NoOffsets: GroupOffsets {
  func committed(partition: Int32) -> CommittedOffset? { nil }
  func commit(_ offset: CommittedOffset) {}
}

extension LogEvent {
  static func offsetsNotCommitted(why: String) -> LogEvent {
    LogEvent(
      "kafka.offsets_not_committed", .info, "the group's offsets, which are advisory, were not committed: \(why)")
  }
}
