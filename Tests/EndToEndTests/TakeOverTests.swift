import Foundation
import Testing

extension WholeBinary {
  /// A measurement rather than a test: what a full dedup window takes, in memory, on the disk, and at a take-over.
  @Suite("Take-over of a full window") struct TakeOverTests {
    @Test(
      "seconds, memory and disk a million keys",
      .enabled(if: Surroundings.keys != nil, "it is made where METERD_E2E_KEYS is set, such as to 2000000"))
    func measure() throws {
      let keys = Surroundings.keys ?? 0
      let millions = Double(keys) / 1e6
      let rig = try DaemonRig("takeover")
      rig.sinks = ["webhook"]
      let instance = try Instance(rig, "one")
      try rig.run([instance]) {
        let (end, text) = try instance.run(
          [
            "load", "--bootstrap-servers", rig.servers, "--topic", rig.topic, "--events", "\(keys)", "--duplicates",
            "0%", "--customers", "10000", "--features", "10",
          ], seconds: 200)
        guard end == .exited(0) else { throw EndToEndFailure(description: "load: \(text)") }
        try instance.start()
        try instance.waitUntil("all is counted, cut and billed", seconds: 200) { status in
          status.partitions.reduce(0) { $0 + $1.head } == keys && status.sinks.allSatisfy { $0.rows.in_flight == 0 }
        }
        // The Kafka clients' statistics come every five seconds.
        Thread.sleep(forTimeInterval: 6)
        let disk = try size(of: instance.storage)
        let rows = instance.metric("meterd_sink_rows_total")
        let sent = instance.metric("meterd_kafka_sent_bytes_total", "client=\"ledger-producer\"")
        note(
          "a million keys: \(megabytes(instance.metric("meterd_dedup_memory_bytes") / millions)) of memory in "
            + "active tables, \(megabytes(Double(disk) / millions)) of disk; the process has "
            + "\(megabytes(instance.metric("process_resident_memory_bytes"))) with \(keys) keys")
        note(
          "ledger: \(Int(sent)) bytes sent, zstd, for \(Int(rows)) rows at one sink: \(Int(sent / max(1, rows))) a row")
        for wipes in [false, true] {
          instance.kill()
          if wipes { try FileManager.default.removeItem(atPath: instance.storage) }
          let begin = ContinuousClock.now
          try instance.start()
          try instance.waitUntil("every partition counts", seconds: 200) { status in
            status.partitions.count == Int(DaemonRig.partitions)
              && status.partitions.allSatisfy { $0.state == "counting" }
          }
          let elapsed = (ContinuousClock.now - begin) / .seconds(1)
          note(
            String(
              format: "take-over %@ the folder: %.1f s with %d keys in %d partitions, %.2f s a million keys",
              wipes ? "without" : "with", elapsed, keys, DaemonRig.partitions, elapsed / millions))
          #expect(poll(seconds: 10) { instance.metric("meterd_dedup_keys") == Double(keys) })
        }
        try instance.stopGracefully()
      }
    }

    /// What does not fit into memory is sealed while it is read again, long before the head.
    @Test("a window that outgrows dedup.max_memory is rebuilt, and knows every key") func rebuiltBeyondMemory() throws {
      let keys = 600_000
      let rig = try DaemonRig("outgrown")
      rig.sinks = ["webhook"]
      rig.moreLines = ["dedup: { max_memory: 16MiB }"]
      let instance = try Instance(rig, "one")
      func load() throws {
        let (end, text) = try instance.run(
          [
            "load", "--bootstrap-servers", rig.servers, "--topic", rig.topic, "--events", "\(keys)", "--duplicates",
            "0%", "--customers", "1000", "--features", "10", "--seed", "7",
          ], seconds: 200)
        guard end == .exited(0) else { throw EndToEndFailure(description: "load: \(text)") }
      }
      try rig.run([instance]) {
        try load()
        try instance.start()
        try instance.waitUntil("all is counted and cut", seconds: 200) { status in
          status.partitions.reduce(0) { $0 + $1.head } == keys
        }
        instance.kill()
        try FileManager.default.removeItem(atPath: instance.storage)
        try instance.start()
        try instance.waitUntil("every partition counts", seconds: 200) { status in
          status.partitions.count == Int(DaemonRig.partitions)
            && status.partitions.allSatisfy { $0.state == "counting" }
        }
        let segments = try FileManager.default.subpathsOfDirectory(atPath: instance.storage).filter {
          $0.hasSuffix(".mdb") && !$0.hasSuffix("journal.mdb")
        }
        #expect(segments.count >= Int(DaemonRig.partitions), "sealed: \(segments)")
        // The same keys once more: none of them is new.
        try load()
        #expect(poll(seconds: 100) { instance.metric("meterd_events_consumed_total") == Double(keys) })
        #expect(instance.metric("meterd_events_duplicate_total") == Double(keys))
        #expect(instance.metric("meterd_events_counted_total") == 0)
        try instance.stopGracefully()
      }
    }

    private func megabytes(_ bytes: Double) -> String { "\(Int((bytes / 1e6).rounded())) MB" }

    /// Bytes of the files below a folder.
    private func size(of folder: String) throws -> Int {
      try FileManager.default.subpathsOfDirectory(atPath: folder).reduce(0) { sum, path in
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(path)")
        let isFile = attributes[.type] as? FileAttributeType == .typeRegular
        return sum + (isFile ? attributes[.size] as? Int ?? 0 : 0)
      }
    }
  }
}
