import Metering

/// The naive judge: walks one partition from its start, under the cuts that stand in its ledger, and says what must
/// have been counted. It shares no code with dedup, totals or claims.
struct Oracle {
  struct Totals: Equatable {
    var byCustomerFeature: [String: Int128] = [:]
    var counted: Int64 = 0
    var duplicate: Int64 = 0
    var quarantined: Int64 = 0
  }

  /// A cut as the ledger states it.
  struct Cut {
    var from: Int64
    var to: Int64
    var cap: Int64
    var window: Int64
    var maxAge: Int64
    var maxAhead: Int64
    /// Where a changed window's index begins.
    var indexFrom: Int64?
  }

  /// What each cut must state.
  static func judge(log: UsageLog, sightings: Cut?, cuts: [Cut]) -> [Totals] {
    var clock: Int64 = 0
    var seen: [String: [(offset: Int64, clock: Int64, payload: String)]] = [:]
    var reach = Int64.min
    var result: [Totals] = []
    for (index, cut) in ([sightings].compactMap { $0 } + cuts).enumerated() {
      let isSightingsOnly = sightings != nil && index == 0
      // 8τ = window + 2 h.
      let bucket = (cut.window + 7_200_000 + 7) / 8
      if let from = cut.indexFrom { reach = from }
      var totals = Totals()
      for offset in cut.from..<cut.to {
        guard let record = log.records[Int(offset)] else { continue }
        if record.view.timestampMilliseconds >= 0 {
          clock = max(clock, min(record.view.timestampMilliseconds, cut.cap))
        }
        guard case .event(let key, let customer, let feature, let units, let isRevert) = record.meaning.kind else {
          totals.quarantined += 1
          continue
        }
        // No event is refused for its record's timestamp.
        let time = record.meaning.timeMilliseconds ?? clock
        if time < clock - cut.maxAge || time > clock + cut.maxAhead {
          totals.quarantined += 1
          continue
        }
        let payload = "\(customer)|\(feature)|\(units)|\(isRevert)"
        let now = number(clock, bucket)
        let within = (seen[key] ?? []).filter { $0.offset >= reach && now - number($0.clock, bucket) <= 8 }
        seen[key] = (seen[key] ?? []) + [(offset, clock, payload)]
        if let earliest = within.first {
          if earliest.payload == payload { totals.duplicate += 1 } else { totals.quarantined += 1 }
        } else {
          totals.counted += 1
          totals.byCustomerFeature["\(customer)|\(feature)", default: 0] += isRevert ? -units : units
        }
      }
      if !isSightingsOnly { result.append(totals) }
    }
    return result
  }

  private static func number(_ clock: Int64, _ bucket: Int64) -> Int64 {
    clock >= 0 ? clock / bucket : -((-clock + bucket - 1) / bucket)
  }
}
