import Foundation
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
      do {
        try publisher.publish(1_000)
        publisher.start()
        try first.start()
        try first.waitUntilReady()
        try second.start()
        try waitUntilTheyShare(first, second)
        note("both have partitions")
        first.kill()
        try waitUntilAllAreOwned(by: second)
        note("the survivor has all partitions")
        // It must go on counting, not only hold them.
        let before = publisher.published
        _ = poll(seconds: 10) { publisher.published > before + 600 }
        try publisher.stop()
        try publisher.publishRoundingEvents()
        try rig.waitUntilExact(publisher.expected, seconds: 90, [second])
        try rig.waitUntilConserved(second)
        try second.stopGracefully()
        #expect(rig.differences(publisher.expected) == [])
      } catch {
        first.kill()
        second.kill()
        try? publisher.stop()
        throw error
      }
      publisher.close()
      try rig.close()
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
