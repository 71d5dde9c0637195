/// Which librdkafka properties the configuration may set: all but those on which exactness or a key of ours depends.
enum KafkaPropertyRules {
  /// The properties that meterd sets itself, and why.
  static let owned: [(name: String, reason: String)] = [
    ("bootstrap.servers", "kafka.bootstrap_servers sets it"),
    ("metadata.broker.list", "kafka.bootstrap_servers sets it"),
    ("group.id", "kafka.group sets it"),
    ("group.instance.id", "meterd derives it from host, storage path and handle, so that it survives a restart"),
    ("group.protocol", "the owner rule relies on the classic protocol"),
    ("isolation.level", "meterd reads committed records only; others could be taken back after they were billed"),
    ("enable.auto.commit", "offsets are committed only up to the head of the ledger"),
    ("auto.commit.enable", "offsets are committed only up to the head of the ledger"),
    ("auto.commit.interval.ms", "offsets are committed only up to the head of the ledger"),
    ("enable.auto.offset.store", "offsets are committed only up to the head of the ledger"),
    ("offset.store.method", "offsets are committed only up to the head of the ledger"),
    (
      "auto.offset.reset",
      "kafka.start says where a new partition starts; a reset anywhere else would lose or repeat usage"
    ),
    ("partition.assignment.strategy", "a partition moves as a whole, by the eager protocol"),
    ("enable.partition.eof", "recovery relies on knowing the end of a partition"),
    ("session.timeout.ms", "take-over within the promised time depends on it"),
    ("heartbeat.interval.ms", "take-over within the promised time depends on it"),
    ("max.poll.interval.ms", "a stalled reader must give up its partitions in time"),
    ("check.crcs", "meterd sets it"),
    ("allow.auto.create.topics", "topics are created by meterd with their settings, or not at all"),
    ("acks", "the ledger needs the acknowledgement of all in-sync replicas"),
    ("request.required.acks", "the ledger needs the acknowledgement of all in-sync replicas"),
    ("enable.idempotence", "a ledger record must be appended once, in order"),
    ("enable.gapless.guarantee", "a ledger record must be appended once, in order"),
    ("max.in.flight", "a ledger record must be appended once, in order"),
    ("max.in.flight.requests.per.connection", "a ledger record must be appended once, in order"),
    ("retries", "a ledger record must be appended once, in order"),
    ("message.send.max.retries", "a ledger record must be appended once, in order"),
    ("message.timeout.ms", "how long an append may take is part of the ownership"),
    ("delivery.timeout.ms", "how long an append may take is part of the ownership"),
    ("partitioner", "ledger records name their partition"),
    ("transactional.id", "the ledger's owner rule takes the place of transactions"),
    ("queuing.strategy", "meterd sets it"),
    ("message.max.bytes", "meterd sets it for each topic"),
    ("statistics.interval.ms", "meterd's metrics rely on it"),
    ("test.mock.num.brokers", "kafka.bootstrap_servers: embedded starts the mock cluster"),
    ("debug", "it writes records' contents to the log"),
    ("plugin.library.paths", "it would load code into the daemon"),
  ]

  /// The one credential that has lines.
  static let keyOfManyLines = "ssl.key.pem"
  /// The properties whose values are credentials.
  static let credentials: Set<String> = [
    "sasl.password", "ssl.key.password", keyOfManyLines, "ssl.keystore.password", "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
  ]

  /// Why meterd keeps that property to itself, or `nil` where the configuration may set it.
  static func refusal(of name: String) -> String? {
    if let found = owned.first(where: { $0.name == name }) { return found.reason }
    // librdkafka also takes topic properties with this prefix.
    if name.hasPrefix("topic."), let found = owned.first(where: { "topic." + $0.name == name }) { return found.reason }
    return nil
  }
}
