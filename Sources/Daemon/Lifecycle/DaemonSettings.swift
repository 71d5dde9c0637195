public import Billing
internal import Glibc
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
    let place = absolutePath(storagePath)
    instance = "\(host):\(place)"
    memberPrefix = Self.memberName("\(host)-\(place)")
    self.version = version
    self.isDryRun = isDryRun
  }

  /// A name that survives a wipe of the storage. Kafka allows 249 letters, digits, `.`, `_` and `-`; the hash tells apart
  /// what looks alike without the rest.
  static func memberName(_ text: String) -> String {
    let readable = text.unicodeScalars.suffix(200).map { scalar -> Character in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": return Character(scalar)
      default: return "_"
      }
    }
    // FNV-1a.
    let hash = text.utf8.reduce(UInt32(0x811C_9DC5)) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    return "\(String(readable))-\(String(hash, radix: 16))"
  }
}

/// A path from the root, without `.` and `..`, so that a folder has one name, whether it is there or not.
func absolutePath(_ path: String) -> String {
  var full = path
  if !path.hasPrefix("/"), let folder = getcwd(nil, 0) {
    full = "\(String(cString: folder))/\(path)"
    free(folder)
  }
  var parts: [Substring] = []
  for part in full.split(separator: "/") where part != "." {
    if part == ".." { _ = parts.popLast() } else { parts.append(part) }
  }
  return "/" + parts.joined(separator: "/")
}
