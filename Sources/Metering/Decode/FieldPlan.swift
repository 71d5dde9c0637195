/// A feature's rule as the decoder asks for it.
struct CompiledFeature {
  var aggregate: Aggregate
  var allowNegative: Bool
  /// Whether the configuration lists the feature.
  var isListed: Bool
  /// Its dimensions: a range of ``FieldPlan/dimensionNames``.
  var firstDimension: Int
  var dimensionCount: Int
}

/// The names under which an event's concepts are looked for, compiled from the configuration.
///
/// Owns tables of raw memory, so it is not copyable.
struct FieldPlan: ~Copyable {
  /// The alias table, by concept.
  static let aliases: [(concept: Int, names: [String])] = [
    (Concept.key, ["idempotencyKey", "idempotency_key", "transaction_id", "event_id"]),
    (Concept.customer, ["customerId", "customer_id", "tenantId", "stripeCustomerId", "external_customer_id"]),
    (
      Concept.feature,
      ["featureId", "feature_id", "featureKey", "feature_key", "poolKey", "productId", "metric", "event_name"]
    ),
    (Concept.source, ["source"]),
    (Concept.quantity, ["amount", "quantity", "value"]),
    (Concept.revert, ["revert"]),
    (Concept.time, ["timestamp", "time", "recorded_at"]),
  ]
  /// What CloudEvents calls them, in its own attributes only (`source` and `time` have the same name there).
  static let attributes: [(concept: Int, name: String)] = [
    (Concept.key, "id"), (Concept.customer, "subject"), (Concept.feature, "type"),
  ]
  static let dimensionObjects = ["dimensions", "properties", "metadata"]

  /// The value of ``hotNames`` at which only the general path can go on.
  static let general: Int32 = 0xff
  /// The most names of one concept, or objects of dimensions, that the fast path keeps apart.
  static let hotPreferences = 8

  typealias Path = [[UInt8]]

  /// For the general path: alias → concept, without the concepts that `events.fields` replaces.
  let names: NameTable
  /// The same for the attributes of CloudEvents.
  let attributeNames: NameTable
  /// For the fast path: name → concept | preference << 8, or ``general``.
  let hotNames: NameTable
  /// Per concept: the paths of `events.fields` in order of preference; empty where it replaces nothing.
  let replacements: [[Path]]
  /// Where objects of dimensions are, in order of preference.
  let dimensionPaths: [Path]
  /// Whether ``dimensionPaths`` comes from `events.fields`: then CloudEvents' data object itself is none.
  let areDimensionsReplaced: Bool
  /// Bit c: concept c has an order of preference, so that a second name of it is no ambiguity.
  let replacedConcepts: UInt32

  let dimensionNames: [[UInt8]]
  let featureNames: NameTable
  let features: UnsafeMutableBufferPointer<CompiledFeature>
  let hasFeatures: Bool
  let unlisted = CompiledFeature(
    aggregate: .sum, allowNegative: false, isListed: false, firstDimension: 0, dimensionCount: 0)

  init(_ rules: CountingRules) {
    let lists: [[String]?] = [
      rules.fields.key, rules.fields.customer, rules.fields.feature, rules.fields.source, rules.fields.quantity,
      nil, rules.fields.time,
    ]
    func path(_ name: String) -> Path {
      name.split(separator: ".", omittingEmptySubsequences: false).map { Array($0.utf8) }
    }
    replacements = lists.map { ($0 ?? []).map(path) }
    areDimensionsReplaced = rules.fields.dimensions != nil
    dimensionPaths = (rules.fields.dimensions ?? Self.dimensionObjects).map(path)

    var names: [String: Int32] = [:]
    var attributeNames: [String: Int32] = [:]
    var hot: [String: Int32] = ["specversion": Self.general]
    var replaced: UInt32 = 0
    func addHot(_ name: String, concept: Int, preference: Int) {
      // The head of a path, a name of two concepts, and a preference that has no room are the general path's.
      let isPlain = !name.contains(".") && hot[name] == nil && preference < Self.hotPreferences
      let head = name.split(separator: ".", omittingEmptySubsequences: false).first.map(String.init) ?? name
      hot[head] = isPlain ? Int32(concept | preference << 8) : Self.general
    }
    for (concept, aliases) in Self.aliases {
      if let list = lists[concept] {
        replaced |= 1 << UInt32(concept)
        for (preference, name) in list.enumerated() { addHot(name, concept: concept, preference: preference) }
      } else {
        for alias in aliases {
          names[alias] = Int32(concept)
          addHot(alias, concept: concept, preference: 0)
        }
      }
    }
    for (concept, name) in Self.attributes where lists[concept] == nil { attributeNames[name] = Int32(concept) }
    for (preference, name) in (rules.fields.dimensions ?? Self.dimensionObjects).enumerated() {
      addHot(name, concept: Concept.dimensions, preference: preference)
    }
    self.names = NameTable(names)
    self.attributeNames = NameTable(attributeNames)
    hotNames = NameTable(hot)
    replacedConcepts = replaced

    var dimensions: [[UInt8]] = []
    var index: [String: Int32] = [:]
    features = .allocate(capacity: rules.features.count)
    for (name, rule) in rules.features {
      let compiled = CompiledFeature(
        aggregate: rule.aggregate, allowNegative: rule.allowNegative, isListed: true, firstDimension: dimensions.count,
        dimensionCount: rule.dimensions.count)
      features.initializeElement(at: index.count, to: compiled)
      index[name] = Int32(index.count)
      dimensions += rule.dimensions.map { Array($0.utf8) }
    }
    featureNames = NameTable(index)
    hasFeatures = !rules.features.isEmpty
    dimensionNames = dimensions
  }

  deinit { features.deallocate() }

  /// The rule of a feature, whatever its name holds.
  @inline(__always)
  func feature(_ name: ByteSlice) -> CompiledFeature {
    guard hasFeatures else { return unlisted }
    let index = featureNames.find(name)
    return index < 0 ? unlisted : features[Int(index)]
  }
}
