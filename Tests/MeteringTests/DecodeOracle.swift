import Metering

/// What a record must decode to, by INTERFACE.md section 1 and DECODING.md: written once more, over a plain JSON tree.
struct DecodeOracle {
  var rules: CountingRules

  struct Event: Equatable {
    var key: [UInt8]
    var source: [UInt8]
    var customer: [UInt8]
    var feature: [UInt8]
    var units: Int128
    var time: Int
    var isRevert: Bool
    var hasKey: Bool
    var keyMatchesCustomer: Bool
    var isCount: Bool
    var dimensions: [DimensionValue]
  }

  struct Input {
    var value: [UInt8]
    var key: [UInt8] = []
    var headers: [(name: [UInt8], value: [UInt8])] = []
    var timestamp: Int = -1
    var clock: Int = 0
  }

  /// A value found for a concept: JSON, or the bytes of a header.
  private enum Found {
    case json(OracleJSON)
    case header([UInt8])
  }

  private typealias Members = [(name: [UInt8], value: OracleJSON)]

  private static let names: [String: [String]] = [
    "key": ["idempotencyKey", "idempotency_key", "transaction_id", "event_id"],
    "source": ["source"],
    "customer": ["customerId", "customer_id", "tenantId", "stripeCustomerId", "external_customer_id"],
    "feature": [
      "featureId", "feature_id", "featureKey", "feature_key", "poolKey", "productId", "metric", "event_name",
    ],
    "quantity": ["amount", "quantity", "value"],
    "time": ["timestamp", "time", "recorded_at"],
    "revert": ["revert"],
  ]
  private static let attributes = [
    "key": "id", "source": "source", "customer": "subject", "feature": "type", "time": "time", "revert": "revert",
  ]

  // MARK: the judgement

  func judge(_ input: Input) -> Result<Event, OracleReason> {
    do { return .success(try event(input)) } catch let reason as OracleReason { return .failure(reason) } catch {
      return .failure(OracleReason("malformed_json"))
    }
  }

  private func event(_ input: Input) throws -> Event {
    if input.value.isEmpty { throw OracleReason("empty_value") }
    if input.value.count > 65_536 { throw OracleReason("record_too_large") }
    guard case .object(let root, _) = try OracleJSONParser.parse(input.value) else {
      throw OracleReason("not_an_object")
    }
    let isStructured = root.contains { $0.name == Array("specversion".utf8) && !$0.value.isNull }
    let isBinary =
      !isStructured && input.headers.contains { $0.name == Array("ce_specversion".utf8) && !$0.value.isEmpty }
    let data: [Members] = isBinary ? [root] : isStructured ? objects(root, "data") : []
    let place = Place(
      root: root, data: data, headers: isBinary ? input.headers : nil, isEvent: isStructured || isBinary)

    var found: [String: [Found]] = [:]
    for concept in Self.names.keys { found[concept] = values(concept, place) }

    // Ambiguous.
    for (concept, all) in found {
      for value in all.dropFirst() where !isSame(all[0], value, concept) { throw OracleReason("ambiguous_field") }
    }
    // Missing.
    let first = found.compactMapValues(\.first)
    if first["key"] == nil, rules.missingKey == .quarantine { throw OracleReason("missing_key") }
    guard let customer = first["customer"] else { throw OracleReason("missing_customer") }
    guard let feature = first["feature"] else { throw OracleReason("missing_feature") }
    let featureText = text(feature)
    let listed = featureText.flatMap { name in rules.features.first { Array($0.key.utf8) == name }?.value }
    let rule = listed ?? FeatureRule()
    if first["quantity"] == nil, rule.aggregate != .count { throw OracleReason("missing_quantity") }
    // Type and length.
    let keyText = try first["key"].map { try field($0, least: 1) }
    let customerText = try field(customer, least: 1)
    let featureBytes = try field(feature, least: 1)
    let source = try first["source"].map { try field($0, least: 0) } ?? []
    // Quantity.
    var units: Int128 = 0
    if let quantity = first["quantity"] {
      guard let number = decimal(quantity) else { throw OracleReason("wrong_type") }
      units = try number.units().get()
      if units < 0, !rule.allowNegative { throw OracleReason("quantity_negative") }
    }
    var isRevert = false
    if let revert = first["revert"] {
      guard let truth = boolean(revert) else { throw OracleReason("wrong_type") }
      isRevert = truth
    }
    // Time.
    var time = input.timestamp >= 0 ? min(input.timestamp, input.clock) : input.clock
    if let stated = first["time"] {
      guard let instant = instant(stated) else { throw OracleReason("time_invalid") }
      if instant < input.clock - Int(rules.maxAgeMilliseconds) { throw OracleReason("time_too_old") }
      if instant > input.clock + Int(rules.maxAheadMilliseconds) { throw OracleReason("time_too_new") }
      time = instant
    }
    // The feature's rules.
    if listed == nil, rules.unknownFeature == .quarantine { throw OracleReason("unknown_feature") }
    let dimensions = try rule.dimensions.map { try dimension(Array($0.utf8), place) }
    let matches = rules.keyCheck == .off || input.key == customerText
    if !matches, rules.keyCheck == .strict { throw OracleReason("key_mismatch") }
    return Event(
      key: keyText ?? [], source: source, customer: customerText, feature: featureBytes, units: units, time: time,
      isRevert: isRevert, hasKey: keyText != nil, keyMatchesCustomer: matches, isCount: rule.aggregate == .count,
      dimensions: dimensions)
  }

  // MARK: where things are

  private struct Place {
    var root: Members
    var data: [Members]
    var headers: [(name: [UInt8], value: [UInt8])]?
    var isEvent: Bool
  }

  private func objects(_ members: Members, _ name: String) -> [Members] {
    members.compactMap {
      guard $0.name == Array(name.utf8), case .object(let inner, _) = $0.value else { return nil }
      return inner
    }
  }

  private func replacement(_ concept: String) -> [String]? {
    switch concept {
    case "key": rules.fields.key
    case "source": rules.fields.source
    case "customer": rules.fields.customer
    case "feature": rules.fields.feature
    case "quantity": rules.fields.quantity
    case "time": rules.fields.time
    default: nil
    }
  }

  private func values(_ concept: String, _ place: Place) -> [Found] {
    if let list = replacement(concept) {
      let dataFirst = ["customer", "feature", "quantity"].contains(concept)
      for path in list.map({ $0.split(separator: ".", omittingEmptySubsequences: false).map(String.init) }) {
        let inData = place.data.flatMap { at(path, $0) }.map(Found.json)
        let outside: [Found]
        if let headers = place.headers {
          if path.count == 1 {
            outside = headers.filter { $0.name == Array(("ce_" + path[0]).utf8) && !$0.value.isEmpty }
              .map { .header($0.value) }
          } else {
            outside = path[0] == "data" ? at(Array(path.dropFirst()), place.root).map(Found.json) : []
          }
        } else {
          outside = at(path, place.root).map(Found.json)
        }
        for turn in dataFirst ? [inData, outside] : [outside, inData] where !turn.isEmpty { return turn }
      }
      return []
    }
    let names = Self.names[concept, default: []]
    func known(_ members: Members, _ names: [String]) -> [Found] {
      members.filter { member in !member.value.isNull && names.contains { Array($0.utf8) == member.name } }
        .map { .json($0.value) }
    }
    guard place.isEvent else { return known(place.root, names) }
    let outside: [Found]
    if let headers = place.headers {
      let name = Self.attributes[concept].map { Array(("ce_" + $0).utf8) }
      outside = headers.filter { $0.name == name && !$0.value.isEmpty }.map { .header($0.value) }
    } else {
      outside = known(place.root, names + [Self.attributes[concept]].compactMap { $0 })
    }
    let inData = place.data.flatMap { known($0, names) }
    switch concept {
    case "customer", "feature": return inData.isEmpty ? outside : inData
    case "quantity", "revert": return outside + inData
    default: return outside
    }
  }

  /// All values at a path that are not null.
  private func at(_ path: [String], _ members: Members) -> [OracleJSON] {
    let here = members.filter { $0.name == Array(path[0].utf8) && !$0.value.isNull }.map(\.value)
    if path.count == 1 { return here }
    return here.flatMap { value -> [OracleJSON] in
      guard case .object(let inner, _) = value else { return [] }
      return at(Array(path.dropFirst()), inner)
    }
  }

  // MARK: what things are

  private func text(_ found: Found) -> [UInt8]? {
    switch found {
    case .json(.string(let text)): text
    case .header(let bytes): String(validating: bytes, as: UTF8.self) == nil ? nil : bytes
    default: nil
    }
  }

  private func field(_ found: Found, least: Int) throws -> [UInt8] {
    guard let text = text(found) else { throw OracleReason("wrong_type") }
    if text.count > 256 { throw OracleReason("field_too_long") }
    if text.count < least { throw OracleReason("field_empty") }
    return text
  }

  private func decimal(_ found: Found) -> OracleDecimal? {
    if case .json(.number(let text)) = found { return OracleDecimal(text) }
    guard let text = text(found), OracleJSONParser.isNumber(text) else { return nil }
    return OracleDecimal(text)
  }

  private func boolean(_ found: Found) -> Bool? {
    switch found {
    case .json(.boolean(let truth)): return truth
    case .header(let bytes):
      return ["true": true, "True": true, "false": false, "False": false][String(decoding: bytes, as: UTF8.self)]
    default: return nil
    }
  }

  private func instant(_ found: Found) -> Int? {
    if case .json(.number(let text)) = found { return OracleDecimal(text).integer.flatMap(OracleTime.unix) }
    return text(found).flatMap(OracleTime.rfc3339)
  }

  private func isSame(_ left: Found, _ right: Found, _ concept: String) -> Bool {
    switch concept {
    case "quantity":
      let (a, b) = (decimal(left), decimal(right))
      if a != nil || b != nil { return a == b }
    case "time":
      let (a, b) = (instant(left), instant(right))
      if a != nil || b != nil { return a == b }
    case "revert":
      let (a, b) = (boolean(left), boolean(right))
      if a != nil || b != nil { return a == b }
    default: break
    }
    return raw(left) == raw(right)
  }

  /// Kind and text.
  private func raw(_ found: Found) -> [UInt8] {
    switch found {
    case .json(.string(let text)): return [1] + text
    case .json(.number(let text)): return [2] + text
    case .json(.boolean(let truth)): return [truth ? 3 : 4]
    case .json(.object(_, let source)), .json(.array(_, let source)): return [5] + source
    case .json(.null): return [6]
    case .header(let bytes): return (String(validating: bytes, as: UTF8.self) == nil ? [7] : [1]) + bytes
    }
  }

  // MARK: dimensions

  private func dimension(_ name: [UInt8], _ place: Place) throws -> DimensionValue {
    let paths = (rules.fields.dimensions ?? ["dimensions", "properties", "metadata"])
      .map { $0.split(separator: ".", omittingEmptySubsequences: false).map(String.init) }
    for path in paths {
      for data in place.data {
        for value in at(path, data) { if let found = try member(name, value, isStrict: true) { return found } }
      }
      if place.headers != nil {
        guard path[0] == "data" else { continue }
        let rest = Array(path.dropFirst())
        let containers = rest.isEmpty ? [OracleJSON.object(place.root, source: [])] : at(rest, place.root)
        for value in containers { if let found = try member(name, value, isStrict: true) { return found } }
      } else {
        for value in at(path, place.root) {
          if let found = try member(name, value, isStrict: !place.isEvent || path.count > 1) { return found }
        }
      }
    }
    if place.isEvent, rules.fields.dimensions == nil {
      for data in place.data {
        if let found = try member(name, .object(data, source: []), isStrict: true) { return found }
      }
    }
    return .absent
  }

  private func member(_ name: [UInt8], _ container: OracleJSON, isStrict: Bool) throws -> DimensionValue? {
    guard case .object(let members, _) = container else {
      if isStrict { throw OracleReason("wrong_type") }
      return nil
    }
    guard let value = members.first(where: { $0.name == name && !$0.value.isNull })?.value else { return nil }
    switch value {
    case .string(let text): return .string(String(decoding: text, as: UTF8.self))
    case .boolean(let truth): return .boolean(truth)
    case .number(let text):
      let number = OracleDecimal(text)
      if number.isHuge { throw OracleReason("field_too_long") }
      return .number(number.canonical)
    default: throw OracleReason("wrong_type")
    }
  }
}
