import Daemon
import Metering
import Operations
import Testing

@Suite struct DefaultsTests {
  @Test func everyDefaultIsTheOneOfTheContract() throws {
    let configuration = try parse(minimal()).configuration
    #expect(configuration.version == 1)
    #expect(configuration.kafka.bootstrapServers == "127.0.0.1:9092")
    #expect(!configuration.kafka.isEmbedded)
    #expect(configuration.kafka.topic == "usage")
    #expect(configuration.kafka.group == "meterd")
    #expect(configuration.kafka.ledgerTopic == "meterd.ledger")
    #expect(configuration.kafka.quarantineTopic == "meterd.quarantine")
    #expect(configuration.kafka.consumers == nil)
    #expect(configuration.kafka.start == .earliest)
    #expect(configuration.kafka.startTimeout == .seconds(60))
    #expect(configuration.kafka.properties.isEmpty)
    #expect(configuration.storage.path == "/var/lib/meterd")
    #expect(configuration.events.maxAge == .seconds(35 * 86_400))
    #expect(configuration.events.maxAhead == .seconds(3_600))
    #expect(configuration.events.missingKey == .quarantine)
    #expect(configuration.events.unknownFeature == .count)
    #expect(configuration.events.keyCheck == .warn)
    #expect(configuration.events.fields == .init())
    #expect(configuration.dedup.window == .seconds(86_400))
    #expect(configuration.dedup.maxMemoryBytes == 1 << 30)
    #expect(configuration.dedup.allowPartialRebuild == false)
    #expect(configuration.flush.interval == .seconds(60))
    #expect(configuration.flush.timeSlot == .seconds(3_600))
    #expect(configuration.flush.maxRows == 200_000)
    #expect(configuration.features.isEmpty)
    #expect(configuration.ledger.keep == .seconds(40 * 86_400))
    #expect(configuration.http.listen == "127.0.0.1:9464")
    #expect(configuration.log.level == .info)
    #expect(configuration.log.format == .text)
    let sink = try #require(configuration.sinks.first)
    #expect(sink.target == .log)
    #expect(sink.requestsPerSecond == nil)
    #expect(sink.features.isEmpty)
    #expect(sink.otherFeatures == .sameName)
    #expect(sink.customers == .identity)
    #expect(sink.account == nil)
    #expect(sink.fromCut == .present)
    #expect(!sink.isRetired)
  }

  @Test func theDefaultRulesAreTheCoresOwn() throws {
    #expect(try parse(minimal()).configuration.countingRules == CountingRules())
  }

  @Test func stripeHasItsOwnAddress() throws {
    let file = try parse(
      """
      kafka: { bootstrap_servers: embedded, topic: usage }
      sinks: [ { name: live, provider: stripe, secret_key: sk_test_123456 } ]
      """)
    #expect(
      file.configuration.sinks[0].target
        == .stripe(secretKey: Secret("sk_test_123456"), baseURL: "https://api.stripe.com"))
    #expect(file.configuration.kafka.isEmbedded)
    #expect(
      file.warnings == ["meterd.yaml:1: kafka.bootstrap_servers: the embedded broker is for trying, never for money"])
  }

  @Test func theWholeExampleOfTheContractIsRead() throws {
    let configuration = try parse(
      wholeExample, environment: ["STRIPE_SECRET_KEY": "sk_live_x", "WEBHOOK_SECRET": "whsec_y"]
    )
    .configuration
    #expect(configuration.version == 3)
    #expect(configuration.kafka.consumers == 2)
    #expect(configuration.kafka.start == .instant(unixMilliseconds: 1_767_225_600_000))
    #expect(
      configuration.kafka.properties == [
        .init(name: "security.protocol", value: .plain("SASL_SSL")),
        .init(name: "sasl.password", value: .secret(Secret("sk_live_x"))),
      ])
    #expect(configuration.kafka.properties.map { $0.reveal() } == ["SASL_SSL", "sk_live_x"])
    #expect(configuration.events.fields.key == ["event_id", "transaction_id"])
    #expect(configuration.events.fields.quantity == ["data.usage.tokens"])
    #expect(configuration.dedup.maxMemoryBytes == 64 << 20)
    #expect(configuration.features.map(\.name) == ["api_calls", "tokens"])
    #expect(configuration.features[0].aggregate == .count)
    #expect(configuration.features[1].dimensions == ["model", "region"])
    #expect(configuration.features[1].allowNegative)
    let stripe = configuration.sinks[0]
    #expect(stripe.requestsPerSecond == 99)
    #expect(stripe.eventName(of: "api_calls") == "calls")
    #expect(stripe.eventName(of: "tokens") == nil)
    #expect(stripe.customers == .template("cus_{customer}"))
    #expect(stripe.account == "acct_123")
    #expect(stripe.fromCut == .earliest)
    let webhook = configuration.sinks[1]
    #expect(
      webhook.target
        == .webhook(
          url: "https://example.com/usage", secret: Secret("whsec_y"), idempotencyWindow: .seconds(7 * 86_400)))
    #expect(webhook.customers == .map(file: "customers.csv"))
    #expect(webhook.eventName(of: "tokens") == "tokens")
    #expect(webhook.isRetired)
    #expect(configuration.secrets == [Secret("sk_live_x"), Secret("sk_live_x"), Secret("whsec_y")])
    let rules = configuration.countingRules
    #expect(rules.maxAgeMilliseconds == 10 * 86_400_000)
    #expect(rules.missingKey == .offset)
    #expect(rules.unknownFeature == .quarantine)
    #expect(rules.keyCheck == .strict)
    #expect(rules.windowMilliseconds == 26 * 3_600_000)
    #expect(rules.timeSlotMilliseconds == 900_000)
    #expect(rules.fields.key == ["event_id", "transaction_id"])
    #expect(rules.features["api_calls"] == FeatureRule(aggregate: .count))
    #expect(rules.features["tokens"] == FeatureRule(dimensions: ["model", "region"], allowNegative: true))
  }

  @Test func theReferenceNamesEveryKeyAndEveryRefusal() throws {
    let reference = configurationReference()
    for key in [
      "| `version` | `1` |", "| `kafka.bootstrap_servers` | (required) |", "| `events.fields.key` | – |",
      "| `dedup.window` | `24h` |", "| `features.FEATURE.aggregate` | `sum` |", "| `ledger.keep` | `40d` |",
      "| `sinks[].secret_key`, `sinks[].secret_key_file` | (required) |", "| `sinks[].customers` | `identity` |",
      "| `sinks[].rate.requests_per_second` | – |", "`isolation.level`", "`enable.auto.commit`",
    ] { #expect(reference.contains(key), "\(key)") }
    // A table whose rows have as many cells as its head is one that renders.
    for line in reference.split(separator: "\n") where line.hasPrefix("|") {
      #expect(line.split(separator: "\\|").joined().filter { $0 == "|" }.count == 5, "\(line)")
    }
  }
}

let wholeExample = """
  version: 3
  kafka:
    bootstrap_servers: b1:9092,b2:9092
    topic: usage
    group: billing
    consumers: 2
    start: 2026-01-01T00:00:00Z
    start_timeout: 2m
    properties: { security.protocol: SASL_SSL, sasl.password: "${STRIPE_SECRET_KEY}" }
  storage:
    path: /srv/meter d
  events:
    max_age: 10d
    max_ahead: 0s
    missing_key: offset
    unknown_feature: quarantine
    key_check: strict
    fields: { key: [event_id, transaction_id], quantity: data.usage.tokens }
  dedup: { window: 26h, max_memory: 64MiB, allow_partial_rebuild: true }
  flush: { interval: 1m30s, time_slot: 15m, max_rows: 1000 }
  features:
    api_calls: { aggregate: count }
    tokens: { aggregate: sum, dimensions: [model, region], allow_negative: true }
  ledger: { keep: 30h }
  http: { listen: "[::1]:0" }
  sinks:
    - name: stripe-live
      provider: stripe
      secret_key: ${STRIPE_SECRET_KEY}
      base_url: https://api.stripe.com
      rate: { requests_per_second: 99 }
      features: { api_calls: { event_name: calls } }
      other_features: skip
      customers: {template: "cus_{customer}"}
      account: acct_123
      from_cut: earliest
    - name: books
      provider: webhook
      url: https://example.com/usage
      secret: ${WEBHOOK_SECRET}
      idempotency_window: 7d
      customers: {map: customers.csv}
      retired: true
  log: { level: debug, format: json }
  """
