import Foundation
import Kafka
import ProviderFakes
import Synchronization
import Testing

extension WholeBinary {
  /// A tenth of the stream is bad, for every reason there is: each record is counted and kept, and the rest is exact.
  @Suite("Bad input") struct BadInputTests {
    @Test("every reason is counted and found in the quarantine, by offset") func everyReason() throws {
      let rig = try DaemonRig("bad")
      rig.sinks = ["webhook"]
      rig.featureLines = ["api_calls: { aggregate: sum }"]
      rig.eventLines = ["key_check: strict", "unknown_feature: quarantine"]
      let instance = try Instance(rig, "one")
      try rig.run([instance]) {
        let (expected, wanted) = try publish(rig, rounds: 20)
        try instance.start()
        try rig.waitUntilExact(expected, seconds: 60, [instance])
        try waitUntilCounted(instance, wanted)
        try rig.waitUntilConserved(instance)
        #expect(instance.metric("meterd_events_counted_total") == Double(20 * 200))
        #expect(instance.metric("meterd_events_duplicate_total") == 0)
        let found = Set(try rig.quarantined())
        let missing = wanted.subtracting(found).map { "\($0.partition):\($0.offset) \($0.reason)" }.sorted()
        let extra = found.subtracting(wanted).map { "\($0.partition):\($0.offset) \($0.reason)" }.sorted()
        #expect(missing.isEmpty, "not in the quarantine: \(missing.prefix(20))\n\(instance.explanation())")
        #expect(extra.isEmpty, "wrongly in the quarantine: \(extra.prefix(20))\n\(instance.explanation())")
        try instance.stopGracefully()
      }
    }

    /// The broker's limit is of what arrives: a record that was compressed on its way is far larger than that.
    @Test("a record larger than max.message.bytes is quarantined, and counting goes on") func largerThanTheLimit()
      throws
    {
      let rig = try DaemonRig("large")
      rig.sinks = ["webhook"]
      let instance = try Instance(rig, "one")
      try rig.run([instance]) {
        let failures = Failures()
        let producer = try Producer(
          properties: rig.properties.overridden(by: ["message.max.bytes": "20000000", "compression.codec": "zstd"])
        ) { failures.take($0) }
        defer { producer.close() }
        var expected = ExpectedTotals()
        let large = "{\"pad\":\"\(String(repeating: "abcdefgh", count: 400_000))\"}"
        for (number, value) in [event("a", "cus_1", 5), large, event("b", "cus_1", 7)].enumerated() {
          try producer.produce(
            topic: rig.topic, partition: 0, key: Array("cus_1".utf8), value: Array(value.utf8), token: UInt64(number))
        }
        expected.add("cus_1", "api_calls", 12 * ExpectedTotals.one)
        try producer.flush(timeoutMilliseconds: 30_000)
        #expect(failures.all.isEmpty, "not published: \(failures.all)")
        try instance.start()
        try rig.waitUntilExact(expected, seconds: 60, [instance])
        #expect(instance.metric("meterd_events_quarantined_total", "reason=\"record_too_large\"") == 1)
        #expect(try rig.quarantined().map(\.value.utf8.count) == [large.utf8.count])
        try instance.stopGracefully()
      }
    }

    /// The last cut waits for the quarantine's acknowledgements, which come after the reading has ended.
    @Test("a stop amid bad events makes its last cut") func stopAmidBadEvents() throws {
      let rig = try DaemonRig("amid")
      rig.sinks = ["webhook"]
      rig.flushLines = ["interval: 10m"]
      let instance = try Instance(rig, "one")
      try rig.run([instance]) {
        let failures = Failures()
        let producer = try Producer(properties: rig.properties) { failures.take($0) }
        defer { producer.close() }
        let records = 400_000
        for number in 0..<records {
          while producer.unreported > 90_000 { Thread.sleep(forTimeInterval: 0.01) }
          try producer.produce(
            topic: rig.topic, partition: Int32(number % 4), key: Array("cus_1".utf8), value: Array("not JSON".utf8))
        }
        try producer.flush(timeoutMilliseconds: 60_000)
        #expect(failures.all.isEmpty, "not published: \(failures.all.prefix(3))")
        try instance.start()
        try instance.waitUntil("some are read") { status in
          status.partitions.count == 4 && status.partitions.allSatisfy { $0.position > 1_000 }
        }
        let begin = ContinuousClock.now
        try instance.stopGracefully()
        // Half of the grace, 15 s, is what a drain that waits for nothing would take.
        #expect(ContinuousClock.now - begin < .seconds(10))
        try FileManager.default.removeItem(atPath: instance.storage)
        try instance.start()
        try instance.waitUntil("it goes on") { status in
          status.partitions.count == 4 && status.partitions.allSatisfy { $0.state == "counting" }
        }
        let heads = instance.status()?.partitions.map(\.head) ?? []
        #expect(heads.allSatisfy { $0 > 1_000 }, "\(heads)")
        try instance.stopGracefully()
      }
    }

    /// The reasons' counters come to what was published, each for itself.
    private func waitUntilCounted(_ instance: Instance, _ wanted: Set<QuarantinedRecord>) throws {
      let numbers = Dictionary(grouping: wanted, by: \.reason).mapValues { Double($0.count) }
      func differences() -> [String] {
        numbers.compactMap { reason, count in
          let counted = instance.metric("meterd_events_quarantined_total", "reason=\"\(reason)\"")
          return counted == count ? nil : "\(reason): published \(count), counted \(counted)"
        }
      }
      guard poll(seconds: 20, { differences().isEmpty }) else {
        throw EndToEndFailure(
          description: "reasons differ: \(differences().sorted().joined(separator: "; "))\n\(instance.explanation())")
      }
    }

    /// In each round 200 good events and one bad event of every reason, and a conflict; all in partition 0, so that
    /// the delivery reports tell each bad record's offset.
    private func publish(
      _ rig: DaemonRig, rounds: Int
    ) throws -> (ExpectedTotals, Set<QuarantinedRecord>) {
      let offsets = Mutex<[UInt64: Int64]>([:])
      let failures = Failures()
      let producer = try Producer(properties: rig.properties) { reports in
        failures.take(reports)
        for report in reports where report.token > 0 {
          if case .delivered(let offset?) = report.outcome { offsets.withLock { $0[report.token] = offset } }
        }
      }
      defer { producer.close() }
      // Not this very moment: a time of its own that the quarantine has to keep.
      let now = Int64(Date().timeIntervalSince1970 * 1_000) - 90_000
      func send(_ key: String, _ value: String, token: UInt64 = 0) throws {
        try producer.produce(
          topic: rig.topic, partition: 0, key: Array(key.utf8), value: Array(value.utf8),
          headers: [Header(name: "origin", value: Array("test \(token)".utf8))], timestampMilliseconds: now,
          token: token)
      }
      var expected = ExpectedTotals()
      var bad: [UInt64: (reason: String, key: String, value: String)] = [:]
      func sendBad(_ reason: String, _ key: String, _ value: String) throws {
        let token = UInt64(bad.count + 1)
        bad[token] = (reason, key, value)
        try send(key, value, token: token)
      }
      for round in 0..<rounds {
        for index in 0..<200 {
          let customer = "cus_\(index % 10)"
          try send(customer, event("good\(round)-\(index)", customer, index + 1))
          expected.add(customer, "api_calls", Int128(index + 1) * ExpectedTotals.one)
        }
        for (number, maker) in BadEvents.makers.enumerated() {
          let record = maker.make(round * 100 + number)
          try sendBad(maker.reason, record.key, record.value)
        }
        // The key of this round's first event, with another amount.
        try sendBad("key_conflict", "cus_0", event("good\(round)-0", "cus_0", 999))
      }
      try producer.flush(timeoutMilliseconds: 30_000)
      guard failures.all.isEmpty else { throw EndToEndFailure(description: "not published: \(failures.all)") }
      let placed = offsets.withLock { $0 }
      let wanted = try bad.map { token, record in
        QuarantinedRecord(
          partition: 0, offset: try #require(placed[token]), reason: record.reason, key: record.key,
          value: record.value, timestamp: now, origin: "test \(token)")
      }
      return (expected, Set(wanted))
    }

    private func event(_ key: String, _ customer: String, _ amount: Int) -> String {
      "{\"idempotencyKey\":\"\(key)\",\"customerId\":\"\(customer)\",\"featureId\":\"api_calls\",\"amount\":\(amount)}"
    }
  }
}
