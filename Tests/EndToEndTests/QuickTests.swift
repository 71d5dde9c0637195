import Foundation
import ProviderFakes
import Testing

extension WholeBinary {
  /// How the command ends, and what it says.
  @Suite("Ends") struct EndTests {
    @Test("SIGTERM ends an idle daemon with 0") func graceful() throws {
      let rig = try DaemonRig("term")
      let instance = try Instance(rig, "one")
      try instance.start()
      do {
        try instance.waitUntilReady()
        try instance.stopGracefully()
      } catch {
        instance.kill()
        throw error
      }
      try rig.close()
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

    private func check(_ rig: DaemonRig, servers: String? = nil) throws -> (MeterdProcess.End, String) {
      let path = try rig.writeConfiguration("one", port: try freePort(), servers: servers)
      let process = try MeterdProcess(
        arguments: ["check", "--config", path], logPath: "\(rig.folder)/check.log")
      return (try process.wait(seconds: 40), process.tail())
    }
  }
}
