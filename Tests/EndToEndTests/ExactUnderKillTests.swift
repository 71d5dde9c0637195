import Foundation
import Glibc
import ProviderFakes
import TestSupport
import Testing

extension WholeBinary {
  /// Kill -9, lost and old storage, a stop longer than the session, faults, an outage, a changed configuration: totals
  /// stay exact at both sinks.
  @Suite("Exact under kill -9") struct ExactUnderKillTests {
    @Test("two sinks, faults on") func exact() throws {
      note("seed \(Surroundings.seed), \(Surroundings.kills) kills")
      let rig = try DaemonRig("kill")
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      let instance = try Instance(rig, "one")
      var chaos = Chaos(rig, instance, publisher, seed: Surroundings.seed)
      try rig.run([instance], publisher) {
        try chaos.run(kills: Surroundings.kills)
      }
    }
  }
}

/// The plan of one run: every round ends the daemon in some way, and starts it again.
private struct Chaos {
  private enum Round: CaseIterable { case plain, wipe, oldCopy, claim, sending, done }

  let rig: DaemonRig
  let instance: Instance
  let publisher: UsagePublisher
  private var random: SeededRandom
  private var backup: String { "\(rig.folder)/backup" }

  init(_ rig: DaemonRig, _ instance: Instance, _ publisher: UsagePublisher, seed: UInt64) {
    self.rig = rig
    self.instance = instance
    self.publisher = publisher
    random = SeededRandom(seed: seed ^ 0x6B69_6C6C)
  }

  mutating func run(kills: Int) throws {
    // Three days ago, then now: the log's clock jumps, and the dedup window with it.
    publisher.setAge(days: 3)
    try publisher.publish(2_000)
    publisher.setAge(days: 0)
    try setFaults()
    publisher.start()
    try instance.start()
    try instance.waitUntilReady()
    note("ready")
    // The first one leaves a copy of the storage, for a later one to put back.
    var rounds = Round.allCases.filter { $0 != .plain }.shuffled(using: &random) + [.plain]
    for kill in 1...max(1, kills) {
      // Each way comes up before one comes twice.
      if rounds.isEmpty { rounds = Round.allCases.shuffled(using: &random) }
      let round = rounds.removeLast()
      if kill == kills / 3 { rig.webhook.faults.setOutage(.dropped) }
      if kill == kills * 2 / 3 { rig.webhook.faults.setOutage(nil) }
      try die(round)
      note("kill \(kill): \(round), \(publisher.published) published")
      if kill == (kills + 1) / 2 { try stopLongerThanTheSession() }
    }
    rig.webhook.faults.setOutage(nil)
    try instance.waitUntilReady()
    try changeConfiguration()
    instance.kill()
    try instance.start()
    try publisher.stop()
    try publisher.publishRoundingEvents()
    note("published \(publisher.published), \(publisher.duplicates) duplicates, \(publisher.aborted) aborted")
    try rig.waitUntilExact(publisher.expected, seconds: 90, [instance])
    note("exact")
    try rig.waitUntilConserved(instance)
    try instance.stopGracefully()
    // Nothing is sent twice on the way out either.
    #expect(rig.differences(publisher.expected) == [])
    #expect(rig.violations() == [])
    #expect(rig.stripe.effects.keyCount > 0 && rig.webhook.effects.keyCount > 0)
    #expect(publisher.duplicates > 0 && publisher.aborted > 0)
  }

  /// Small chances of everything that a provider can do to a request.
  private func setFaults() throws {
    let seed = Surroundings.seed
    rig.stripe.faults.setSpec(
      try FaultSpec(
        parsing: "429:0.01@1s,500_before:0.01,500_after:0.01,reset_before:0.01,reset_after:0.01,seed:\(seed)"))
    rig.webhook.faults.setSpec(
      try FaultSpec(
        parsing: "429:0.03@1s,500_before:0.03,500_after:0.03,reset_before:0.03,reset_after:0.03,seed:\(seed)"))
  }

  /// Lets the daemon die in one way, and starts it again.
  private mutating func die(_ round: Round) throws {
    switch round {
    case .claim, .sending, .done:
      let number = Int.random(in: 1...4, using: &random)
      instance.kill()
      try instance.start(killAt: "\(round):\(number)")
      guard let process = instance.process else { return }
      // It dies by itself; during an outage that moment may not come, then it is killed at whatever it does.
      let died = poll(seconds: 12) { process.ended != nil }
      if let end = process.ended, end != .killed(SIGKILL) {
        throw EndToEndFailure(description: "it ended with \(end), not by its kill point\n\(process.tail())")
      }
      if !died { note("the moment \(round):\(number) did not come") }
    default:
      let wait = Double.random(in: 0.5...6, using: &random)
      _ = try poll(seconds: wait) {
        try instance.requireAlive("it worked")
        return false
      }
    }
    instance.kill()
    let files = FileManager.default
    switch round {
    case .wipe where files.fileExists(atPath: instance.storage): try files.removeItem(atPath: instance.storage)
    case .oldCopy where files.fileExists(atPath: backup):
      try files.removeItem(atPath: instance.storage)
      try files.copyItem(atPath: backup, toPath: instance.storage)
    default: break
    }
    if files.fileExists(atPath: instance.storage), !files.fileExists(atPath: backup) || random.chance(0.2) {
      try? files.removeItem(atPath: backup)
      try files.copyItem(atPath: instance.storage, toPath: backup)
    }
    try instance.start()
  }

  /// The group gives its partitions away while it sleeps; then it wakes up, and must not decide anything.
  private func stopLongerThanTheSession() throws {
    try instance.waitUntilReady()
    note("SIGSTOP for 12 s")
    instance.process?.send(SIGSTOP)
    Thread.sleep(forTimeInterval: 12)
    instance.process?.send(SIGCONT)
    try instance.waitUntilReady()
  }

  /// `exports` are counted from here on, and rows are cut finer. Since a record is judged by the configuration of its
  /// cut, all that was published before is settled first: then the generator knows what each event is worth.
  private func changeConfiguration() throws {
    publisher.pause()
    try waitUntilWebhookIsExact()
    instance.kill()
    rig.version += 1
    rig.featureLines[1] = "exports: { aggregate: count }"
    rig.flushLines[1] = "time_slot: 1m"
    publisher.countExports()
    try instance.start()
    publisher.resume()
    note("configuration 2")
    try instance.waitUntilReady()
    let before = publisher.published
    _ = poll(seconds: 10) { publisher.published > before + 600 }
  }

  private func waitUntilWebhookIsExact() throws {
    let exact = try poll(seconds: 60) {
      try instance.requireAlive("its totals were waited for")
      return publisher.expected.differences(rig.webhook) { $0 }.isEmpty
    }
    guard exact else {
      let wrong = publisher.expected.differences(rig.webhook) { $0 }
      throw EndToEndFailure(
        description: "\(wrong.count) totals of the webhook differ after 60 s:\n"
          + "\(wrong.prefix(12).joined(separator: "\n"))\n\(instance.explanation())")
    }
  }
}
