internal import Billing
internal import Kafka
internal import Metering

/// The consumer group as a worker needs it: advisory offsets. A dry run has none.
protocol GroupOffsets: Sendable {
  /// What is committed for a partition; nil where nothing is.
  func committed(partition: Int32) throws(KafkaError) -> CommittedOffset?
  /// Commits later, best effort; only the newest of several counts.
  func commit(_ offset: CommittedOffset)
}

/// The ledger as a worker needs it: the topic, or a dry run's memory.
protocol LedgerPort: AnyObject, Sendable {
  func append(
    partition: Int32, records: [[UInt8]], completion: @escaping @Sendable (LedgerAppendOutcome) -> Void)
  func readTail(
    partition: Int32, from: Int64, deliver: @escaping @Sendable (LedgerTailEvent) -> Void
  ) throws(KafkaError) -> any LedgerReading
  func ends(partition: Int32) throws(KafkaError) -> Watermarks
}

/// A reading of the ledger that can be ended.
protocol LedgerReading: AnyObject, Sendable {
  func stop()
}

/// The quarantine as a worker needs it.
protocol QuarantinePort: AnyObject, Sendable {
  /// Where the bad events of one partition go; nil where they are kept nowhere.
  func appender(for partition: Int32) -> PartitionQuarantine?
  func acknowledgedThrough(partition: Int32) -> Int64
  func failure(partition: Int32) -> KafkaError?
  func forget(partition: Int32)
}

extension LedgerTail: LedgerReading {}
extension QuarantineLog: QuarantinePort {
  func appender(for partition: Int32) -> PartitionQuarantine? { self.partition(partition) }
}
extension LedgerLog: LedgerPort {
  func readTail(
    partition: Int32, from: Int64, deliver: @escaping @Sendable (LedgerTailEvent) -> Void
  ) throws(KafkaError) -> any LedgerReading {
    try read(partition: partition, from: from, deliver: deliver)
  }
  func ends(partition: Int32) throws(KafkaError) -> Watermarks { try watermarks(partition: partition) }
}

/// Everything that all partition workers of a process share.
struct PartitionEnvironment: Sendable {
  var kafka: KafkaSettings
  var clusterID: String
  var partitionCount: Int32
  /// Host and storage path, for people who read the ledger.
  var instance: String
  var storagePath: String
  /// The configuration file, as remedies name it.
  var configurationPath: String
  var rules: BillingRules
  var settings: PartitionSettings
  var mapCustomer: PartitionMachine.CustomerMap
  var usage: UsageTopic
  /// Each partition is read by one of them: a handle's thread for a broker is its bottleneck.
  var readers: [ReaderHandle]
  /// For rebuilds, and for looking at single records.
  var replayReader: ReaderHandle
  var gaps: GapReader
  var ledger: any LedgerPort
  /// A second way into the ledger, for what is read again beside the tail.
  var recallLedger: any LedgerPort
  var quarantine: any QuarantinePort
  var offsets: any GroupOffsets
  var log: Log
  var metrics: MeterdMetrics
  /// Tells a sink something, in order for each partition.
  var notifySink: @Sendable (_ sink: String, _ partition: Int32, _ notice: SinkNotice) -> Void

  func reader(for partition: Int32) -> ReaderHandle { readers[Int(partition) % readers.count] }
}
