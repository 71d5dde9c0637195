internal import Billing
internal import Daemon
internal import Kafka
internal import Metering
internal import ProviderFakes

/// `meterd demo`: broker, provider, load and daemon in one process, and a proof at the end.
enum DemoCommand {
  private static let topic = "usage"
  private static let group = "meterd"
  /// The embedded broker keeps 5 MiB a partition: the loader stays so far ahead of the counting at most.
  private static let aheadBytes: Int64 = 2 << 20
  /// Publishing ends when a ledger partition has so many bytes.
  private static let ledgerBytes: Int64 = 5 << 19
  /// The proof waits so long for a billed total that still changes.
  private static let patienceMilliseconds: Int64 = 60_000

  static func run(_ command: ParsedCommand) throws {
    let signals = StopSignals()
    let storage = try TemporaryFolder()
    defer { storage.remove() }
    let broker = try EmbeddedBroker(topic: topic, group: group)
    defer { broker.close() }
    let stripe = try StripeFake()
    try stripe.start(listen: "127.0.0.1:0")
    defer { stripe.stop() }
    let log = Log(level: command.flag("--keep") ? .info : .error)
    Terminal.note("an embedded Kafka broker on \(broker.bootstrapServers), a fake Stripe on \(stripe.baseURL)")
    let running = try start(broker, stripe, storage: storage.path, log: log)
    Terminal.note("meterd runs; its status page is http://\(running.address)/")
    let totals = try load(command, broker, running.daemon.daemon, signals)
    awaitBilled(totals, stripe, signals)
    let proof = Proof(expected: totals, billed: stripe.totals(), daemon: running.daemon.daemon.status())
    Terminal.out(proof.text)
    if command.flag("--keep"), !signals.isStopAsked {
      Terminal.note("it stays up, to be looked at: http://\(running.address)/ – stop with Ctrl-C")
      _ = signals.wait()
    }
    running.daemon.stop(signal: "end of the demo", graceMilliseconds: 5_000)
    guard proof.holds, stripe.effects.violations.isEmpty else {
      throw CommandFailure(.data, proof.holds ? "the provider's rules were broken" : "there is a difference")
    }
  }

  // MARK: Steps

  private static func start(
    _ broker: EmbeddedBroker, _ stripe: StripeFake, storage: String, log: Log
  ) throws -> (daemon: RunningDaemon, address: String) {
    let sink = try ProviderRegistry.make(
      SinkConfiguration(
        name: "stripe-demo", provider: "stripe", url: stripe.baseURL, secret: Billing.Secret("sk_live_of_the_demo")),
      log: { Terminal.rawBytes($0) })
    var partition = PartitionSettings()
    partition.intervalMilliseconds = 1_000
    let settings = DaemonSettings(
      kafka: KafkaSettings(
        bootstrapServers: broker.bootstrapServers, topic: topic, group: group, isEmbedded: true),
      storagePath: storage,
      rules: BillingRules(version: 1, counting: CountingRules(), sinks: [sink.rules]), partition: partition,
      sinks: [sink], mapCustomer: { $1 }, host: hostName(), version: Version.meterd)
    // The usual port, so that the demo is where the documentation says; another one where that is taken.
    for address in ["127.0.0.1:9464", "127.0.0.1:0"] {
      do {
        let running = try RunningDaemon(settings, listen: address, log: log) { error in
          Terminal.note("the daemon cannot go on: \(error)")
        }
        return (running, running.address)
      } catch let error as CommandFailure where address != "127.0.0.1:0" && error.exitCode == .configuration {
        continue
      }
    }
    throw CommandFailure(.unavailable, "no port on 127.0.0.1 is free")
  }

  private static func load(
    _ command: ParsedCommand, _ broker: EmbeddedBroker, _ daemon: MeteringDaemon, _ signals: StopSignals
  ) throws -> ExpectedTotals {
    let events = command.integer("--events")
    let rate = command.optionalInteger("--rate")
    let plan = LoadPlan(
      events: events, duplicatesPer10000: 200, customers: 100, features: 3, seed: 1,
      startMilliseconds: Clock.unixMilliseconds() - 1_000, spacingNanoseconds: 1_000)
    let loader = Loader(
      target: .init(
        topic: topic, properties: ["bootstrap.servers": broker.bootstrapServers], recordsPerSecond: rate))
    var line = ProgressLine()
    defer { line.end() }
    let totals = try loader.run(
      plan,
      progress: { progress in
        line.show(isLast: progress.written >= events) {
          "published \(Terminal.grouped(progress.written)) of \(Terminal.grouped(events)) events · counted "
            + Terminal.grouped(counted(daemon))
        }
      },
      mayGoOn: { written in
        let records = max(1, counted(daemon))
        // Values are some 200 bytes; what is not counted yet may still have to be kept by the broker.
        return written - records * 200 < aheadBytes
      }, isCancelled: { signals.isStopAsked || daemon.greatestLedgerBytes > ledgerBytes })
    line.end()
    if totals.events < events, !signals.isStopAsked {
      Terminal.note(
        "published \(Terminal.grouped(totals.events)) events: the embedded broker has no room for a longer ledger")
    }
    return totals
  }

  private static func counted(_ daemon: MeteringDaemon) -> Int64 {
    daemon.status().partitions.reduce(0) { $0 + $1.position }
  }

  /// Waits until what is billed is what was published, or no longer changes.
  private static func awaitBilled(_ totals: ExpectedTotals, _ stripe: StripeFake, _ signals: StopSignals) {
    let wanted = totals.totals.reduce(Int128(0)) { $0 + $1.whole } * 1_000_000_000
    var last = Int128(-1)
    var lastChange = Clock.elapsedMilliseconds()
    var line = ProgressLine()
    defer { line.end() }
    while !signals.isStopAsked {
      let billed = stripe.totals().reduce(Int128(0)) { $0 + $1.value.units }
      let now = Clock.elapsedMilliseconds()
      if billed != last {
        (last, lastChange) = (billed, now)
        line.show(isLast: billed == wanted) { "billed \(billed / 1_000_000_000) of \(wanted / 1_000_000_000)" }
      }
      if billed == wanted || now - lastChange > patienceMilliseconds { break }
      Clock.sleep(milliseconds: 100)
    }
  }
}

/// What was published against what was billed, total by total.
private struct Proof {
  private let expected: ExpectedTotals
  private let billed: Int128
  private let differences: [String]
  private let counted: (duplicates: Int64, conservation: Bool)

  init(expected: ExpectedTotals, billed totals: [FakeTotal], daemon: DaemonStatus) {
    self.expected = expected
    var found: [String: Int128] = [:]
    for total in totals { found["\(total.customer) \(total.meter)", default: 0] += total.value.units }
    billed = found.values.reduce(0, +)
    var differences: [String] = []
    for total in expected.totals {
      let name = "\(total.customer) \(total.feature)"
      let units = found.removeValue(forKey: name) ?? 0
      if units != total.whole * 1_000_000_000 {
        differences.append("\(name): published \(total.whole), billed \(Quantity(units: units))")
      }
    }
    for (name, units) in found { differences.append("\(name): published nothing, billed \(Quantity(units: units))") }
    self.differences = differences.sorted()
    counted = (expected.duplicates, daemon.conservation.holds)
  }

  var holds: Bool { differences.isEmpty && counted.conservation }

  var text: String {
    let published = expected.totals.reduce(Int128(0)) { $0 + $1.whole }
    var lines = [
      "published    \(Terminal.grouped(expected.events)) events, \(Terminal.grouped(expected.unique)) of them unique",
      "duplicates   \(Terminal.grouped(expected.duplicates))",
      "usage        \(published) in \(expected.totals.count) totals of customer and feature",
      "billed       \(Quantity(units: billed)) at the fake Stripe",
      "difference   \(Quantity(units: billed - published * 1_000_000_000)), in \(differences.count) totals",
      "conservation \(counted.conservation ? "0" : "broken")",
    ]
    lines += differences.prefix(10).map { "  \($0)" }
    lines.append(holds ? "exact: every total that was billed is the one that was published" : "NOT exact")
    return lines.joined(separator: "\n")
  }
}
