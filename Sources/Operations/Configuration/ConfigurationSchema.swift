/// What one leaf of the configuration may be.
enum ValueType: Sendable {
  /// Text of so many bytes.
  case text(ClosedRange<Int>)
  /// Text that matches a rule of its own: the description says it, the function judges it.
  case rule(String, @Sendable (String) -> Bool)
  case integer(ClosedRange<Int64>)
  /// A word, or an integer.
  case wordOrInteger(String, ClosedRange<Int64>)
  case boolean
  case duration(ClosedRange<Duration>)
  case size(ClosedRange<Int64>)
  case choice([String])
  /// One of the words, or an RFC 3339 instant.
  case instantOr([String])
  /// A credential; its key may also be given with `_file` at its end.
  case secret
  /// A list of different, non-empty names; one name may stand without brackets.
  case names(ClosedRange<Int>)
}

/// What stands under one key.
indirect enum SchemaShape: Sendable {
  /// One value. The default is YAML; `nil` is no default (`null` in the effective configuration).
  case leaf(ValueType, default: String?)
  /// Keys of ours.
  case mapping([SchemaKey])
  /// Keys of the user's own (features), 1–256 bytes each, all with the same shape.
  case named(SchemaShape, placeholder: String)
  /// A list.
  case list(SchemaShape, placeholder: String)
  /// `kafka.properties`.
  case kafkaProperties
  /// A sink's `customers`.
  case customers
}

/// One key: its name, what it holds, and the sentence that the reference prints.
struct SchemaKey: Sendable {
  var name: String
  var shape: SchemaShape
  var isRequired: Bool
  var documentation: String
  /// The providers of sinks that know this key; `nil`: all.
  var providers: [SinkProvider]?

  init(
    _ name: String, _ shape: SchemaShape, required: Bool = false, providers: [SinkProvider]? = nil,
    _ documentation: String
  ) {
    self.name = name
    self.shape = shape
    isRequired = required
    self.documentation = documentation
    self.providers = providers
  }

  static func leaf(
    _ name: String, _ type: ValueType, _ standard: String?, required: Bool = false, providers: [SinkProvider]? = nil,
    _ documentation: String
  ) -> SchemaKey {
    SchemaKey(name, .leaf(type, default: standard), required: required, providers: providers, documentation)
  }
}

/// The table of all keys: parsing, `check`'s effective configuration and the reference are read off it.
enum ConfigurationSchema {
  private static let hour = Duration.seconds(3_600)
  private static let day = Duration.seconds(86_400)

  static let root: [SchemaKey] = [
    .leaf(
      "version", .integer(1...1_000_000_000), "1",
      "Raise it whenever a change alters what is counted or billed; two versions never mix in silence."),
    SchemaKey("kafka", .mapping(kafka), required: true, "Where the events come from."),
    SchemaKey("storage", .mapping(storage), "The local folder, a cache of the log."),
    SchemaKey("events", .mapping(events), "How events are read and judged."),
    SchemaKey("dedup", .mapping(dedup), "How duplicates are recognised."),
    SchemaKey("flush", .mapping(flush), "How usage is gathered into rows."),
    SchemaKey(
      "features", .named(.mapping(feature), placeholder: "FEATURE"),
      "Features with rules of their own; one that is not listed is a sum without dimensions."),
    SchemaKey("ledger", .mapping(ledger), "The topic of everything that was decided."),
    SchemaKey("http", .mapping(http), "Status page, health and metrics."),
    SchemaKey(
      "sinks", .list(.mapping(sink), placeholder: "SINK"),
      "Billing provider accounts; at least one, unless `--dry-run`."),
    SchemaKey("log", .mapping(log), "Log lines, on standard error."),
  ]

  private static let kafka: [SchemaKey] = [
    .leaf(
      "bootstrap_servers", .rule("host:port, several separated by commas, or embedded", ValueRules.isBootstrapServers),
      nil, required: true, "`embedded` starts librdkafka's mock cluster in the process: for trying, never for money."),
    .leaf(
      "topic", .rule(ValueRules.topicDescription, ValueRules.isTopic), nil, required: true, "The usage topic."),
    .leaf(
      "group", .rule("1–200 letters, digits, ., _ and -", ValueRules.isGroup), "meterd",
      "The consumer group; the ledger is the topic `<group>.ledger`, the quarantine `<group>.quarantine`."),
    .leaf(
      "consumers", .wordOrInteger("auto", 1...64), "auto",
      "Consumer handles (group members) in this process; auto: one for every two cores, at most one a partition."),
    .leaf(
      "start", .instantOr(["earliest", "latest"]), "earliest",
      "Where a partition without a ledger starts: earliest, latest, or the instant of a cut-over from an older system."),
    .leaf(
      "start_timeout", .duration(.seconds(1)...hour), "60s", "How long an unreachable broker is waited for."),
    SchemaKey(
      "properties", .kafkaProperties,
      "Any librdkafka property (`security.protocol`, `sasl.*`, `ssl.*`), except those that exactness owns."),
  ]

  private static let storage: [SchemaKey] = [
    .leaf(
      "path", .rule("a path without NUL, 1–4000 bytes", ValueRules.isPath), "/var/lib/meterd",
      "A folder on a local file system; losing it loses no usage.")
  ]

  private static let events: [SchemaKey] = [
    .leaf(
      "max_age", .duration(.seconds(60)...(day * 3_660)), "35d",
      "Events older than this, by the log's clock, are quarantined."),
    .leaf(
      "max_ahead", .duration(.zero...(day * 366)), "1h",
      "Events further in the future than this, by the log's clock, are quarantined."),
    .leaf(
      "missing_key", .choice(["quarantine", "offset"]), "quarantine",
      "What becomes of an event without an idempotency key; offset: it counts, without dedup."),
    .leaf(
      "unknown_feature", .choice(["count", "quarantine"]), "count", "What becomes of a feature that is not listed."),
    .leaf(
      "key_check", .choice(["off", "warn", "strict"]), "warn",
      "Whether the record's key must be the customer: warn counts mismatches, strict quarantines them."),
    SchemaKey(
      "fields",
      .mapping(
        ["key", "source", "customer", "feature", "quantity", "time", "dimensions"].map {
          .leaf(
            $0, .names(1...16), nil, "Names or paths for the \($0), in order of preference, instead of the alias table."
          )
        }), "Replaces the names under which events carry a concept."),
  ]

  private static let dedup: [SchemaKey] = [
    .leaf("window", .duration(hour...(day * 366)), "24h", "How long an idempotency key is remembered."),
    .leaf(
      "max_memory", .size((16 << 20)...(1 << 44)), "1GiB",
      "Of the active tables of all partitions together; beyond it buckets are sealed to disk early."),
    .leaf(
      "allow_partial_rebuild", .boolean, "false", "Go on although the usage topic no longer holds the whole window."),
  ]

  private static let flush: [SchemaKey] = [
    .leaf("interval", .duration(.milliseconds(100)...day), "60s", "How often a sink that keeps up gets its usage."),
    .leaf(
      "time_slot", .duration(.seconds(1)...day), "1h",
      "Event time is cut to this, so that usage lands in its own billing period; it must divide a day."),
    .leaf("max_rows", .integer(1...10_000_000), "200000", "A cut is made early at this many rows."),
  ]

  private static let feature: [SchemaKey] = [
    .leaf("aggregate", .choice(["sum", "count"]), "sum", "sum adds the quantity; count adds 1 for each event."),
    .leaf("dimensions", .names(0...16), "[]", "The dimensions that split its totals."),
    .leaf("allow_negative", .boolean, "false", "Whether a negative quantity is counted rather than quarantined."),
  ]

  private static let ledger: [SchemaKey] = [
    .leaf(
      "keep", .duration((hour * 3)...(day * 3_660)), "40d", "Settled history; at least the dedup window and 2 hours.")
  ]

  private static let http: [SchemaKey] = [
    .leaf(
      "listen", .rule("host:port, such as 127.0.0.1:9464 or [::1]:9464", ValueRules.isListenAddress), "127.0.0.1:9464",
      "The address of the status page, health and metrics; it asks for no credentials.")
  ]

  private static let log: [SchemaKey] = [
    .leaf("level", .choice(["debug", "info", "warning", "error"]), "info", "Lines below it are dropped."),
    .leaf("format", .choice(["text", "json"]), "text", "For people, or one JSON object a line."),
  ]

  private static let sink: [SchemaKey] = [
    .leaf(
      "name", .rule("1–40 of a–z, 0–9, _ and -, a letter or digit first", ValueRules.isSinkName), nil, required: true,
      "Part of every idempotency key: it may never change while usage is unsettled."),
    .leaf(
      "provider", .choice(SinkProvider.allCases.map(\.rawValue)), nil, required: true,
      "This version delivers to \(SinkProvider.implementedNames)."),
    .leaf("secret_key", .secret, nil, required: true, providers: [.stripe], "Stripe's secret or restricted key."),
    .leaf(
      "base_url", .rule("an http or https URL without credentials", ValueRules.isURL), "https://api.stripe.com",
      providers: [.stripe], "Where the provider's API is."),
    .leaf(
      "url", .rule("an http or https URL without credentials", ValueRules.isURL), nil, required: true,
      providers: [.webhook], "Where rows are posted."),
    .leaf("secret", .secret, nil, required: true, providers: [.webhook], "The key of the HMAC-SHA-256 signature."),
    .leaf(
      "idempotency_window", .duration(hour...(day * 3_660)), nil, providers: [.webhook],
      "How long the receiver keeps the rows' keys; without it each row is sent once, and an unknown outcome is a person's."
    ),
    SchemaKey(
      "rate",
      .mapping([
        .leaf(
          "requests_per_second", .integer(1...100_000), nil,
          "Default and most: the contract's (see Sinks); what is above it is lowered to it.")
      ]), "How fast requests are sent."),
    SchemaKey(
      "features",
      .named(
        .mapping([
          .leaf("event_name", .text(1...256), nil, "The feature's name at the provider; default: the same name.")
        ]),
        placeholder: "FEATURE"), "How a feature is named there."),
    .leaf(
      "other_features", .choice(["same_name", "skip"]), "same_name", "What becomes of features that are not listed."),
    SchemaKey(
      "customers", .customers,
      "`identity`, `{map: FILE.csv}` (read again when it changes) or `{template: \"cus_{customer}\"}`."),
    .leaf("account", .text(1...256), nil, "Whose account it is, where the provider cannot tell it."),
    .leaf(
      "from_cut", .instantOr(["present", "earliest"]), "present",
      "Where a new sink starts: the first cut made with it configured, the first one of all, or an instant."),
    .leaf("retired", .boolean, "false", "Takes no new claims; what it still holds can be settled or resolved."),
  ]
}
