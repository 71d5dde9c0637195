import Daemon
import Dispatch
import Foundation
import Metering
import Operations
import Synchronization
import Testing

@Suite struct MetricsTests {
  private func text(_ registry: MetricsRegistry) -> String { String(decoding: registry.render(), as: UTF8.self) }

  @Test func aFamilyRendersHelpTypeAndSeries() {
    let registry = MetricsRegistry()
    let events: CounterFamily<PartitionLabels> = registry.counter("events_total", "Back\\slash and\nline.")
    events[.init(partition: 3)].add(2)
    events[.init(partition: 3)].add()
    events[.init(partition: 0)].add(7)
    #expect(
      text(registry) == """
        # HELP events_total Back\\\\slash and\\nline.
        # TYPE events_total counter
        events_total{partition="3"} 3
        events_total{partition="0"} 7

        """)
  }

  @Test func labelValuesAreEscaped() {
    let registry = MetricsRegistry()
    let family: GaugeFamily<SinkLabels> = registry.gauge("g", "G.")
    family[.init(sink: "a\"b\\c\nd")].set(1.5)
    #expect(text(registry).hasSuffix("g{sink=\"a\\\"b\\\\c\\nd\"} 1.5\n"))
  }

  @Test func numbersAreWrittenAsTheFormatSays() {
    let registry = MetricsRegistry()
    let gauge: GaugeFamily<NoLabels> = registry.gauge("g", "G.")
    for (value, expected) in [
      (0.0, "0"), (-3, "-3"), (1e14, "100000000000000"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
      (0.25, "0.25"),
    ] {
      gauge.cell.set(value)
      #expect(text(registry).hasSuffix("\ng \(expected)\n"))
    }
  }

  @Test func timeIsCountedInNanosecondsAndShownInSeconds() {
    let registry = MetricsRegistry()
    let waited: CounterFamily<SinkLabels> = registry.counter("wait_seconds_total", "W.")
    waited[.init(sink: "a")].add(.milliseconds(1_250))
    waited[.init(sink: "a")].add(Duration.nanoseconds(1))
    waited[.init(sink: "a")].add(.seconds(-5))
    #expect(text(registry).hasSuffix("wait_seconds_total{sink=\"a\"} 1.250000001\n"))
  }

  @Test func aHistogramCumulates() {
    let registry = MetricsRegistry()
    let family: HistogramFamily<NoLabels> = registry.histogram("h_seconds", "H.", bounds: [0.1, 1])
    family.cell.observe(0.1)
    family.cell.observe(.milliseconds(500))
    family.cell.observe(7)
    family.cell.observe(.nan)
    #expect(
      text(registry) == """
        # HELP h_seconds H.
        # TYPE h_seconds histogram
        h_seconds_bucket{le="0.1"} 1
        h_seconds_bucket{le="1"} 2
        h_seconds_bucket{le="+Inf"} 3
        h_seconds_sum 7.6
        h_seconds_count 3

        """)
  }

  @Test func tooManySeriesShareOne() {
    let registry = MetricsRegistry()
    let family: CounterFamily<PartitionLabels> = registry.counter("c_total", "C.", maximumSeries: 3)
    for partition in Int32(0)..<100 { family[.init(partition: partition)].add() }
    let lines = text(registry).split(separator: "\n").dropFirst(2)
    #expect(lines.count == 4)
    #expect(lines.last == "c_total{partition=\"_other\"} 97")
  }

  @Test func aRevokedPartitionsGaugesVanishAndItsCountersStay() {
    let metrics = MeterdMetrics()
    let partition = metrics.partition(5)
    partition.consumed.add(10)
    partition.lagRecords.set(4)
    partition.setState(.counting)
    #expect(text(metrics.registry).contains("meterd_partition_state{partition=\"5\",state=\"counting\"} 1"))
    metrics.removeGauges(partition: 5)
    let after = text(metrics.registry)
    #expect(!after.contains("meterd_consumer_lag_records{"))
    #expect(!after.contains("meterd_partition_state{"))
    #expect(after.contains("meterd_events_consumed_total{partition=\"5\"} 10"))
  }

  @Test func aStatusPictureSetsItsGauges() {
    let metrics = MeterdMetrics()
    metrics.partition(99).lagRecords.set(1)
    metrics.update(from: SampleStatus.stopped)
    let shown = text(metrics.registry)
    for line in [
      "meterd_consumer_lag_records{partition=\"2\"} 48211",
      "meterd_partition_state{partition=\"2\",state=\"stopped\"} 1",
      "meterd_partition_state{partition=\"2\",state=\"counting\"} 0", "meterd_open_rows{partition=\"0\"} 812",
      "meterd_sink_rows_parked{sink=\"stripe-live\"} 3", "meterd_conservation_imbalance{equation=\"events\"} 0",
      "meterd_conservation_imbalance{equation=\"quantity\",sink=\"books\"} 0",
    ] { #expect(shown.contains(line + "\n"), "\(line)") }
    #expect(!shown.contains("meterd_consumer_lag_records{partition=\"99\"}"))
  }

  @Test func librdkafkasTotalsNeverGoBack() {
    let metrics = MeterdMetrics()
    var sample = KafkaStatisticsSample(
      client: "consumer-0",
      brokers: [
        .init(
          id: "1", isUp: true, latencyAverage: .microseconds(1_500), latency99th: .milliseconds(12), errors: 2,
          requestTimeouts: 1, retries: 4)
      ], rebalances: 3, receivedBytes: 1_000, sentBytes: 10, fetchQueueRecords: 5, fetchQueueBytes: 500)
    metrics.kafka.update(sample)
    sample.rebalances = 1
    sample.brokers = []
    metrics.kafka.update(sample)
    let shown = text(metrics.registry)
    #expect(shown.contains("meterd_kafka_rebalances_total{client=\"consumer-0\"} 3\n"))
    #expect(shown.contains("meterd_kafka_broker_errors_total{client=\"consumer-0\",broker=\"1\"} 2\n"))
    #expect(!shown.contains("meterd_kafka_broker_up{"))
  }

  @Test func theProcessShowsItself() throws {
    let shown = text(MeterdMetrics().registry)
    for name in [
      "process_cpu_seconds_total", "process_open_fds", "process_max_fds", "process_virtual_memory_bytes",
      "process_resident_memory_bytes", "process_start_time_seconds", "process_threads",
    ] {
      let line = try #require(shown.split(separator: "\n").first { $0.hasPrefix(name + " ") }, "\(name)")
      #expect(Double(line.dropFirst(name.count + 1)) ?? 0 > 0, "\(line)")
    }
    let start = try #require(
      shown.split(separator: "\n").first { $0.hasPrefix("process_start_time_seconds ") }
        .flatMap { Double($0.dropFirst(27)) })
    let age = Double(Timestamp.nowMilliseconds()) / 1_000 - start
    #expect(age > -5 && age < 86_400)
  }

  /// Every name of the contract, with its type: what dashboards and alerts rely on.
  @Test func everyNameOfTheContractIsThere() {
    let shown = text(fullMetrics().registry)
    let counters = [
      "events_consumed_total", "events_counted_total", "events_duplicate_total", "events_quarantined_total",
      "offset_holes_total", "record_key_mismatch_total", "cuts_total", "claims_total", "ownership_changes_total",
      "sink_rows_total", "sink_requests_total", "sink_rate_limit_wait_seconds_total",
    ]
    let gauges = [
      "consumer_lag_records", "partition_state", "conservation_imbalance", "dedup_keys", "dedup_window_covered_seconds",
      "dedup_memory_bytes", "open_rows", "oldest_open_event_age_seconds", "sink_rows_in_flight", "sink_rows_parked",
      "sink_rows_uncertain", "sink_rows_deferred", "sink_carried", "sink_oldest_unsettled_age_seconds", "build_info",
    ]
    let histograms = ["journal_commit_duration_seconds", "sink_request_duration_seconds", "ingest_to_settled_seconds"]
    for (names, kind) in [(counters, "counter"), (gauges, "gauge"), (histograms, "histogram")] {
      for name in names { #expect(shown.contains("# TYPE meterd_\(name) \(kind)\n"), "\(name)") }
    }
  }

  private static let promtool = ["/usr/bin/promtool", "/usr/local/bin/promtool"]
    .first { FileManager.default.isExecutableFile(atPath: $0) }

  @Test(.enabled(if: promtool != nil, "promtool is not installed (Debian: prometheus)"))
  func promtoolFindsNothing() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(Self.promtool))
    process.arguments = ["check", "metrics"]
    let input = Pipe()
    let output = Pipe()
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let metrics = fullMetrics().registry.render()
    // The tool may answer before it has read all: a thread of its own keeps either side from waiting for the other.
    let feeding = DispatchQueue(label: "promtool.input")
    let handle = input.fileHandleForWriting
    feeding.async {
      try? handle.write(contentsOf: Data(metrics))
      try? handle.close()
    }
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(said == "")
    #expect(process.terminationStatus == 0)
  }

  /// Every family with at least one series.
  private func fullMetrics() -> MeterdMetrics {
    let metrics = MeterdMetrics()
    metrics.update(from: SampleStatus.stopped)
    metrics.buildInfo[.init(version: "0.1.0", librdkafka: "2.0.2", lmdb: "0.9.24")].set(1)
    let partition = metrics.partition(0)
    partition.quarantined(.malformedJSON).add()
    partition.claims(sink: "books").add()
    let sink = metrics.sink("books")
    sink.requests(.init(httpStatus: 204)).add()
    sink.requests(.timeout).add()
    sink.requestDurationSeconds.observe(0.2)
    sink.ingestToSettledSeconds.observe(61)
    metrics.journalCommitDurationSeconds.cell.observe(0.002)
    metrics.kafka.update(.init(client: "consumer-0", brokers: [.init(id: "1", isUp: true)]))
    return metrics
  }

  @Test func countersAreExactUnderConcurrency() {
    let registry = MetricsRegistry()
    let counters: CounterFamily<PartitionLabels> = registry.counter("c_total", "C.")
    let histograms: HistogramFamily<NoLabels> = registry.histogram("h_seconds", "H.", bounds: [1, 2])
    let gauges: GaugeFamily<PartitionLabels> = registry.gauge("g", "G.")
    let renders = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 8) { worker in
      let mine = counters[.init(partition: Int32(worker % 2))]
      for step in 0..<2_000 {
        mine.add()
        counters[.init(partition: 7)].add(2)
        histograms.cell.observe(Double(step % 3) + 0.5)
        gauges[.init(partition: Int32(step % 5))].set(step)
        if step % 100 == 0 {
          gauges.remove(.init(partition: Int32(step % 5)))
          if !registry.render().isEmpty { renders.wrappingAdd(1, ordering: .relaxed) }
        }
      }
    }
    #expect(counters[.init(partition: 0)].value == 8_000)
    #expect(counters[.init(partition: 1)].value == 8_000)
    #expect(counters[.init(partition: 7)].value == 32_000)
    #expect(histograms.cell.counts.reduce(0, +) == 16_000)
    // 2,000 steps: 667 of 0.5, 667 of 1.5, 666 of 2.5, by eight workers; halves add up exactly in a Double.
    #expect(histograms.cell.sum == 8 * (667 * 0.5 + 667 * 1.5 + 666 * 2.5))
    #expect(renders.load(ordering: .relaxed) == 160)
  }
}
