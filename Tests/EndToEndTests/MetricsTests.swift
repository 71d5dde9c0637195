import Foundation
import ProviderFakes
import Testing

extension WholeBinary {
  /// `/metrics` of a daemon at work, against the contract's table.
  @Suite("Metrics") struct MetricsTests {
    /// The contract: every name with its type and the labels of its samples.
    private static let contract: [(name: String, type: String, labels: Set<String>)] = [
      ("meterd_events_consumed_total", "counter", ["partition"]),
      ("meterd_events_counted_total", "counter", ["partition"]),
      ("meterd_events_duplicate_total", "counter", ["partition"]),
      ("meterd_events_quarantined_total", "counter", ["partition", "reason"]),
      ("meterd_consumer_lag_records", "gauge", ["partition"]),
      ("meterd_partition_state", "gauge", ["partition", "state"]),
      ("meterd_conservation_imbalance", "gauge", ["equation"]),
      ("meterd_offset_holes_total", "counter", ["partition", "kind"]),
      ("meterd_record_key_mismatch_total", "counter", ["partition"]),
      ("meterd_dedup_keys", "gauge", ["partition"]),
      ("meterd_dedup_window_covered_seconds", "gauge", ["partition"]),
      ("meterd_dedup_memory_bytes", "gauge", ["partition"]),
      ("meterd_journal_commit_duration_seconds", "histogram", []),
      ("meterd_open_rows", "gauge", ["partition"]),
      ("meterd_oldest_open_event_age_seconds", "gauge", ["partition"]),
      ("meterd_cuts_total", "counter", ["partition"]),
      ("meterd_claims_total", "counter", ["partition", "sink"]),
      ("meterd_ownership_changes_total", "counter", ["partition"]),
      ("meterd_sink_rows_total", "counter", ["sink", "outcome"]),
      ("meterd_sink_requests_total", "counter", ["sink", "status"]),
      ("meterd_sink_request_duration_seconds", "histogram", ["sink"]),
      ("meterd_sink_rows_in_flight", "gauge", ["sink"]),
      ("meterd_sink_rows_parked", "gauge", ["sink"]),
      ("meterd_sink_rows_uncertain", "gauge", ["sink"]),
      ("meterd_sink_rows_deferred", "gauge", ["sink"]),
      ("meterd_sink_carried", "gauge", ["sink"]),
      ("meterd_sink_oldest_unsettled_age_seconds", "gauge", ["sink"]),
      ("meterd_sink_rate_limit_wait_seconds_total", "counter", ["sink"]),
      ("meterd_ingest_to_settled_seconds", "histogram", ["sink"]),
      ("meterd_kafka_broker_up", "gauge", ["client", "broker"]),
      ("meterd_kafka_broker_latency_average_seconds", "gauge", ["client", "broker"]),
      ("meterd_kafka_rebalances_total", "counter", ["client"]),
      ("meterd_kafka_broker_errors_total", "counter", ["client", "broker"]),
      ("meterd_build_info", "gauge", ["version"]),
      ("process_cpu_seconds_total", "counter", []), ("process_open_fds", "gauge", []),
      ("process_max_fds", "gauge", []), ("process_virtual_memory_bytes", "gauge", []),
      ("process_resident_memory_bytes", "gauge", []), ("process_start_time_seconds", "gauge", []),
    ]

    @Test("every name of the contract is there, moves, and is what happened") func contract() throws {
      let rig = try DaemonRig("metrics")
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      let instance = try Instance(rig, "one")
      try rig.run([instance], publisher) {
        // What is left over of a fraction is carried at Stripe: so no rounding events here.
        try publisher.publish(2_000, isPlain: true)
        try instance.start()
        try instance.waitUntilReady()
        try waitUntilSettled(rig, publisher, instance)
        try expectNames(instance)
        let published = Double(publisher.published)
        #expect(instance.metric("meterd_events_consumed_total") == published)
        let judged = [
          "meterd_events_counted_total", "meterd_events_duplicate_total", "meterd_events_quarantined_total",
        ].map { instance.metric($0) }.reduce(0, +)
        #expect(judged == published, "\(instance.explanation())")
        #expect(instance.metric("meterd_events_duplicate_total") == Double(publisher.duplicates))
        let rows = instance.metric("meterd_sink_rows_total", "outcome=\"delivered\"")
        #expect(rows > 0)
        #expect(instance.metric("meterd_ingest_to_settled_seconds_count") == rows)
        #expect(instance.metric("meterd_ingest_to_settled_seconds_sum") > 0)
        #expect(instance.metric("meterd_sink_carried", "sink=\"stripe-e2e\"") > 0)
        #expect(instance.metric("meterd_kafka_broker_up") > 0)
        #expect(instance.metric("meterd_kafka_received_bytes_total", "client=\"reader-0\"") > 0)
        #expect(instance.metric("meterd_kafka_sent_bytes_total", "client=\"ledger-producer\"") > 0)
        try expectClean(rig, instance)
        try instance.stopGracefully()
      }
    }

    private func waitUntilSettled(_ rig: DaemonRig, _ publisher: UsagePublisher, _ instance: Instance) throws {
      let exact = poll(seconds: 60) { publisher.expected.differences(rig.webhook) { $0 }.isEmpty }
      guard exact else { throw EndToEndFailure(description: "not settled\n\(instance.explanation())") }
      try instance.waitUntil("nothing is in flight") { $0.sinks.allSatisfy { $0.rows.in_flight == 0 } }
      // The statistics of the Kafka clients come every five seconds.
      _ = poll(seconds: 10) { instance.metric("meterd_kafka_broker_up", "client=\"ledger-producer\"") > 0 }
      Thread.sleep(forTimeInterval: 0.3)
    }

    private func expectNames(_ instance: Instance) throws {
      let text = try #require(get("http://127.0.0.1:\(instance.port)/metrics", instance.rig.client)?.body)
      let lines = text.split(separator: "\n")
      for (name, type, labels) in Self.contract {
        #expect(lines.contains("# TYPE \(name) \(type)"), "\(name) is no \(type), or not there")
        let sample = lines.first { line in
          [name, name + "_count", name + "_bucket"].contains { line.hasPrefix($0 + "{") || line.hasPrefix($0 + " ") }
        }
        guard let sample else {
          // Only what has not happened may be missing.
          #expect(name == "meterd_offset_holes_total", "\(name) has no sample")
          continue
        }
        for label in labels { #expect(sample.contains("\(label)=\""), "\(name) lacks \(label): \(sample)") }
      }
    }

    /// `promtool check metrics`, where the machine has it.
    private func expectClean(_ rig: DaemonRig, _ instance: Instance) throws {
      let text = try #require(get("http://127.0.0.1:\(instance.port)/metrics", rig.client)?.body)
      let path = "\(rig.folder)/metrics.txt"
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      let log = "\(rig.folder)/promtool.log"
      let script = "command -v promtool >/dev/null || exit 99; exec promtool check metrics < '\(path)'"
      let end = try MeterdProcess(words: ["sh", "-c", script], logPath: log).wait(seconds: 30)
      if end == .exited(99) { return note("promtool is not on this machine: /metrics was not checked with it") }
      let said = try String(contentsOfFile: log, encoding: .utf8)
      #expect(end == .exited(0) && said.isEmpty, "\(said)")
      note("promtool: /metrics of a daemon at work is clean")
    }
  }
}
