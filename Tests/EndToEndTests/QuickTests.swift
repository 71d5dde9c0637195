import Foundation
import Glibc
import Kafka
import ProviderFakes
import Testing

extension WholeBinary {
  /// How the command ends, and what it says.
  @Suite("Ends") struct EndTests {
    @Test("SIGTERM ends an idle daemon with 0") func graceful() throws {
      let rig = try DaemonRig("term")
      let instance = try Instance(rig, "one")
      try instance.start()
      try rig.run([instance]) {
        try instance.waitUntilReady()
        try instance.stopGracefully()
      }
    }

    @Test("check: a missing topic is 78, and is named") func missingTopic() throws {
      let rig = try DaemonRig("missing", createTopic: false)
      let (end, text) = try check(rig)
      #expect(end == .exited(78), "\(text)")
      #expect(text.contains(rig.topic), "\(text)")
      try rig.close()
    }

    @Test("check: an unreachable broker is 69, after start_timeout") func unreachable() throws {
      let rig = try DaemonRig("unreachable", createTopic: false)
      let (end, text) = try check(rig, servers: "127.0.0.1:\(try freePort())")
      #expect(end == .exited(69), "\(text)")
      #expect(text.contains("bootstrap_servers"), "\(text)")
      try rig.close()
    }

    @Test("check: what would run is 0, and changes nothing") func fine() throws {
      let rig = try DaemonRig("fine")
      let (end, text) = try check(rig)
      #expect(end == .exited(0), "\(text)")
      #expect(!text.contains("whsec_end_to_end") && !text.contains("sk_live_end_to_end"), "a secret was printed")
      #expect(!FileManager.default.fileExists(atPath: rig.storage("one")))
      #expect(rig.webhook.effects.requests == 0 && rig.stripe.effects.keyCount == 0)
      try rig.close()
    }

    @Test("check: a compacted topic, and one that forgets too soon, are 78 and say what to set") func unsafeTopics()
      throws
    {
      let cases = [
        (["cleanup.policy": "compact"], ["cleanup.policy", "delete"]),
        (["retention.ms": "3600000"], ["retention.ms", "172800000"]),
      ]
      for (settings, words) in cases {
        let rig = try DaemonRig("unsafe", createTopic: false)
        let admin = try Admin(properties: rig.properties)
        defer { admin.close() }
        try admin.createTopic(rig.topic, partitions: 1, replicationFactor: 1, configuration: settings)
        let (end, text) = try check(rig)
        #expect(end == .exited(78), "\(text)")
        for word in words + ["kafka.topic", rig.topic] { #expect(text.contains(word), "\(text)") }
        try rig.close()
      }
    }

    @Test("check: credentials that the broker refuses are 78, and an old library's SCRAM is named") func credentials()
      throws
    {
      let rig = try DaemonRig("sasl", createTopic: false)
      guard let kafka = try OwnKafka(["--tls", "--sasl"]) else {
        note("refused credentials were not tried: METERD_TEST_KAFKA_SCRIPT is not set")
        return try rig.close()
      }
      func check(_ mechanism: String, _ password: String) throws -> (MeterdProcess.End, String) {
        rig.kafkaLines = [
          "properties:", "  security.protocol: SASL_SSL", "  ssl.ca.location: \(kafka.folder)/tls/ca.pem",
          "  sasl.mechanism: \(mechanism)", "  sasl.username: meterd", "  sasl.password: \(password)",
        ]
        return try self.check(rig, servers: kafka.servers, startTimeout: "15s")
      }
      let (refused, why) = try check("PLAIN", "wrong-password")
      #expect(refused == .exited(78), "\(why)")
      #expect(why.contains("refuses the credentials") && why.contains("sasl.password"), "\(why)")
      #expect(!why.contains("wrong-password"), "a secret was printed")
      let (accepted, text) = try check("PLAIN", "meterd-secret")
      #expect(accepted == .exited(78) && text.contains("there is no topic \(rig.topic)"), "\(text)")
      if KafkaVersion.current < KafkaVersion(2, 6, 1) {
        let (scram, text) = try check("SCRAM-SHA-256", "meterd-secret")
        #expect(scram == .exited(78), "\(text)")
        #expect(text.contains("librdkafka") && text.contains("2.6.1"), "\(text)")
      }
      try rig.close()
    }

    @Test("a dry run prints what would be billed, and writes nothing") func dryRun() throws {
      let rig = try DaemonRig("dry")
      rig.sinks = ["webhook"]
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      try publisher.publish(500, isPlain: true)
      let path = try rig.writeConfiguration("one", port: try freePort())
      let log = "\(rig.folder)/dry.log"
      let process = try MeterdProcess(arguments: ["run", "--config", path, "--dry-run"], logPath: log)
      let lines = { (try? String(contentsOfFile: log, encoding: .utf8))?.split(separator: "\n") ?? [] }
      #expect(poll(seconds: 30) { lines().filter { $0.hasPrefix("{") }.count >= publisher.expected.units.count })
      process.send(SIGTERM)
      #expect(try process.wait(seconds: 40) == .exited(0), "\(process.tail())")
      let admin = try Admin(properties: rig.properties)
      defer { admin.close() }
      #expect(try admin.topic("\(rig.group).ledger") == nil)
      #expect(try admin.topic("\(rig.group).quarantine") == nil)
      #expect(rig.webhook.effects.requests == 0)
      #expect(!FileManager.default.fileExists(atPath: rig.storage("one")))
      publisher.close()
      try rig.close()
    }

    private func check(
      _ rig: DaemonRig, servers: String? = nil, startTimeout: String? = nil
    ) throws -> (MeterdProcess.End, String) {
      let path = try rig.writeConfiguration(
        "one", port: try freePort(), servers: servers, startTimeout: startTimeout ?? (servers == nil ? "20s" : "2s"))
      let process = try MeterdProcess(
        arguments: ["check", "--config", path], logPath: "\(rig.folder)/check.log")
      return (try process.wait(seconds: 40), process.tail())
    }
  }
}
