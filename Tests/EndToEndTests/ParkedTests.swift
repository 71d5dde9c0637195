import Foundation
import ProviderFakes
import Testing

extension WholeBinary {
  /// Rows that are refused: listed, put right, sent again under their keys.
  @Suite("Parked rows") struct ParkedTests {
    @Test("an unmapped customer is parked, listed, mapped, and billed after a retry") func unmapped() throws {
      let rig = try DaemonRig("parked")
      rig.sinks = ["stripe"]
      let map = "\(rig.folder)/customers.csv"
      let known = (0..<UsagePublisher.customers - 1).map { "cus_\($0),cus_\($0)" }
      let last = "cus_\(UsagePublisher.customers - 1)"
      try known.joined(separator: "\n").write(toFile: map, atomically: true, encoding: .utf8)
      rig.stripeLines = ["customers: { map: \(map) }"]
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      let instance = try Instance(rig, "one")
      try rig.run([instance], publisher) {
        try publisher.publish(2_000)
        try publisher.publishRoundingEvents()
        try instance.start()
        var others = ExpectedTotals()
        for (place, units) in publisher.expected.units where place.customer != last {
          others.add(place.customer, place.feature, units)
        }
        try rig.waitUntilExact(others, seconds: 60, [instance])
        try instance.waitUntil("rows are parked") { ($0.sinks.first?.rows.parked ?? 0) > 0 }
        #expect(instance.metric("meterd_sink_rows_parked", "sink=\"stripe-e2e\"") > 0)
        let names = try list(instance)
        #expect(!names.isEmpty)
        // Still without an entry: refused, and nothing happens.
        let retry =
          ["parked", "retry"] + names + ["--why", "mapped", "--config", rig.configurationPath("one"), "--yes"]
        let (early, why) = try instance.run(retry)
        #expect(early == .exited(65) && why.contains(last), "\(why)")
        try (known + ["\(last),\(last)"]).joined(separator: "\n").write(toFile: map, atomically: true, encoding: .utf8)
        let (end, text) = try instance.run(retry)
        #expect(end == .exited(0), "\(text)")
        try rig.waitUntilExact(publisher.expected, seconds: 40, [instance])
        #expect(try list(instance).isEmpty)
        // Named again, it is no longer parked.
        #expect(try instance.run(retry).0 == .exited(64))
        try rig.waitUntilConserved(instance)
        try instance.stopGracefully()
      }
    }

    private struct Row: Decodable { var row, sink, reason, customer: String }

    private func list(_ instance: Instance) throws -> [String] {
      let (end, text) = try instance.run([
        "parked", "list", "--json", "--config", instance.rig.configurationPath("one"),
      ])
      guard end == .exited(0) else { throw EndToEndFailure(description: "parked list: \(end)\n\(text)") }
      return try text.split(separator: "\n").map { line in
        let row = try JSONDecoder().decode(Row.self, from: Data(line.utf8))
        #expect(row.reason == "unmapped_customer" && row.sink == "stripe-e2e")
        return row.row
      }
    }
  }
}
