import Foundation
import Kafka
import Metering
import ProviderFakes
import Testing

extension WholeBinary {
  /// Stops that a person resolves, each brought about for real; the line that the daemon prints is run as it stands, and
  /// counting goes on.
  @Suite("Stops and their ways out") struct StopTests {
    @Test("records that are deleted before they are counted") func logStartsBeyondHead() throws {
      try withRig("truncated") { rig, instance, publisher in
        let head = try killAtHead(instance)
        try publisher.publish(1_000, isPlain: true)
        let end = try position(rig, 0)
        #expect(end > head + 10)
        try deleteRecords(rig, partition: 0, below: head + 10)
        let (code, text) = try instance.run(["check", "--config", rig.configurationPath("one")])
        #expect(code == .exited(65) && text.contains("log_starts_beyond_head"), "\(text)")
        try instance.start()
        let stop = try #require(
          try instance.waitUntilStopped("log_starts_beyond_head", partitions: [0]).first)
        #expect(stop.offset == head)
        // What is not stopped cannot be resolved, nor can a stop be taken for another.
        #expect(try instance.run(resolve(rig, 1, "log_starts_beyond_head")).0 == .exited(64))
        #expect(try instance.run(resolve(rig, 0, "sink_vanished")).0 == .exited(64))
        try instance.follow(stop)
        try waitUntilCounting(instance)
        try waitUntilRead(instance, beyond: head + 10)
        try rig.waitUntilConserved(instance)
        let (_, ledger) = try instance.run(["ledger", "show", "--config", rig.configurationPath("one")])
        #expect(ledger.contains("accepted_loss=true") && ledger.contains("RESOLVE"), "\(ledger.suffix(2_000))")
        // The configuration in words, not only its digest.
        for words in ["dedup.window=24h", "feature=tokens aggregate=sum dimensions=[model]", "sink=books"] {
          #expect(ledger.contains(words), "\(ledger.prefix(2_000))")
        }
      }
    }

    @Test("a lost ledger: what is still there is billed again, as the command says") func ledgerLost() throws {
      try withRig("lost") { rig, instance, publisher in
        instance.kill()
        try rig.delete("\(rig.group).ledger")
        let (code, text) = try instance.run(["check", "--config", rig.configurationPath("one")])
        #expect(code == .exited(65) && text.contains("ledger_lost"), "\(text)")
        try instance.start()
        let stops = try instance.waitUntilStopped("ledger_lost", partitions: Set(0..<DaemonRig.partitions))
        #expect(rig.differences(publisher.expected) == [])
        let before = rig.webhook.effects.keyCount
        for stop in stops { try instance.follow(stop) }
        try waitUntilCounting(instance)
        // Everything a second time, under new keys: twice the usage, and no key with two values.
        var twice = publisher.expected
        for (place, units) in publisher.expected.units { twice.add(place.customer, place.feature, units) }
        try rig.waitUntilExact(twice, seconds: 40, [instance])
        #expect(rig.webhook.effects.keyCount > before)
        try rig.waitUntilConserved(instance)
      }
    }

    @Test("a ledger that is not the one that the folder has seen") func ledgerChanged() throws {
      try withRig("changed") { rig, instance, publisher in
        // More, so that the folder has seen the ledger beyond the first DONE.
        try publisher.publish(500, isPlain: true)
        try rig.waitUntilExact(publisher.expected, seconds: 40, [instance])
        try instance.stopGracefully()
        // A copy of the ledger comes back that lacks a DONE: whether its rows were billed is open again.
        var records: [Int32: [[UInt8]]] = [:]
        var lacks = false
        try rig.read("\(rig.group).ledger") { partition, message in
          let bytes = [UInt8](message.value)
          if partition == 0, !lacks, case .done = try LedgerCodec.decode(bytes).record {
            lacks = true
          } else {
            records[partition, default: []].append(bytes)
          }
        }
        #expect(lacks)
        try rig.replace("\(rig.group).ledger", with: records)
        let (code, text) = try instance.run(["check", "--config", rig.configurationPath("one")])
        #expect(code == .exited(65) && text.contains("ledger_changed"), "\(text)")
        try instance.start()
        let stop = try #require(try instance.waitUntilStopped("ledger_changed", partitions: [0]).first)
        let (keys, requests) = (rig.webhook.effects.keyCount, rig.webhook.effects.requests)
        try instance.follow(stop)
        try waitUntilCounting(instance)
        try instance.waitUntil("nothing is in flight") { $0.sinks.allSatisfy { $0.rows.in_flight == 0 } }
        try rig.waitUntilConserved(instance)
        // What was open is sent again under its keys, and its effect is the one that it had.
        #expect(rig.webhook.effects.requests > requests)
        #expect(rig.differences(publisher.expected) == [] && rig.webhook.effects.keyCount == keys)
        try publisher.publish(200, isPlain: true)
        try rig.waitUntilExact(publisher.expected, seconds: 40, [instance])
      }
    }

    @Test("a window that is no longer retained") func windowNotRetained() throws {
      try withRig("window") { rig, instance, publisher in
        let head = try killAtHead(instance)
        try FileManager.default.removeItem(atPath: instance.storage)
        try deleteRecords(rig, partition: 0, below: head - 1)
        try instance.start()
        let stop = try #require(try instance.waitUntilStopped("window_not_retained", partitions: [0]).first)
        try instance.follow(stop)
        try waitUntilCounting(instance)
        try publisher.publish(200, isPlain: true)
        try waitUntilRead(instance, beyond: head)
        try rig.waitUntilConserved(instance)
      }
    }

    @Test("a sink begins at cuts whose rows are deleted") func rowsDeleted() throws {
      try withRig("rows") { rig, instance, publisher in
        // Cuts as fast as they may come, until a SNAPSHOT says what the records before it said.
        instance.kill()
        rig.flushLines[0] = "interval: 100ms"
        try instance.start()
        var through: Int64?
        for round in 1...1_500 where through == nil {
          try publisher.publish(20, isPlain: true)
          Thread.sleep(forTimeInterval: 0.05)
          if round % 60 == 0 { through = try snapshot(rig, partition: 0) }
        }
        let below = try #require(through) + 1
        try publisher.publishRoundingEvents()
        try rig.waitUntilExact(publisher.expected, seconds: 40, [instance])
        try instance.stopGracefully()
        // As meterd itself does after `ledger.keep`.
        _ = try rig.withAdmin { try $0.deleteRecords(topic: "\(rig.group).ledger", before: [0: below]) }
        rig.version = 2
        rig.sinks.insert("stripe")
        rig.stripeLines = ["from_cut: earliest"]
        try instance.start()
        // The next cut brings the sink in.
        try publisher.publish(200, isPlain: true)
        try publisher.publishRoundingEvents()
        let stop = try #require(try instance.waitUntilStopped("rows_deleted", partitions: [0]).first)
        try instance.follow(stop)
        try waitUntilCounting(instance)
        var expected = publisher.expected
        let late = "{\"idempotencyKey\":\"late\",\"customerId\":\"late\",\"featureId\":\"api_calls\",\"amount\":5}"
        let producer = try Producer(properties: rig.properties) { _ in }
        defer { producer.close() }
        try producer.produce(topic: rig.topic, partition: 0, key: Array("late".utf8), value: Array(late.utf8))
        try producer.flush(timeoutMilliseconds: 10_000)
        expected.add("late", "api_calls", 5 * ExpectedTotals.one)
        // All at the sink that was there; at the new one all of the other partitions, and what was cut afterwards.
        var skipped: Set<String> = []
        try rig.read(rig.topic) { if $0 == 0 { skipped.insert(String(decoding: $1.key, as: UTF8.self)) } }
        skipped.remove("late")
        var missing: [String] = []
        let isBilled = poll(seconds: 40) {
          missing = expected.differences(rig.stripe) { DaemonRig.stripeMeters[$0] }
          return expected.differences(rig.webhook) { $0 }.isEmpty
            && missing.allSatisfy { line in skipped.contains { line.hasPrefix("\($0)/") } }
        }
        #expect(isBilled && !missing.isEmpty && rig.violations() == [], "\(instance.explanation())")
        try rig.waitUntilConserved(instance)
      }
    }

    @Test("a changed configuration, a sink that vanished, and a topic that was re-created") func configuration() throws
    {
      try withRig("config", sinks: ["stripe", "webhook"]) { rig, instance, publisher in
        let all = Set(0..<DaemonRig.partitions)
        instance.kill()
        rig.featureLines[1] = "exports: { aggregate: count }"
        publisher.countExports()
        try instance.start()
        for stop in try instance.waitUntilStopped("configuration_without_version", partitions: all) {
          try instance.follow(stop)
        }
        try waitUntilCounting(instance)
        rig.stripe.faults.setOutage(.unavailable)
        try publisher.publish(400, isPlain: true)
        try publisher.publishRoundingEvents()
        try instance.waitUntil("rows wait for Stripe") { status in
          status.sinks.contains { $0.name == "stripe-e2e" && $0.rows.in_flight > 0 }
        }
        _ = try killAtHead(instance)
        rig.version = 2
        rig.sinks = ["webhook"]
        try instance.start()
        for stop in try instance.waitUntilStopped("sink_vanished", partitions: [0]) { try instance.follow(stop) }
        try instance.waitUntil("partition 0 counts again") {
          $0.partitions.contains { $0.partition == 0 && $0.state == "counting" }
        }
        instance.kill()
        try rig.replace(rig.topic, with: [:])
        rig.sinks = ["stripe", "webhook"]
        rig.version = 3
        try instance.start()
        // What was counted is billed still, and nothing is counted any more.
        for stop in try instance.waitUntilStopped("log_ends_before_head", partitions: all) { try instance.follow(stop) }
        try instance.waitUntil("all partitions settle only") {
          $0.ready && $0.partitions.count == all.count && $0.partitions.allSatisfy { $0.state == "draining" }
        }
        rig.stripe.faults.setOutage(nil)
        try rig.waitUntilExact(publisher.expected, seconds: 60, [instance])
        try rig.waitUntilConserved(instance)
        #expect(instance.log.contains("partition.settles_only"))
        let (code, text) = try instance.run(["check", "--config", rig.configurationPath("one")])
        #expect(code == .exited(0), "\(text)")
      }
    }

    @Test("an open transaction is a state of its own, and its markers are holes that were looked at") func open() throws
    {
      try withRig("open") { rig, instance, publisher in
        var properties = rig.properties
        properties["transactional.id"] = "\(rig.topic)-hanging"
        let producer = try Producer(properties: properties) { _ in }
        defer { producer.close() }
        try producer.initTransactions()
        try producer.beginTransaction()
        try producer.produce(
          topic: rig.topic, partition: 0, key: Array("cus_0".utf8),
          value: Array(
            "{\"idempotencyKey\":\"open-1\",\"customerId\":\"cus_0\",\"featureId\":\"api_calls\",\"amount\":5}".utf8))
        try producer.flush(timeoutMilliseconds: 10_000)
        try instance.waitUntil("partition 0 is blocked") {
          $0.partitions.contains { $0.partition == 0 && $0.state == "blocked_by_transaction" && $0.lag_records > 0 }
        }
        #expect(instance.metric("meterd_partition_state", "state=\"blocked_by_transaction\"") == 1)
        #expect(instance.log.contains("partition.blocked_by_transaction"))
        try producer.commitTransaction(timeoutMilliseconds: 10_000)
        try waitUntilCounting(instance)
        // More, behind the marker.
        try publisher.publish(100, isPlain: true)
        var expected = publisher.expected
        expected.add("cus_0", "api_calls", 5 * ExpectedTotals.one)
        try rig.waitUntilExact(expected, seconds: 30, [instance])
        #expect(instance.metric("meterd_offset_holes_total", "kind=\"verified\"") > 0)
      }
    }

    // MARK: What they share

    /// A daemon that has billed 2,000 events at one sink, exactly.
    private func withRig(
      _ name: String, sinks: Set<String> = ["webhook"], _ body: (DaemonRig, Instance, UsagePublisher) throws -> Void
    ) throws {
      let rig = try DaemonRig(name)
      rig.sinks = sinks
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      let instance = try Instance(rig, "one")
      try rig.run([instance], publisher) {
        try publisher.publish(2_000)
        if sinks.contains("stripe") { try publisher.publishRoundingEvents() }
        try instance.start()
        try rig.waitUntilExact(publisher.expected, seconds: 60, [instance])
        try body(rig, instance, publisher)
      }
    }

    private func resolve(_ rig: DaemonRig, _ partition: Int, _ reason: String) -> [String] {
      [
        "ledger", "resolve", "\(partition)", "--reason", reason, "--why", "test", "--config",
        rig.configurationPath("one"), "--yes",
      ]
    }

    private func waitUntilCounting(_ instance: Instance) throws {
      try instance.waitUntil("all partitions count") {
        $0.ready && $0.partitions.count == Int(DaemonRig.partitions)
          && $0.partitions.allSatisfy { $0.state == "counting" }
      }
    }

    /// Kills the daemon once all is cut; the head of partition 0.
    private func killAtHead(_ instance: Instance) throws -> Int64 {
      try instance.waitUntil("all that was read is cut") { status in
        status.partitions.allSatisfy { $0.lag_records == 0 && $0.position == $0.head }
      }
      defer { instance.kill() }
      return try #require(instance.status()?.partitions.first { $0.partition == 0 }).head
    }

    private func waitUntilRead(_ instance: Instance, beyond offset: Int64) throws {
      try instance.waitUntil("partition 0 is counted beyond \(offset)") { status in
        status.partitions.contains { $0.partition == 0 && $0.head > offset && $0.lag_records == 0 }
      }
    }

    private func position(_ rig: DaemonRig, _ partition: Int32) throws -> Int64 {
      try rig.withAdmin { try $0.watermarks(topic: rig.topic, partition: partition).high }
    }

    /// Up to which ledger offset the last SNAPSHOT of a partition has folded, if there is one.
    private func snapshot(_ rig: DaemonRig, partition: Int32) throws -> Int64? {
      var through: Int64?
      try rig.read("\(rig.group).ledger") { place, message in
        guard place == partition, case .snapshot(let seal) = try LedgerCodec.decode([UInt8](message.value)).record
        else { return }
        through = seal.through
      }
      return through
    }

    private func deleteRecords(_ rig: DaemonRig, partition: Int32, below: Int64) throws {
      _ = try rig.withAdmin { try $0.deleteRecords(topic: rig.topic, before: [partition: below]) }
    }
  }
}
