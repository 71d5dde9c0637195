import Daemon

/// States of the daemon, as the tests and the pictures of the status page have them.
enum SampleStatus {
  static func base(
    ready: Bool = true, reasons: [String] = [], partitions: [PartitionStatus], sinks: [SinkStatus]? = nil,
    conservation: ConservationStatus = .init(events: 0, quantity: ["stripe-live": "0", "books": "0"])
  ) -> DaemonStatus {
    DaemonStatus(
      version: "0.1.0", instance: "meter-1", startedAt: "2026-11-21T12:49:44Z", ready: ready, reasons: reasons,
      kafka: .init(clusterID: "MkU3OEVBNTcwNTJENDM2Qg", topic: "usage", group: "meterd"), partitions: partitions,
      sinks: sinks ?? [
        .init(
          name: "stripe-live", provider: "stripe", account: "acct_1NvLive", rows: .init(inFlight: 42),
          oldestUnsettledAgeSeconds: 12),
        .init(
          name: "books", provider: "webhook", account: "https://books.example.com/usage", nextSendInSeconds: 38),
      ], conservation: conservation)
  }

  static func counting(_ partition: Int32) -> PartitionStatus {
    .init(
      partition: partition, state: .counting, position: 18_402_913 + Int64(partition) * 1_117,
      head: 18_398_202 + Int64(partition) * 1_093, lagRecords: Int64(partition % 3) * 17, openRows: 812)
  }

  static let healthy = base(partitions: (0..<4).map { counting($0) })

  static let stopped: DaemonStatus = {
    var status = base(partitions: (0..<4).map { counting($0) })
    status.partitions[2] = .init(
      partition: 2, state: .stopped, position: 18_400_001, head: 18_400_001, lagRecords: 48_211, openRows: 0,
      stop: .init(
        reason: "window_not_retained", offset: 18_400_000,
        detail: "the dedup window begins at offset 17200113, the topic at 18000000",
        remedy: "meterd ledger resolve 2 --reason window_not_retained --why TEXT --config /etc/meterd/meterd.yaml"))
    status.sinks[0].rows.parked = 3
    return status
  }()

  static let circuitOpen: DaemonStatus = {
    var status = base(partitions: (0..<4).map { counting($0) })
    status.sinks[0].circuit = .open
    status.sinks[0].rows = .init(inFlight: 1_204, deferred: 17)
    status.sinks[0].oldestUnsettledAgeSeconds = 1_325
    status.sinks[0].nextSendInSeconds = 21
    return status
  }()

  static let empty = base(
    ready: false, reasons: ["not yet a member of the group"], partitions: [], sinks: [],
    conservation: .init())

  static let starting: DaemonStatus = {
    var status = base(
      ready: false, reasons: ["2 of 4 partitions are recovering"], partitions: (0..<4).map { counting($0) })
    status.partitions[0] = .init(
      partition: 0, state: .rebuilding, position: 0, head: 18_398_202, lagRecords: 4_711,
      progress: "read 12.0 of 40.1 million events of the window")
    status.partitions[1] = .init(
      partition: 1, state: .recovering, progress: "read 1,204 of 5,200 ledger records")
    return status
  }()

  static let many: DaemonStatus = {
    var status = base(partitions: (0..<64).map { counting($0) })
    status.partitions[17].state = .blockedByTransaction
    status.partitions[17].lagRecords = 9_120
    status.partitions[40] = .init(
      partition: 40, state: .stopped, position: 11, head: 11, lagRecords: 2_000_000,
      stop: .init(
        reason: "storage_failed", offset: 11, detail: "no space left for /var/lib/meterd/partition-40 (pwrite)",
        remedy: "free space or repair the disk under storage.path, then restart meterd"))
    status.partitions[41].state = .draining
    return status
  }()

  static let hostile: DaemonStatus = {
    var status = stopped
    let attack = "<script>alert('x')</script>\"'&"
    status.instance = attack
    status.kafka.topic = attack
    status.sinks[0].name = attack
    status.sinks[0].account = attack
    status.reasons = [attack]
    status.partitions[2].stop?.reason = attack
    status.partitions[2].stop?.remedy = attack
    status.partitions[1].progress = attack
    status.conservation.quantity = [attack: attack]
    return status
  }()

  static let all: [(name: String, status: DaemonStatus)] = [
    ("healthy", healthy), ("stopped", stopped), ("circuit-open", circuitOpen), ("empty", empty),
    ("starting", starting), ("many", many), ("hostile", hostile),
  ]
}
