internal import Dispatch
internal import Kafka
internal import Metering
internal import Synchronization

/// A ledger that lasts as long as a dry run: nothing is written to Kafka.
final class MemoryLedger: LedgerPort {
  private struct Partition {
    var entries: [LedgerEntry] = []
    var readers: [Reading] = []
  }
  private let partitions = Mutex<[Int32: Partition]>([:])
  private let queue = DispatchQueue(label: "ledger.memory")

  func append(
    partition: Int32, records: [[UInt8]], completion: @escaping @Sendable (LedgerAppendOutcome) -> Void
  ) {
    queue.async { [self] in
      let now = Clock.unixMilliseconds()
      let (added, readers) = partitions.withLock { partitions in
        var state = partitions[partition] ?? Partition()
        let first = Int64(state.entries.count)
        let added = records.enumerated().map {
          LedgerEntry(offset: first + Int64($0.offset), appendMilliseconds: now, bytes: $0.element)
        }
        state.entries += added
        partitions[partition] = state
        return (added, state.readers)
      }
      completion(.appended)
      for reader in readers { reader.deliver(added) }
    }
  }

  func readTail(
    partition: Int32, from: Int64, deliver: @escaping @Sendable (LedgerTailEvent) -> Void
  ) -> any LedgerReading {
    let reading = Reading(deliver: deliver)
    queue.async { [self] in
      let (there, end) = partitions.withLock { partitions in
        partitions[partition, default: Partition()].readers.removeAll { $0.isStopped }
        partitions[partition, default: Partition()].readers.append(reading)
        let entries = partitions[partition]?.entries ?? []
        return (entries.filter { $0.offset >= from }, Int64(entries.count))
      }
      reading.deliver(there)
      reading.end(end)
    }
    return reading
  }

  func ends(partition: Int32) -> Watermarks {
    Watermarks(low: 0, high: partitions.withLock { Int64($0[partition]?.entries.count ?? 0) })
  }

  private final class Reading: LedgerReading {
    private let flag = Flag()
    private let handler: @Sendable (LedgerTailEvent) -> Void
    init(deliver: @escaping @Sendable (LedgerTailEvent) -> Void) { handler = deliver }
    var isStopped: Bool { flag.isSet }
    func stop() { flag.set() }
    func deliver(_ entries: [LedgerEntry]) { if !flag.isSet, !entries.isEmpty { handler(.entries(entries)) } }
    func end(_ end: Int64) { if !flag.isSet { handler(.caughtUp(end: end)) } }
  }
}

/// A dry run's quarantine: events are counted by reason in the metrics, and kept nowhere.
final class MemoryQuarantine: QuarantinePort {
  func appender(for partition: Int32) -> PartitionQuarantine? { nil }
  func acknowledgedThrough(partition: Int32) -> Int64 { .max }
  func failure(partition: Int32) -> KafkaError? { nil }
  func forget(partition: Int32) {}
}
