import Foundation
import Kafka
import Testing

extension WholeBinary {
  /// Two processes in one group share the partitions; what one leaves, the other takes over.
  @Suite("Two instances") struct TwoInstancesTests {
    @Test("the survivor of a kill takes over all partitions, and totals are exact") func takeOver() throws {
      note("two instances, seed \(Surroundings.seed)")
      let rig = try DaemonRig("two")
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      let first = try Instance(rig, "first")
      let second = try Instance(rig, "second")
      try rig.run([first, second], publisher) {
        try publisher.publish(1_000)
        publisher.start()
        try first.start()
        try first.waitUntilReady()
        try second.start()
        try waitUntilTheyShare(first, second)
        note("both have partitions")
        first.kill()
        let killed = ContinuousClock.now
        try waitUntilAllAreOwned(by: second)
        note("the survivor counts all partitions \(seconds(since: killed)) s after the kill")
        // It must go on counting, not only hold them.
        let before = publisher.published
        _ = poll(seconds: 10) { publisher.published > before + 600 }
        try publisher.stop()
        try publisher.publishRoundingEvents()
        try rig.waitUntilExact(publisher.expected, seconds: 90, [second])
        try rig.waitUntilConserved(second)
        try second.stopGracefully()
        #expect(rig.differences(publisher.expected) == [])
      }
    }

    @Test("a killed instance that starts again counts within 15 s") func restart() throws {
      let rig = try DaemonRig("again")
      rig.sinks = ["webhook"]
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      let instance = try Instance(rig, "one")
      try rig.run([instance], publisher) {
        publisher.start()
        try instance.start()
        try instance.waitUntilReady()
        for wipes in [false, true] {
          instance.kill()
          let killed = ContinuousClock.now
          if wipes { try FileManager.default.removeItem(atPath: instance.storage) }
          try instance.start()
          try waitUntilAllCountOn(instance)
          let time = seconds(since: killed)
          note("killed and started again\(wipes ? " on an empty folder" : ""): counting goes on after \(time) s")
          #expect(time <= 15)
        }
        try publisher.stop()
        try publisher.publishRoundingEvents()
        try rig.waitUntilExact(publisher.expected, seconds: 60, [instance])
        try instance.stopGracefully()
      }
    }

    @Test("two handles of one process share its partitions, each taken once, and totals are exact") func handles()
      throws
    {
      let rig = try DaemonRig("handles")
      rig.sinks = ["webhook"]
      rig.kafkaLines = ["consumers: 2"]
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      let instance = try Instance(rig, "one")
      try rig.run([instance], publisher) {
        try publisher.publish(1_000)
        publisher.start()
        for start in 1...2 {
          try instance.start()
          try instance.waitUntilReady()
          try instance.waitUntil("every partition counts") { status in
            status.partitions.count == Int(DaemonRig.partitions) && status.partitions.allSatisfy { $0.head > 0 }
          }
          // The broker does not wait for the second one: what the first one has for a moment is not begun.
          let gained = instance.log.split(separator: "\n").count { $0.contains("ledger.ownership_gained") }
          #expect(gained == start * Int(DaemonRig.partitions), "\(instance.explanation())")
          if start == 1 { instance.kill() }
        }
        for member in 0...1 { #expect(instance.log.contains("-\(member) partitions="), "member \(member)") }
        try publisher.stop()
        try publisher.publishRoundingEvents()
        try rig.waitUntilExact(publisher.expected, seconds: 60, [instance])
        try rig.waitUntilConserved(instance)
        try instance.stopGracefully()
        #expect(rig.differences(publisher.expected) == [])
      }
    }

    @Test("a second process on the same folder, or under the same member's name, ends with 75") func doubles() throws {
      let rig = try DaemonRig("double")
      rig.sinks = ["webhook"]
      let instance = try Instance(rig, "one")
      try rig.run([instance]) {
        try instance.start()
        try instance.waitUntilReady()
        let double = try Instance(rig, "one")
        try double.start()
        #expect(try double.process?.wait(seconds: 20) == .exited(75))
        #expect(double.log.contains("is in use by another meterd"), "\(double.log)")
        try instance.requireAlive("its double came and went")
        // The same name on another machine, as a cloned container has it: a folder of its own at the same path.
        if let disk = try MountNamespace(over: rig.storage("one"), megabytes: 32, log: "\(rig.folder)/namespace.log") {
          let clone = try Instance(rig, "one")
          try clone.start(in: disk)
          let ended = poll(seconds: 40) { instance.process?.ended != nil || clone.process?.ended != nil }
          #expect(ended, "both go on under one name\n\(instance.explanation())")
          // Kafka fences the one that came first.
          #expect(instance.process?.ended == .exited(75), "\(instance.explanation())")
          try clone.waitUntilReady()
          clone.kill()
          disk.close()
        } else {
          note("the fenced double was not run: the machine permits no user namespace")
        }
        instance.kill()
      }
    }

    /// As librdkafka does it to itself: a member that lost its session while the coordinator was away joins under a new id,
    /// and what it still sends under the old one is answered as a double's.
    @Test("a member whose name was another's for a moment joins again, and totals are exact") func fencedOnce() throws {
      let rig = try DaemonRig("fenced")
      rig.sinks = ["webhook"]
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      let instance = try Instance(rig, "one")
      try rig.run([instance], publisher) {
        publisher.start()
        try instance.start()
        try instance.waitUntilReady()
        let line = try #require(instance.log.split(separator: "\n").first { $0.contains("kafka.partitions_assigned") })
        let name = try #require(line.split(separator: " ").first { $0.hasPrefix("client=") }).dropFirst(7)
        // A static member that is closed leaves nothing behind that would leave the group.
        let ghost = try GroupMember(
          group: rig.group, topic: rig.topic, instanceID: String(name), properties: ["bootstrap.servers": rig.servers]
        ) { _ in }
        let hasRejoined = try poll(seconds: 40) {
          try instance.requireAlive("its name was taken")
          return instance.log.contains("kafka.member_rejoins")
        }
        ghost.close()
        #expect(hasRejoined, "\(instance.explanation())")
        try waitUntilAllCountOn(instance)
        try publisher.stop()
        try publisher.publishRoundingEvents()
        try rig.waitUntilExact(publisher.expected, seconds: 60, [instance])
        try rig.waitUntilConserved(instance)
        try instance.stopGracefully()
        #expect(rig.differences(publisher.expected) == [])
      }
    }

    /// Not only ready: every partition has counted something new.
    private func waitUntilAllCountOn(_ instance: Instance) throws {
      try instance.waitUntil("every partition counts", seconds: 30) { status in
        status.partitions.count == Int(DaemonRig.partitions)
          && status.partitions.allSatisfy { $0.state == "counting" && $0.position > $0.head }
      }
    }

    private func seconds(since instant: ContinuousClock.Instant) -> Double {
      let elapsed = (ContinuousClock.now - instant).components
      return Double(elapsed.seconds) + (Double(elapsed.attoseconds) / 1e17).rounded() / 10
    }

    private func waitUntilTheyShare(_ first: Instance, _ second: Instance) throws {
      let shared = try poll(seconds: 60) {
        try first.requireAlive("the second one joined")
        try second.requireAlive("it joined")
        let counts = (first.countingPartitions(), second.countingPartitions())
        return counts.0 > 0 && counts.1 > 0 && counts.0 + counts.1 == Int(DaemonRig.partitions)
      }
      guard shared else {
        throw EndToEndFailure(
          description: "the partitions were not shared in 60 s\n\(first.explanation())\n\(second.explanation())")
      }
    }

    private func waitUntilAllAreOwned(by survivor: Instance) throws {
      let owned = try poll(seconds: 60) {
        try survivor.requireAlive("it took over")
        return survivor.countingPartitions() == Int(DaemonRig.partitions)
      }
      guard owned else {
        throw EndToEndFailure(description: "the survivor did not take over in 60 s\n\(survivor.explanation())")
      }
    }
  }
}

extension Instance {
  /// How many partitions it counts.
  func countingPartitions() -> Int { Int(metric("meterd_partition_state", "state=\"counting\"")) }
}
