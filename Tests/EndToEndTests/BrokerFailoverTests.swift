import Foundation
import Testing

extension WholeBinary {
  /// Three brokers, of which one at a time is killed or hangs: within the replication factor nothing is lost.
  @Suite("Broker failover") struct BrokerFailoverTests {
    /// As `meterd load --expect` writes them.
    private struct LoadedTotals: Decodable {
      struct Total: Decodable { var customer, feature, quantity: String }
      var events: Int64
      var totals: [Total]
    }

    @Test("each broker is killed in turn and one hangs, and totals are exact") func failover() throws {
      let rig = try DaemonRig("failover", createTopic: false)
      guard let kafka = try OwnKafka(brokers: 3) else {
        note("broker failover was not run: METERD_TEST_KAFKA_SCRIPT is not set")
        return try rig.close()
      }
      rig.servers = kafka.servers
      rig.sinks = ["webhook"]
      try kafka.control("topic", [rig.topic, "\(DaemonRig.partitions)"])
      let expected = "\(rig.folder)/expected.json"
      let instance = try Instance(rig, "one")
      let load = try MeterdProcess(
        arguments: [
          "load", "--bootstrap-servers", kafka.servers, "--topic", rig.topic, "--events", "90000", "--rate", "2000",
          "--customers", "100", "--features", "3", "--expect", expected,
        ], logPath: "\(rig.folder)/load.log")
      try rig.run([instance]) {
        try instance.start()
        try instance.waitUntilReady(seconds: 60)
        for broker in 1...3 {
          try kafka.control("kill", ["\(broker)"])
          Thread.sleep(forTimeInterval: 3)
          try kafka.control("start", ["\(broker)"])
          Thread.sleep(forTimeInterval: 2)
          note("broker \(broker) was killed and is back")
        }
        try kafka.control("pause", ["2"])
        Thread.sleep(forTimeInterval: 4)
        try kafka.control("resume", ["2"])
        note("a broker hung for 4 s")
        #expect(try load.wait(seconds: 120) == .exited(0), "\(load.tail())")
        let loaded = try JSONDecoder().decode(LoadedTotals.self, from: Data(contentsOf: URL(filePath: expected)))
        var totals = ExpectedTotals()
        for total in loaded.totals {
          totals.add(total.customer, total.feature, try units(of: total.quantity))
        }
        try rig.waitUntilExact(totals, seconds: 90, [instance])
        try instance.waitUntil("all is in a cut, and no partition stopped") { status in
          status.partitions.reduce(0) { $0 + $1.head } >= loaded.events
            && status.partitions.allSatisfy { $0.state == "counting" }
        }
        try rig.waitUntilConserved(instance)
        try instance.stopGracefully()
        #expect(rig.differences(totals) == [])
      }
    }

    @Test("the only broker is away for longer than an append may take, and all goes on by itself") func away() throws {
      let rig = try DaemonRig("away", createTopic: false)
      guard let kafka = try OwnKafka() else {
        note("a broker that is away was not run: METERD_TEST_KAFKA_SCRIPT is not set")
        return try rig.close()
      }
      rig.servers = kafka.servers
      rig.sinks = ["webhook"]
      try kafka.control("topic", [rig.topic, "\(DaemonRig.partitions)"])
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      let instance = try Instance(rig, "one")
      try rig.run([instance], publisher) {
        try instance.start()
        try instance.waitUntilReady(seconds: 60)
        try publisher.publish(3_000, isPlain: true)
        try kafka.control("kill", ["1"])
        Thread.sleep(forTimeInterval: 40)
        try instance.requireAlive("the broker was away")
        try kafka.control("start", ["1"])
        note("the broker was away for 40 s")
        try publisher.publish(1_000, isPlain: true)
        try rig.waitUntilExact(publisher.expected, seconds: 90, [instance])
        try instance.waitUntil("no partition stopped") { $0.partitions.allSatisfy { $0.state == "counting" } }
        try rig.waitUntilConserved(instance)
        try instance.stopGracefully()
      }
    }

    /// The units of 10⁻⁹ that a decimal string says.
    private func units(of text: String) throws -> Int128 {
      let parts = text.split(separator: ".", omittingEmptySubsequences: false)
      let digits = (parts.count > 1 ? String(parts[1]) : "").padding(toLength: 9, withPad: "0", startingAt: 0)
      return try #require(Int128(String(parts[0]) + digits), "\(text) is no decimal")
    }
  }
}
