import Daemon
import Operations
import Testing

/// Each class of error with its exact words: they are what a person has at three in the morning.
@Suite struct ConfigurationErrorTests {
  @Test func unknownKeysNameTheNearest() {
    #expect(
      problems(minimal("flush:\n  intervall: 60s")) == [
        "meterd.yaml:6: flush.intervall: unknown key; allowed: interval, time_slot, max_rows; did you mean interval?"
      ])
    #expect(
      problems(minimal("dedupe: {}")) == [
        "meterd.yaml:5: dedupe: unknown key; allowed: version, kafka, storage, events, dedup, flush, features, ledger, "
          + "http, sinks, log; did you mean dedup?"
      ])
    #expect(
      problems(minimal("log: { colour: blue }")) == [
        "meterd.yaml:5: log.colour: unknown key; allowed: level, format"
      ])
  }

  @Test func wrongTypes() {
    let duration = "a duration from 100ms to 24h, such as 90s, 24h, 35d or 1h30m"
    #expect(
      problems(minimal("flush: { interval: 60 }")) == [
        "meterd.yaml:5: flush.interval: wrong type; found: \"60\"; allowed: \(duration)"
      ])
    #expect(
      problems(minimal("flush: { interval: [60s] }")) == [
        "meterd.yaml:5: flush.interval: wrong type; found: a list; allowed: \(duration)"
      ])
    #expect(
      problems(minimal("flush: { max_rows: \"1000\" }")) == [
        "meterd.yaml:5: flush.max_rows: wrong type; found: the text \"1000\"; allowed: a whole number from 1 to 10000000"
      ])
    #expect(
      problems(minimal("dedup:\n  max_memory: 1GB")) == [
        "meterd.yaml:6: dedup.max_memory: wrong type; found: \"1GB\"; allowed: a size from 16MiB to 16TiB, such as 64MiB or 1GiB"
      ])
    #expect(
      problems(minimal("dedup: { allow_partial_rebuild: yes }")) == [
        "meterd.yaml:5: dedup.allow_partial_rebuild: wrong type; found: \"yes\"; allowed: true, false"
      ])
    #expect(
      problems(minimal("events: 35d")) == [
        "meterd.yaml:5: events: wrong type; found: \"35d\"; allowed: a mapping of keys"
      ])
  }

  @Test func whatMeterdWritesIsNoUsageTopic() {
    for topic in ["billing.ledger", "billing.quarantine"] {
      let text = """
        kafka:
          bootstrap_servers: b:1
          topic: \(topic)
          group: billing
        sinks: [ { name: a, provider: log } ]
        """
      #expect(
        problems(text) == [
          "meterd.yaml:3: kafka.topic: a topic that this meterd writes to; found: \"\(topic)\"; allowed: another topic, "
            + "or another kafka.group"
        ])
    }
    #expect(
      problems("kafka: { bootstrap_servers: b:1, topic: other.quarantine }\nsinks: [ { name: a, provider: log } ]")
        == [])
  }

  @Test func whatEditorsPutInto() {
    #expect(problems("\u{FEFF}" + minimal()) == [])
    #expect(
      problems(minimal("log:\n\tlevel: info")) == [
        "meterd.yaml:6: not valid YAML: found character that cannot start any token (while scanning for the next token); "
          + "allowed: spaces before a key, not tabs"
      ])
  }

  @Test func valuesOutOfRange() {
    let rate = "    rate: { requests_per_second: "
    let whole = "a whole number from 1 to 100000"
    #expect(
      problems(minimal(rate + "0.5 }")) == [
        "meterd.yaml:5: sinks[0].rate.requests_per_second: wrong type; found: \"0.5\"; allowed: \(whole)"
      ])
    #expect(
      problems(minimal(rate + "0 }")) == [
        "meterd.yaml:5: sinks[0].rate.requests_per_second: out of range; found: \"0\"; allowed: \(whole)"
      ])
    #expect(
      problems(minimal("dedup: { window: 30m }")) == [
        "meterd.yaml:5: dedup.window: out of range; found: \"30m\"; allowed: a duration from 1h to 366d, such as 90s, "
          + "24h, 35d or 1h30m"
      ])
    #expect(
      problems(minimal("dedup: { window: 367d }\nledger: { keep: 400d }")).map { $0.prefix(42) } == [
        "meterd.yaml:5: dedup.window: out of range;"
      ])
    #expect(
      problems(minimal("flush: { max_rows: 0 }")) == [
        "meterd.yaml:5: flush.max_rows: out of range; found: \"0\"; allowed: a whole number from 1 to 10000000"
      ])
  }

  @Test func wordsNameTheNearest() {
    #expect(
      problems(minimal("events: { key_check: strickt }")) == [
        "meterd.yaml:5: events.key_check: not one of the allowed values; found: \"strickt\"; allowed: off, warn, strict; "
          + "did you mean strict?"
      ])
    #expect(
      problems(minimal("features: { storage: { aggregate: max } }")) == [
        "meterd.yaml:5: features.storage.aggregate: not one of the allowed values; found: \"max\"; allowed: sum, count"
      ])
  }

  @Test func missingKeys() {
    #expect(
      problems("kafka: { topic: usage }\nsinks: [ { name: a, provider: log } ]") == [
        "meterd.yaml:1: kafka.bootstrap_servers: missing; allowed: it is required: host:port, several separated by commas, "
          + "or embedded"
      ])
    #expect(
      problems("") == [
        "meterd.yaml:1: kafka.bootstrap_servers: missing; allowed: it is required: host:port, several separated by commas, "
          + "or embedded",
        "meterd.yaml:1: kafka.topic: missing; allowed: it is required: a topic name: 1–249 letters, digits, ., _ and -, "
          + "not . or ..",
        "meterd.yaml:1: sinks: no sink; allowed: at least one, such as - {name: preview, provider: log}; none only with "
          + "--dry-run",
      ])
    #expect(problems("kafka: { bootstrap_servers: embedded, topic: usage }", sinks: false) == [])
    #expect(
      problems(minimal("  - name: live\n    provider: stripe")) == [
        "meterd.yaml:5: sinks[1].secret_key: missing; allowed: it is required: a credential, best as ${NAME} or through "
          + "the key with _file at its end"
      ])
  }

  @Test func providersOfLaterVersions() {
    #expect(
      problems(minimal("  - { name: next, provider: metronome, secret: x }")) == [
        "meterd.yaml:5: sinks[1].provider: not in this version; found: \"metronome\"; allowed: one of stripe, webhook, log"
      ])
    #expect(problems(minimal("  - { name: next, provider: strip }"))[0].hasSuffix("did you mean stripe?"))
    #expect(
      problems(minimal("  - { name: next }")) == [
        "meterd.yaml:5: sinks[1].provider: missing; allowed: it is required: one of stripe, webhook, log"
      ])
  }

  @Test func keysOfAnotherProvider() {
    #expect(
      problems(minimal("  - { name: next, provider: log, secret_key_file: /run/key }")) == [
        "meterd.yaml:5: sinks[1].secret_key_file: not a key of provider log (it belongs to stripe); allowed: name, "
          + "provider, rate, features, other_features, customers, account, from_cut, retired"
      ])
  }

  @Test(arguments: ["Stripe", "-a", "a b", "", "a23456789b123456789c123456789d123456789e1"])
  func sinkNames(_ name: String) {
    #expect(
      problems(minimal("  - { name: \"\(name)\", provider: log }")) == [
        "meterd.yaml:5: sinks[1].name: not one of the allowed values; found: \"\(name)\"; allowed: 1–40 of a–z, 0–9, _ and -, "
          + "a letter or digit first"
      ])
  }

  @Test func rulesAcrossKeys() {
    #expect(
      problems(minimal("  - name: preview\n    provider: log")) == [
        "meterd.yaml:5: sinks[1].name: the name stands twice; the first is on line 3; found: \"preview\"; allowed: a "
          + "different name for each sink"
      ])
    #expect(
      problems(minimal("dedup:\n  window: 366d")) == [
        "meterd.yaml:6: ledger.keep: out of range for dedup.window: 366d; found: \"40d\" (the default); allowed: at least "
          + "the dedup window and 2 hours: 8786h"
      ])
    #expect(
      problems(minimal("ledger: { keep: 25h }")) == [
        "meterd.yaml:5: ledger.keep: out of range for dedup.window: 24h; found: \"25h\"; allowed: at least the dedup window "
          + "and 2 hours: 26h"
      ])
    #expect(
      problems(minimal("flush: { time_slot: 7h }")) == [
        "meterd.yaml:5: flush.time_slot: does not divide a day; found: \"7h\"; allowed: a duration that divides 24h, such "
          + "as 15m, 1h or 24h"
      ])
  }

  @Test(arguments: [
    "isolation.level", "enable.auto.commit", "group.instance.id", "acks", "enable.idempotence", "auto.offset.reset",
    "partition.assignment.strategy", "enable.partition.eof", "max.in.flight", "group.id", "bootstrap.servers",
    "transactional.id", "topic.acks", "session.timeout.ms", "topic.auto.offset.reset",
  ])
  func propertiesThatExactnessOwns(_ name: String) {
    let found = problems(
      """
      kafka:
        bootstrap_servers: b:1
        topic: usage
        properties:
          \(name): x
      sinks: [ { name: a, provider: log } ]
      """)
    #expect(found.count == 1)
    #expect(
      found.first?.hasPrefix("meterd.yaml:5: kafka.properties.\(name): meterd keeps this property to itself: ") == true)
    #expect(found.first?.hasSuffix("; allowed: any other librdkafka property") == true)
  }

  @Test func customers() {
    let allowed = "identity, {map: FILE.csv} or {template: \"cus_{customer}\"}"
    func sink(_ customers: String) -> [String] {
      problems(minimal("  - { name: b, provider: log, customers: \(customers) }"))
    }
    #expect(
      sink("same") == [
        "meterd.yaml:5: sinks[1].customers: not one of the allowed values; found: \"same\"; allowed: \(allowed)"
      ])
    #expect(
      sink("{ mapp: x }") == [
        "meterd.yaml:5: sinks[1].customers.mapp: unknown key; allowed: \(allowed); did you mean map?"
      ])
    #expect(
      sink("{ template: cus }") == [
        "meterd.yaml:5: sinks[1].customers.template: not one of the allowed values; found: \"cus\"; allowed: text with "
          + "{customer} in it once, such as cus_{customer}"
      ])
    #expect(sink("{ map: a, template: \"{customer}\" }").count == 1)
  }

  @Test func names() {
    #expect(
      problems(minimal("features: { tokens: { dimensions: [model, model] } }")) == [
        "meterd.yaml:5: features.tokens.dimensions: a name that stands twice; found: \"model\"; allowed: a list of 0–16 "
          + "different names of 1–256 bytes, such as [model, region]"
      ])
    #expect(problems(minimal("events: { fields: { key: [] } }"))[0].contains("out of range; found: 0 names"))
  }

  @Test func addresses() {
    for bad in ["9464", "localhost", "127.0.0.1:99999", ":9464", "a b:1"] {
      #expect(problems(minimal("http: { listen: \"\(bad)\" }")).count == 1, "\(bad)")
    }
    for bad in ["ftp://x", "https://", "https://user:pass@host/", "https://a b/"] {
      #expect(
        problems(minimal("  - { name: b, provider: webhook, secret: abc, url: \"\(bad)\" }")).count == 1, "\(bad)")
    }
  }

  @Test func brokenYAML() {
    #expect(
      problems("kafka:\n  topic: usage\n topic: x") == [
        "meterd.yaml:3: not valid YAML: did not find expected key (while parsing a block mapping)"
      ])
    #expect(
      problems("kafka: {}\nsinks:\n  - { name: s, secret_key: ${NAME} }\n") == [
        "meterd.yaml:3: not valid YAML: did not find expected ',' or '}' (while parsing a flow mapping); "
          + "allowed: inside { } a variable stands in quotes: \"${NAME}\""
      ])
    #expect(
      problems(minimal("log: {}\nlog: {}")) == [
        "meterd.yaml:6: the key \"log\" stands twice in one mapping; the first is on line 5"
      ])
    #expect(
      problems(minimal("log: &a {}")) == ["meterd.yaml:5: anchors and tags are not supported; allowed: plain values"])
    #expect(
      problems(minimal("log: *a")) == [
        "meterd.yaml:5: aliases are not supported; allowed: the value itself, written out"
      ])
    #expect(
      problems(minimal("---\nlog: {}")) == ["meterd.yaml:5: a second document; allowed: one YAML document in a file"])
    #expect(
      problems(minimal("log: " + String(repeating: "[", count: 40) + String(repeating: "]", count: 40))) == [
        "meterd.yaml:5: nested too deeply; allowed: at most 32 levels"
      ])
    #expect(
      problems("kafka: here\nsinks: [ { name: a, provider: log } ]") == [
        "meterd.yaml:1: kafka: wrong type; found: \"here\"; allowed: a mapping of keys"
      ])
    #expect(
      problems(minimal("  - just text")) == [
        "meterd.yaml:5: sinks[1]: wrong type; found: \"just text\"; allowed: a mapping of keys"
      ])
    #expect(problems("- a") == ["meterd.yaml:1: wrong type; found: a list; allowed: keys and values"])
  }

  @Test func oneRunNamesAllProblemsByLine() {
    let found = problems(
      """
      version: 0
      kafka: { bootstrap_servers: nowhere, topic: "a b" }
      flush: { interval: 0s }
      sinks: [ { name: A, provider: log } ]
      """)
    #expect(
      found.map { $0.prefix { $0 != ";" } } == [
        "meterd.yaml:1: version: out of range", "meterd.yaml:2: kafka.bootstrap_servers: not one of the allowed values",
        "meterd.yaml:2: kafka.topic: not one of the allowed values", "meterd.yaml:3: flush.interval: out of range",
        "meterd.yaml:4: sinks[0].name: not one of the allowed values",
      ])
  }

  @Test func aMissingFileSaysSo() {
    #expect(throws: ConfigurationErrors.self) { try ConfigurationFile.load(path: "/nonexistent/meterd.yaml") }
    do {
      _ = try ConfigurationFile.load(path: "/nonexistent/meterd.yaml")
    } catch {
      #expect(error.description == "/nonexistent/meterd.yaml: the file cannot be read: No such file or directory")
    }
  }

  @Test func nothingThatIsReadTraps() {
    // Every prefix of a good file, and every file with one byte turned over, is read or refused.
    let bytes = Array(wholeExample.utf8)
    for length in 0..<bytes.count where length % 3 == 0 {
      _ = problems(String(decoding: bytes[..<length], as: UTF8.self), environment: ["STRIPE_SECRET_KEY": "x"])
    }
    for index in 0..<bytes.count where index % 2 == 0 {
      var changed = bytes
      changed[index] ^= UInt8(truncatingIfNeeded: 1 + index % 127)
      _ = try? ConfigurationFile.parse(
        changed, file: "f", sources: .init(environment: { _ in "x" }, readFile: { _ in [1] }))
    }
  }
}
