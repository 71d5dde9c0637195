public import Metering

extension Configuration {
  /// The part by which records are judged, as the core knows it.
  public var countingRules: CountingRules {
    var rules = CountingRules()
    rules.maxAgeMilliseconds = events.maxAge.wholeMilliseconds
    rules.maxAheadMilliseconds = events.maxAhead.wholeMilliseconds
    switch events.missingKey {
    case .quarantine: rules.missingKey = .quarantine
    case .offset: rules.missingKey = .offset
    }
    switch events.unknownFeature {
    case .count: rules.unknownFeature = .count
    case .quarantine: rules.unknownFeature = .quarantine
    }
    switch events.keyCheck {
    case .off: rules.keyCheck = .off
    case .warn: rules.keyCheck = .warn
    case .strict: rules.keyCheck = .strict
    }
    rules.fields.key = events.fields.key
    rules.fields.source = events.fields.source
    rules.fields.customer = events.fields.customer
    rules.fields.feature = events.fields.feature
    rules.fields.quantity = events.fields.quantity
    rules.fields.time = events.fields.time
    rules.fields.dimensions = events.fields.dimensions
    rules.windowMilliseconds = dedup.window.wholeMilliseconds
    rules.timeSlotMilliseconds = flush.timeSlot.wholeMilliseconds
    for feature in features {
      rules.features[feature.name] = FeatureRule(
        aggregate: feature.aggregate == .count ? .count : .sum, dimensions: feature.dimensions,
        allowNegative: feature.allowNegative)
    }
    return rules
  }
}
