public import Billing
public import Metering

/// Everything that a daemon is told: the configuration, resolved and without a file.
public struct DaemonSettings: Sendable {
  /// Where the events come from.
  public var kafka: KafkaSettings
  /// Each partition has a folder below it.
  public var storagePath: String
  /// What is counted and billed: it belongs to the log.
  public var rules: BillingRules
  /// What only changes speed and size; its `memoryLimit` is `dedup.max_memory`, of all partitions together.
  public var partition: PartitionSettings
  public var sinks: [ConfiguredSink]
  public var mapCustomer: PartitionMachine.CustomerMap
  /// For people who read the ledger: host and storage path.
  public var instance: String
  /// What each member's `group.instance.id` begins with; its number is appended.
  public var memberPrefix: String
  public var version: String
  /// The configuration file, as remedies name it.
  public var configurationPath = "FILE"
  /// Joins no group, and writes nothing to Kafka: ledger and quarantine are in memory.
  public var isDryRun: Bool

  public init(
    kafka: KafkaSettings, storagePath: String, rules: BillingRules, partition: PartitionSettings,
    sinks: [ConfiguredSink], mapCustomer: @escaping PartitionMachine.CustomerMap, host: String, version: String,
    isDryRun: Bool = false
  ) {
    self.kafka = kafka
    self.storagePath = storagePath
    self.rules = rules
    self.partition = partition
    self.sinks = sinks
    self.mapCustomer = mapCustomer
    instance = "\(host):\(storagePath)"
    memberPrefix = Self.memberName("\(host)-\(storagePath)")
    self.version = version
    self.isDryRun = isDryRun
  }

  /// Kafka allows letters, digits, `.`, `_` and `-`. The name survives a wipe of the storage.
  private static func memberName(_ text: String) -> String {
    String(
      text.unicodeScalars.map { scalar in
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": Character(scalar)
        default: "_"
        }
      })
  }
}
