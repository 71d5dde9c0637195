internal import Daemon
internal import Kafka

/// `meterd load`: publishes generated usage and says what an exact count must arrive at.
enum LoadCommand {
  static func run(_ command: ParsedCommand) throws {
    let events = command.integer("--events")
    let rate = command.optionalInteger("--rate")
    let spacing = rate.map { max(1, 1_000_000_000 / $0) } ?? 1_000
    let now = Clock.unixMilliseconds()
    let plan = LoadPlan(
      events: events, duplicatesPer10000: Int((command.fraction("--duplicates") * 10_000).rounded()),
      customers: Int(command.integer("--customers")), features: Int(command.integer("--features")),
      seed: UInt64(bitPattern: command.integer("--seed")),
      // The last event's time is at most the present: nothing of the run is too far ahead.
      startMilliseconds: rate == nil ? now - events * spacing / 1_000_000 : now, spacingNanoseconds: spacing)
    let topic = command.text("--topic")
    try checkTopic(topic, command.text("--bootstrap-servers"))
    let loader = Loader(
      target: .init(
        topic: topic, properties: ["bootstrap.servers": command.text("--bootstrap-servers")], recordsPerSecond: rate),
      observer: ClientObserver(error: { Terminal.note("kafka: \($0)") }))
    let signals = StopSignals()
    var last = Loader.Progress(written: 0, acknowledged: 0, elapsedMilliseconds: 0)
    var shown = last
    var line = ProgressLine()
    defer { line.end() }
    let totals: ExpectedTotals
    do {
      totals = try loader.run(
        plan,
        progress: { progress in
          line.show(isLast: progress.acknowledged >= events) {
            defer { shown = progress }
            return text(progress, since: shown, of: events)
          }
          last = progress
        }, isCancelled: { signals.isStopAsked })
    } catch let error as UsageGenerator.InvalidPlan {
      throw CommandFailure(.usage, error.description)
    }
    line.end()
    let seconds = Double(max(1, last.elapsedMilliseconds)) / 1_000
    Terminal.out(
      "published \(Terminal.grouped(totals.events)) events in \(tenths(seconds)) s"
        + " (\(Terminal.grouped(Int64(Double(totals.events) / seconds)))/s): \(Terminal.grouped(totals.unique)) unique, "
        + "\(Terminal.grouped(totals.duplicates)) duplicates, \(Terminal.grouped(Int64(totals.totals.count))) totals, "
        + "sum \(totals.totals.reduce(Int128(0)) { $0 + $1.whole })")
    if let path = command.optionalText("--expect"), let why = Terminal.writeFile(path, totals.json) {
      throw CommandFailure(.unavailable, "the expected totals cannot be written to \(path): \(why)")
    }
    if signals.isStopAsked { Terminal.note("stopped early; the totals are those of what was published") }
  }

  /// A broker that answers, and a topic that is there, before anything is published.
  private static func checkTopic(_ topic: String, _ servers: String) throws {
    let check = try UsageTopic(
      settings: KafkaSettings(bootstrapServers: servers, topic: topic, startTimeoutMilliseconds: 10_000))
    defer { check.close() }
    do {
      guard try check.partitionCount(of: topic) != nil else {
        throw CommandFailure(.configuration, "--topic: there is no topic \(topic) at \(servers); create it first")
      }
    } catch let error as StartError where error.code == "kafka_unreachable" {
      // There is no configuration here whose keys its remedy could name.
      throw CommandFailure(.unavailable, "--bootstrap-servers: \(error.what). Check the address and the network.")
    }
  }

  private static func text(
    _ progress: Loader.Progress, since last: Loader.Progress, of events: Int64
  ) -> String {
    let span = max(1, progress.elapsedMilliseconds - last.elapsedMilliseconds)
    let rate = (progress.acknowledged - last.acknowledged) * 1_000 / span
    return "\(progress.acknowledged * 100 / max(1, events)) % · \(Terminal.grouped(progress.acknowledged)) of "
      + "\(Terminal.grouped(events)) events acknowledged · \(Terminal.grouped(rate))/s"
  }

  private static func tenths(_ seconds: Double) -> String {
    let value = Int64((seconds * 10).rounded())
    return "\(value / 10).\(value % 10)"
  }
}
