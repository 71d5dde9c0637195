import Foundation
import Kafka
import Testing

/// Members that are assigned partitions and fetch none of them.
@Suite(.timeLimit(.minutes(3))) struct GroupMemberTests {
  /// What a collector's events say is assigned now.
  private func owned(_ events: [GroupEvent]) -> [Int32]? {
    events.reduce(into: nil) { owned, event in
      switch event {
      case .assigned(let partitions): owned = partitions
      case .revoked, .lost: owned = nil
      default: break
      }
    }
  }

  private func properties(_ cluster: TestCluster) -> ClientProperties {
    cluster.properties.overridden(by: ["session.timeout.ms": "6000", "heartbeat.interval.ms": "500"])
  }

  @Test(arguments: Backend.available) func twoMembersShareAndTakeOver(_ backend: Backend) throws {
    let cluster = try TestCluster(backend)
    let topic = try cluster.topic(partitions: 4)
    let group = uniqueName("group")
    let first = Collector<GroupEvent>()
    let second = Collector<GroupEvent>()
    let one = try GroupMember(group: group, topic: topic, instanceID: nil, properties: properties(cluster)) {
      first.add($0)
    }
    try first.wait("everything is the first member's") { owned($0) == [0, 1, 2, 3] }
    let two = try GroupMember(group: group, topic: topic, instanceID: nil, properties: properties(cluster)) {
      second.add($0)
    }
    try waitUntil("both have two partitions") {
      owned(first.all)?.count == 2 && owned(second.all)?.count == 2
    }
    #expect(Set(owned(first.all) ?? []).union(owned(second.all) ?? []) == [0, 1, 2, 3])
    #expect(first.all.contains(.revoked([0, 1, 2, 3])))
    one.close()
    #expect(owned(first.all) == nil)
    try second.wait("everything is the second member's") { owned($0) == [0, 1, 2, 3] }
    two.close()
    for event in first.all + second.all { if case .error(let error) = event { Issue.record(error) } }
    try cluster.close()
  }

  @Test(arguments: Backend.available) func aMemberWithoutFetchesStaysInTheGroup(_ backend: Backend) throws {
    let cluster = try TestCluster(backend)
    let topic = try cluster.topic(partitions: 2)
    try fill(cluster, topic, 0..<50)
    let events = Collector<GroupEvent>()
    let statistics = Collector<Statistics>()
    let observer = ClientObserver(statistics: { if let read = try? Statistics(json: $0) { statistics.add(read) } })
    let member = try GroupMember(
      group: uniqueName("group"), topic: topic, instanceID: uniqueName("instance"),
      properties: properties(cluster).overridden(by: [
        "statistics.interval.ms": "200", "session.timeout.ms": backend == .mock ? "4000" : "6000",
      ]), observer: observer
    ) { events.add($0) }
    try events.wait("an assignment") { owned($0) == [0, 1] }
    // Longer than the session: without heartbeats it would be over.
    let before = ContinuousClock.now
    let session: Duration = backend == .mock ? .seconds(4) : .seconds(6)
    try waitUntil("the session time-out has passed") { ContinuousClock.now - before > session + .seconds(1) }
    #expect(events.all == [.assigned([0, 1])])
    #expect(statistics.all.last?.group?.joinState == "steady")
    #expect(statistics.all.last?.messagesReceived == 0)
    member.close()
    #expect(events.all == [.assigned([0, 1]), .revoked([0, 1])])
    try cluster.close()
  }

  @Test(arguments: Backend.available) func offsetsAreCommittedWithMetadata(_ backend: Backend) throws {
    let cluster = try TestCluster(backend)
    let topic = try cluster.topic(partitions: 3)
    let events = Collector<GroupEvent>()
    let member = try GroupMember(
      group: uniqueName("group"), topic: topic, instanceID: uniqueName("instance"), properties: properties(cluster)
    ) { events.add($0) }
    try events.wait("an assignment") { owned($0) == [0, 1, 2] }
    #expect(try member.committed([0, 1, 2]) == [:])
    let offsets = [
      CommittedOffset(partition: 0, offset: 17, metadata: "genesis=αβγ"), CommittedOffset(partition: 2, offset: 0),
    ]
    try member.commit(offsets)
    #expect(try member.committed([0, 1, 2]) == [0: offsets[0], 2: offsets[1]])
    member.close()
    let closed = #expect(throws: KafkaError.self) { try member.commit(offsets) }
    #expect(closed?.code == .wrongState)
    try cluster.close()
  }

  @Test(.enabled(if: Backend.realServers != nil)) func theRevokeHandlerCanDrainAndCommit() throws {
    let cluster = try TestCluster(.real)
    let topic = try cluster.topic(partitions: 2)
    let group = uniqueName("group")
    let events = Collector<GroupEvent>()
    let committed = Collector<Result<Void, KafkaError>>()
    let holder = Collector<GroupMember>()
    let one = try GroupMember(group: group, topic: topic, instanceID: nil, properties: properties(cluster)) { event in
      if case .revoked(let partitions) = event, let member = holder.all.first {
        // As long a drain as this one must hold up the others' assignment.
        Thread.sleep(forTimeInterval: 1)
        committed.add(
          Result { () throws(KafkaError) in
            try member.commit(partitions.map { CommittedOffset(partition: $0, offset: 5, metadata: "drained") })
          })
      }
      events.add(event)
    }
    holder.add(one)
    try events.wait("an assignment") { owned($0) == [0, 1] }
    let other = Collector<GroupEvent>()
    let two = try GroupMember(group: group, topic: topic, instanceID: nil, properties: properties(cluster)) { event in
      if case .assigned = event { #expect(committed.all.count == 1) }
      other.add(event)
    }
    try other.wait("the second member's assignment") { owned($0)?.count == 1 }
    try committed.all.first?.get()
    #expect(try two.committed([0, 1])[1] == CommittedOffset(partition: 1, offset: 5, metadata: "drained"))
    two.close()
    one.close()
    try cluster.close()
  }

  @Test(.enabled(if: Backend.realServers != nil)) func aStaticMemberComesBackWithoutARebalance() throws {
    let cluster = try TestCluster(.real)
    let topic = try cluster.topic(partitions: 4)
    let group = uniqueName("group")
    let instances = [uniqueName("a"), uniqueName("b")]
    let events = [Collector<GroupEvent>(), Collector<GroupEvent>()]
    func join(_ index: Int) throws -> GroupMember {
      let events = events[index]
      return try GroupMember(
        group: group, topic: topic, instanceID: instances[index], properties: properties(cluster)
      ) { events.add($0) }
    }
    let one = try join(0)
    try events[0].wait("the first assignment") { owned($0)?.count == 4 }
    let two = try join(1)
    try waitUntil("two each") { owned(events[0].all)?.count == 2 && owned(events[1].all)?.count == 2 }
    let share = try #require(owned(events[1].all))
    let quiet = events[0].all.count
    two.close()
    let again = try join(1)
    try events[1].wait("the same share again") { $0.count(where: { $0 == .assigned(share) }) == 2 }
    #expect(events[0].all.count == quiet, "the other member noticed nothing")
    again.close()
    one.close()
    try cluster.close()
  }

  @Test(.enabled(if: Backend.realServers != nil)) func aDoubleFencesTheOlderMember() throws {
    let cluster = try TestCluster(.real)
    let topic = try cluster.topic(partitions: 2)
    let group = uniqueName("group")
    let instance = uniqueName("instance")
    let first = Collector<GroupEvent>()
    let second = Collector<GroupEvent>()
    let one = try GroupMember(group: group, topic: topic, instanceID: instance, properties: properties(cluster)) {
      first.add($0)
    }
    try first.wait("an assignment") { owned($0) == [0, 1] }
    let two = try GroupMember(group: group, topic: topic, instanceID: instance, properties: properties(cluster)) {
      second.add($0)
    }
    try first.wait("the older member is fenced") {
      $0.contains {
        if case .fenced(let error) = $0 { error.code == .fencedInstanceID && error.isFatal } else { false }
      }
    }
    try second.wait("the newer member has all") { owned($0) == [0, 1] }
    #expect(first.all.count { if case .fenced = $0 { true } else { false } } == 1)
    #expect(owned(first.all) == nil, "what a fenced member had is said to be gone")
    one.close()
    #expect(first.all.count { $0 == .lost([0, 1]) } == 1)
    two.close()
    try cluster.close()
  }
}
