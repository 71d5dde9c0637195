internal import Billing
internal import Daemon
internal import Metering
internal import Operations

/// `meterd check`: what a run would begin with, and what would stop it. Changes nothing.
enum CheckCommand {
  static func run(_ command: ParsedCommand) throws {
    let file = try loadConfiguration(command)
    let configuration = file.configuration
    Terminal.raw(file.effectiveText)
    for warning in file.warnings { Terminal.note("warning: \(warning)") }
    // A warning: who checks may be another user than the one who runs.
    if let obstacle = StorageFolder.obstacle(path: configuration.storage.path) {
      Terminal.note("warning: storage.path: \(obstacle); a run by this user would end with 78")
    }
    let log = Log(level: .warning, redacting: configuration.secrets)
    var settings = try DaemonSettings(configuration, log: log)
    settings.configurationPath = command.text("--config")
    try UsageTopic.validate(settings.kafka)
    if command.flag("--offline") {
      Terminal.note("ok: the configuration is valid (nothing was connected to)")
      return
    }
    if configuration.kafka.isEmbedded {
      try askProviders(settings.sinks, features: configuration.features.map(\.name))
      Terminal.note("ok: the configuration is valid (the embedded broker needs no connection)")
      return
    }
    let usage = try UsageTopic(settings: settings.kafka)
    defer { usage.close() }
    let opened = try usage.open(
      windowMilliseconds: settings.rules.counting.windowMilliseconds,
      allowsPartialRebuild: settings.partition.allowPartialRebuild, changesNothing: true)
    for warning in opened.warnings { Terminal.note("warning: \(warning)") }
    for topic in opened.created { Terminal.note("a run would make topic \(topic)") }
    let stops = try LedgerCheck.stops(settings: settings, opened: opened, usage: usage)
    for stop in stops { Terminal.note("would stop: \(stop)") }
    guard stops.isEmpty else {
      throw CommandFailure(.data, "\(stops.count) of \(opened.usage.partitionCount) partitions would stop")
    }
    try askProviders(settings.sinks, features: configuration.features.map(\.name))
    Terminal.note(
      "ok: cluster \(opened.clusterID), topic \(opened.usage.name) with \(opened.usage.partitionCount) partitions")
  }

  /// What providers say of credentials and meters. A webhook is not asked: every request to it has an effect.
  private static func askProviders(_ sinks: [ConfiguredSink], features: [String]) throws {
    var problems: [ProviderCheck.Problem] = []
    for sink in sinks where !sink.configuration.isRetired {
      guard let check = try ProviderCheck.run(sink, features: features, unixSeconds: Clock.unixMilliseconds() / 1_000)
      else { continue }
      for fact in check.facts { Terminal.note("sink \(sink.configuration.name): \(fact)") }
      problems += check.problems
    }
    for problem in problems.dropFirst() { Terminal.note("\(problem)") }
    guard let first = problems.first else { return }
    let isUnavailable = problems.allSatisfy { $0.kind == .unavailable }
    throw CommandFailure(isUnavailable ? .unavailable : .configuration, "\(first)")
  }
}
