internal import Daemon
internal import Metering
internal import Operations

/// The rules of GENESIS or a CONFIG under the names of the configuration file: what `ledger show` prints of it.
struct ConfigurationText {
  typealias Field = (name: String, value: LedgerRecordText.Value)

  /// What holds for all events.
  let fields: [Field]
  /// One list for each feature and each sink.
  let rows: [[Field]]

  init(_ rules: BillingRules) {
    let counting = rules.counting
    var fields: [Field] = [
      ("version", .number(rules.version)),
      ("events.max_age", Self.duration(counting.maxAgeMilliseconds)),
      ("events.max_ahead", Self.duration(counting.maxAheadMilliseconds)),
      ("events.missing_key", .text("\(counting.missingKey)")),
      ("events.unknown_feature", .text("\(counting.unknownFeature)")),
      ("events.key_check", .text("\(counting.keyCheck)")),
    ]
    let names = counting.fields
    for (concept, list) in [
      ("key", names.key), ("source", names.source), ("customer", names.customer), ("feature", names.feature),
      ("quantity", names.quantity), ("time", names.time), ("dimensions", names.dimensions),
    ] {
      if let list { fields.append(("events.fields.\(concept)", .text(Self.list(list)))) }
    }
    fields.append(("dedup.window", Self.duration(counting.windowMilliseconds)))
    fields.append(("flush.time_slot", Self.duration(counting.timeSlotMilliseconds)))
    self.fields = fields
    rows =
      counting.features.sorted { $0.key < $1.key }.map { Self.feature($0.key, $0.value) } + rules.sinks.map(Self.sink)
  }

  private static func feature(_ name: String, _ rule: FeatureRule) -> [Field] {
    [
      ("feature", .text(name)), ("aggregate", .text("\(rule.aggregate)")), ("dimensions", .text(list(rule.dimensions))),
      ("allow_negative", .flag(rule.allowNegative)),
    ]
  }

  private static func sink(_ sink: SinkRules) -> [Field] {
    let from: String =
      switch sink.start {
      case .present: "present"
      case .earliest: "earliest"
      case .instant(let milliseconds): Timestamp.rfc3339(milliseconds: milliseconds)
      }
    var fields: [Field] = [
      ("sink", .text(sink.name)), ("provider", .text(sink.provider)), ("account", .text(sink.account)),
      ("contract", .number(Int64(sink.contractVersion))),
      ("features", .text(list(sink.featureNames.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }))),
      ("other_features", .text(sink.takesOtherFeatures ? "same_name" : "skip")),
      ("step", .text(Quantity(units: sink.rowRules.stepUnits).description)),
      ("negative", .flag(sink.rowRules.allowsNegative)),
      ("from_cut", .text(from)), ("retired", .flag(sink.isRetired)),
    ]
    if let greatest = sink.rowRules.greatestUnits {
      fields.append(("greatest", .text(Quantity(units: greatest).description)))
    }
    return fields
  }

  private static func list(_ words: [String]) -> String { "[" + words.joined(separator: ",") + "]" }
  private static func duration(_ milliseconds: Int64) -> LedgerRecordText.Value {
    .text(ValueSyntax.text(.milliseconds(milliseconds)))
  }
}
