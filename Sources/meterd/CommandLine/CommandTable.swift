/// The commands; the raw value is what is typed.
enum Command: String, Sendable, CaseIterable {
  case run
  case check
  case demo
  case load
  case fake
  case ledgerShow = "ledger show"
  case ledgerResolve = "ledger resolve"
  case parkedList = "parked list"
  case parkedRetry = "parked retry"
}

/// The table of all commands: parsing, help and errors are read off it.
enum CommandTable {
  private static let configuration = OptionSpecification.option(
    "--config", "FILE", .file, required: true, "The configuration file.")
  private static let why = OptionSpecification.option(
    "--why", "TEXT", .text, required: true, "The reason, in your words; it is kept in the ledger.")
  private static let yes = OptionSpecification.flag("--yes", "Do not ask.")
  private static let json = OptionSpecification.flag("--json", "Print JSON, for programs.")

  /// Words that a later version will know; naming one says so.
  static let later: Set<String> = ["trace", "verify", "quarantine", "uncertain"]

  static let commands: [CommandSpecification] = [
    CommandSpecification(
      command: .run, summary: "the daemon",
      details: """
        Counts usage events and reports totals until SIGTERM or SIGINT; then it takes no more events, flushes what the
        limits allow, and exits with 0. A second signal ends it at once, which is safe.
        """,
      options: [
        configuration,
        .flag(
          "--dry-run",
          "Join no group, write nothing to Kafka, use temporary storage; read from kafka.start and print what would be billed."
        ),
        .option(
          "--grace", "DURATION", .duration(.zero...Duration.seconds(3_600)), default: "30s",
          "How long a stop may take to flush."),
      ]),
    CommandSpecification(
      command: .check, summary: "validates the configuration, connects, and changes nothing",
      details: """
        Prints the effective configuration with its credentials masked, and says what would stop a run.
        """,
      options: [configuration, .flag("--offline", "Connect to nothing.")]),
    CommandSpecification(
      command: .demo, summary: "the whole main job in one process, ending with a proof",
      details: """
        Starts an embedded broker and a fake provider, publishes events with duplicates, and compares what was billed with
        what was published. Exits with 65 if there is a difference.
        """,
      options: [
        .option("--events", "N", .integer(1...100_000_000), default: "100000", "How many events to publish."),
        .option("--rate", "N", .integer(1...10_000_000), "Events a second; default: as fast as they are taken."),
        .flag("--keep", "Stay up afterwards, to be looked at."),
      ]),
    CommandSpecification(
      command: .load, summary: "publishes generated usage, and prints the exact expected totals",
      details: """
        The same seed and numbers make the same events. Progress goes to standard error, totals to standard output.
        """,
      options: [
        .option("--bootstrap-servers", "B", .text, required: true, "host:port of the brokers, separated by commas."),
        .option("--topic", "T", .text, required: true, "The usage topic."),
        .option(
          "--events", "N", .integer(1...100_000_000_000), default: "1000000", "How many events, duplicates included."),
        .option("--rate", "N", .integer(1...100_000_000), "Events a second; default: as fast as they are taken."),
        .option("--duplicates", "SHARE", .percentage, default: "2%", "The share of events that repeat an earlier one."),
        .option("--customers", "N", .integer(1...100_000_000), default: "10000", "How many customers."),
        .option("--features", "N", .integer(1...100_000), default: "10", "How many features."),
        .option("--seed", "N", .integer(0...Int64.max), default: "1", "The seed of everything random."),
        .option("--expect", "FILE", .file, "Write the expected totals there, as JSON."),
      ]),
    CommandSpecification(
      command: .fake, summary: "a faithful provider fake, for trying and testing",
      details: """
        SPEC is name:probability[@duration],…,seed:N with the names 429, 500_before, 500_after, reset_before, reset_after,
        slow, garbage and outage; before and after are seen from the effect. Where STRIPE_SECRET_KEY (for webhook:
        WEBHOOK_SECRET) is set, the fake takes that secret and no other.
        """,
      arguments: [
        ArgumentSpecification(
          placeholder: "PROVIDER", type: .choice(["stripe", "webhook"]), help: "stripe or webhook.")
      ],
      options: [
        .option("--listen", "ADDR", .address, required: true, "host:port to listen on; port 0 takes a free one."),
        .option("--faults", "SPEC", .text, "Which faults, how often."),
        .option(
          "--record", "FILE", .file, "Append one JSON line for each request that had an effect or was refused."),
      ]),
    CommandSpecification(
      command: .ledgerShow, summary: "the ledger, decoded",
      details: "Reads the ledger topic from its beginning and prints its records and each partition's state.",
      options: [configuration, json]),
    CommandSpecification(
      command: .ledgerResolve, summary: "a person's way out of a stop",
      details: """
        Names the stop exactly, says what resolving it will mean, asks, and appends the decision to the ledger. It has
        effect only where the partition is still stopped for that reason.
        """,
      arguments: [
        ArgumentSpecification(
          placeholder: "PARTITION", type: .integer(0...Int64(Int32.max)), help: "The stopped partition.")
      ],
      options: [
        .option("--reason", "CODE", .text, required: true, "The stop's reason code, as the status page shows it."), why,
        configuration, yes,
      ]),
    CommandSpecification(
      command: .parkedList, summary: "rows that a provider refused",
      details: "Lists the rows that wait for a person, with the provider's reason code; its words are in the log.",
      options: [configuration, json]),
    CommandSpecification(
      command: .parkedRetry, summary: "sends refused rows again",
      details: "Appends the decision to the ledger; the partition's owner sends the rows again.",
      arguments: [
        ArgumentSpecification(
          placeholder: "ROW", type: .text, isRepeated: true, help: "Rows, as meterd parked list names them.")
      ],
      options: [why, configuration, yes]),
  ]

  static func specification(of command: Command) -> CommandSpecification {
    guard let found = commands.first(where: { $0.command == command }) else {
      preconditionFailure("the table has no \(command.rawValue)")
    }
    return found
  }
}
