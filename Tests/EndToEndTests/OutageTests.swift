import Foundation
import ProviderFakes
import Testing

extension WholeBinary {
  /// A provider that is away: nothing is lost, nothing is in doubt, and what waited comes in few calls.
  @Suite("A provider outage") struct OutageTests {
    @Test("claims widen, and the calls afterwards stay bounded") func outage() throws {
      note("outage of \(Surroundings.outageSeconds) s, seed \(Surroundings.seed)")
      let rig = try DaemonRig("outage")
      rig.sinks = ["webhook"]
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      let instance = try Instance(rig, "one")
      try rig.run([instance], publisher) {
        try instance.start()
        publisher.start()
        try instance.waitUntilReady()
        let isBilling = poll(seconds: 30) { rig.webhook.effects.keyCount > 0 }
        #expect(isBilling, "nothing was billed before the outage\n\(instance.explanation())")
        let callsBefore = rig.webhook.effects.requests
        rig.webhook.faults.setOutage(.unavailable)
        let end = ContinuousClock.now + .seconds(Surroundings.outageSeconds)
        let counted = instance.metric("meterd_events_counted_total")
        let claims = instance.metric("meterd_claims_total")
        let memoryBefore = instance.metric("process_resident_memory_bytes")
        _ = try poll(seconds: Surroundings.outageSeconds) {
          try instance.requireAlive("the provider was away")
          return ContinuousClock.now >= end
        }
        let callsDuring = rig.webhook.effects.requests - callsBefore
        // Counting goes on through it.
        #expect(instance.metric("meterd_events_counted_total") > counted, "\(instance.explanation())")
        // Claims wait for the provider, and become wider: at most the one in hand and the one behind it.
        let claimsDuring = instance.metric("meterd_claims_total") - claims
        #expect(claimsDuring <= 2 * Double(DaemonRig.partitions))
        let memoryAfter = instance.metric("process_resident_memory_bytes")
        note(
          "resident memory: \(Int(memoryBefore) >> 20) MiB before the outage, \(Int(memoryAfter) >> 20) MiB after "
            + "\(Surroundings.outageSeconds) s of it, \(Int(claimsDuring)) claims in it")
        #expect(memoryAfter - memoryBefore < 64 * 1_048_576)
        rig.webhook.faults.setOutage(nil)
        let callsAtEnd = rig.webhook.effects.requests
        try publisher.stop()
        try rig.waitUntilExact(publisher.expected, seconds: 120, [instance])
        let callsAfter = rig.webhook.effects.requests - callsAtEnd
        note("calls: \(callsDuring) during the outage, \(callsAfter) after it")
        // The circuit lets one probe through at a time, each further one later.
        #expect(callsDuring < 20 + Int(Surroundings.outageSeconds) * Int(DaemonRig.partitions))
        // What waited is merged: some claims of each partition, not one for every second of the outage.
        #expect(callsAfter <= 25 * Int(DaemonRig.partitions))
        #expect(instance.metric("meterd_sink_rows_uncertain", "sink=\"books\"") == 0, "\(instance.explanation())")
        #expect(instance.metric("meterd_sink_rows_parked", "sink=\"books\"") == 0, "\(instance.explanation())")
        try rig.waitUntilConserved(instance)
        try instance.stopGracefully()
        #expect(rig.differences(publisher.expected) == [])
      }
    }

    /// Connections that close without a reply leave it open whether a row took effect: at a sink that does not recognise
    /// repeats each becomes uncertain. However long the outage, that may be the rows of one second and the probe, which is
    /// risked ever more seldom.
    @Test("at a sink without idempotency what becomes uncertain does not grow with the outage") func uncertain() throws
    {
      let rig = try DaemonRig("doubt")
      rig.sinks = ["webhook"]
      rig.webhookKeepsKeys = false
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      let instance = try Instance(rig, "one")
      try rig.run([instance], publisher) {
        try instance.start()
        publisher.start()
        try instance.waitUntilReady()
        #expect(poll(seconds: 30) { rig.webhook.effects.keyCount > 0 }, "\(instance.explanation())")
        rig.webhook.faults.setOutage(.dropped)
        try instance.waitUntil("the circuit is open") { $0.sinks.contains { $0.circuit != "closed" } }
        Thread.sleep(forTimeInterval: 3)
        let early = instance.metric("meterd_sink_requests_total")
        Thread.sleep(forTimeInterval: 15)
        let late = instance.metric("meterd_sink_requests_total")
        let rows = try #require(instance.status()?.sinks.first?.rows)
        note(
          "a sink without idempotency, away: \(Int(late - early)) requests in 15 s, \(rows.in_flight) rows in flight, "
            + "\(rows.uncertain) uncertain")
        // Each request in doubt costs its rows, so nearly none is risked.
        #expect(late - early <= 1)
        // Counting goes on, and nothing is missing: what is not billed is in flight, uncertain or waits.
        try publisher.stop()
        try instance.waitUntil("all is counted") { $0.partitions.allSatisfy { $0.lag_records == 0 } }
        try rig.waitUntilConserved(instance)
        #expect(rig.violations() == [])
        try instance.stopGracefully()
      }
    }
  }
}
