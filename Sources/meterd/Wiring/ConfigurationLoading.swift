internal import Daemon
internal import Kafka
internal import Operations

/// Reads the file of `--config`; what is wrong with it is exit code 78.
func loadConfiguration(_ command: ParsedCommand, needsSinks: Bool = true) throws(CommandFailure) -> ConfigurationFile {
  do throws(ConfigurationErrors) {
    return try ConfigurationFile.load(path: command.text("--config"), requirements: .init(sinks: needsSinks))
  } catch {
    throw CommandFailure(.configuration, error.description)
  }
}

extension KafkaSettings {
  /// The `kafka` section. `bootstrapServers` replaces `embedded` by the address of the broker in this process.
  init(_ configuration: Configuration.Kafka, bootstrapServers: String? = nil) {
    var properties: [String: String] = [:]
    for property in configuration.properties { properties[property.name] = property.reveal() }
    let start: Start =
      switch configuration.start {
      case .earliest: .earliest
      case .latest: .latest
      case .instant(let milliseconds): .instant(milliseconds)
      }
    self.init(
      bootstrapServers: bootstrapServers ?? configuration.bootstrapServers, topic: configuration.topic,
      group: configuration.group, consumers: configuration.consumers, start: start,
      startTimeoutMilliseconds: milliseconds(configuration.startTimeout), properties: properties,
      isEmbedded: configuration.isEmbedded)
  }
}

/// Whole milliseconds of a duration.
func milliseconds(_ duration: Duration) -> Int64 {
  duration.components.seconds * 1_000 + duration.components.attoseconds / 1_000_000_000_000_000
}
