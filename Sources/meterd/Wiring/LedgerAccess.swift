internal import Daemon
internal import Kafka
internal import Operations

/// The ledger of a configuration, for the commands of a person: read, and appended to, without being a member.
struct LedgerAccess {
  let settings: KafkaSettings
  let log: LedgerLog
  let partitions: Int32

  /// Opens it.
  ///
  /// - Throws: 78 where there is no ledger topic yet or it is the embedded broker's, 69 where no broker answers.
  init(_ command: ParsedCommand) throws {
    let file = try loadConfiguration(command, needsSinks: false)
    if file.configuration.kafka.isEmbedded {
      throw CommandFailure(
        .configuration,
        "kafka.bootstrap_servers: the embedded broker's ledger ends with its process; there is nothing to read")
    }
    settings = KafkaSettings(file.configuration.kafka)
    let usage = try UsageTopic(settings: settings)
    defer { usage.close() }
    guard let count = try usage.partitionCount(of: settings.ledgerTopic) else {
      throw CommandFailure(
        .configuration,
        "kafka.group: there is no topic \(settings.ledgerTopic) at \(settings.bootstrapServers); "
          + "`meterd run` makes it at its first start")
    }
    partitions = count
    log = try LedgerLog(topic: settings.ledgerTopic, properties: settings.clientProperties)
  }
}
