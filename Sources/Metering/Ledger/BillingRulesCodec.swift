extension BillingRules {
  /// The version of the rules' encoding: its first byte.
  private static let encodingVersion: UInt8 = 1
  /// The greatest length of ``encoded``, bytes: GENESIS and a CONFIG keep as far below Kafka's 1 MiB as a chunk does.
  public static let greatestEncodedBytes = LedgerCodec.chunkLimit

  /// The canonical encoding (LEDGER-FORMAT.md, "CONFIG"): equal rules have equal bytes. Maps are in the order of their
  /// keys' bytes, and so are sinks, by name: the order in a file decides nothing.
  public var encoded: [UInt8] {
    var writer = ByteWriter(capacity: 256)
    writer.byte(Self.encodingVersion)
    writer.signed(version)
    writer.counting(counting)
    writer.varint(sinks.count)
    for sink in sinks.sorted(by: { Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8)) }) {
      writer.sink(sink)
    }
    return writer.bytes
  }

  /// The digest of ``encoded``: what cuts and claims carry.
  public var digest: Digest { Digest(of: encoded) }

  /// ``encoded``, proven to be readable again: what GENESIS and a CONFIG may hold. Durations out of range, a row rule that
  /// is not positive, and two sinks of one name are refused here, before they stand in a ledger that nobody could then
  /// read; and rules that are too many for one record, before the broker refuses them.
  public func encodedForLedger() throws(LedgerCodecError) -> [UInt8] {
    let bytes = encoded
    guard bytes.count <= Self.greatestEncodedBytes else {
      throw .tooLarge(bytes: bytes.count, limit: Self.greatestEncodedBytes)
    }
    _ = try BillingRules(decoding: bytes)
    return bytes
  }

  /// Decodes ``encoded``. Only the canonical encoding is taken, so that decoding and encoding again gives equal bytes.
  public init(decoding bytes: [UInt8]) throws(LedgerCodecError) {
    var reader = ByteReader(bytes)
    let encodingVersion = try reader.byte()
    guard encodingVersion == Self.encodingVersion else {
      throw .unknownVersion(encodingVersion, reads: Self.encodingVersion)
    }
    let version = try reader.signed()
    let counting = try reader.counting()
    let count = try reader.count()
    var sinks: [SinkRules] = []
    for _ in 0..<count {
      let sink = try reader.sink()
      if let last = sinks.last { try Self.ascending(last.name, sink.name) }
      sinks.append(sink)
    }
    guard reader.isAtEnd else { throw .trailingBytes }
    self.init(version: version, counting: counting, sinks: sinks)
  }

  /// The rules of the sink of that name.
  public func sink(named name: String) -> SinkRules? { sinks.first { $0.name == name } }

  fileprivate static func ascending(_ left: String, _ right: String) throws(LedgerCodecError) {
    guard Array(left.utf8).lexicographicallyPrecedes(Array(right.utf8)), left != right else {
      throw .malformed("names are not in ascending order")
    }
  }
}

extension ByteWriter {
  fileprivate mutating func counting(_ rules: CountingRules) {
    signed(rules.maxAgeMilliseconds)
    signed(rules.maxAheadMilliseconds)
    byte(rules.missingKey == .quarantine ? 0 : 1)
    byte(rules.unknownFeature == .count ? 0 : 1)
    switch rules.keyCheck {
    case .off: byte(0)
    case .warn: byte(1)
    case .strict: byte(2)
    }
    let fields = rules.fields
    for names in [
      fields.key, fields.source, fields.customer, fields.feature, fields.quantity, fields.time, fields.dimensions,
    ] {
      optional(names) { $0.texts($1) }
    }
    signed(rules.windowMilliseconds)
    signed(rules.timeSlotMilliseconds)
    map(rules.features) { writer, rule in
      writer.byte(rule.aggregate == .sum ? 0 : 1)
      writer.texts(rule.dimensions)
      writer.flag(rule.allowNegative)
    }
  }

  fileprivate mutating func sink(_ sink: SinkRules) {
    text(sink.name)
    text(sink.provider)
    text(sink.account)
    map(sink.featureNames) { $0.text($1) }
    flag(sink.takesOtherFeatures)
    varint(UInt64(sink.contractVersion))
    signed(sink.rowRules.stepUnits)
    optional(sink.rowRules.greatestUnits) { $0.signed($1) }
    flag(sink.rowRules.allowsNegative)
    switch sink.start {
    case .present: byte(0)
    case .earliest: byte(1)
    case .instant(let instant):
      byte(2)
      signed(instant)
    }
    flag(sink.isRetired)
  }

  private mutating func texts(_ texts: [String]) {
    varint(texts.count)
    for text in texts { self.text(text) }
  }

  private mutating func map<Value>(_ map: [String: Value], _ write: (inout ByteWriter, Value) -> Void) {
    varint(map.count)
    for (key, value) in map.sorted(by: { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) }) {
      text(key)
      write(&self, value)
    }
  }
}

extension ByteReader {
  fileprivate mutating func counting() throws(LedgerCodecError) -> CountingRules {
    var rules = CountingRules()
    rules.maxAgeMilliseconds = try signed()
    rules.maxAheadMilliseconds = try signed()
    rules.missingKey = try flag() ? .offset : .quarantine
    rules.unknownFeature = try flag() ? .quarantine : .count
    switch try byte() {
    case 0: rules.keyCheck = .off
    case 1: rules.keyCheck = .warn
    case 2: rules.keyCheck = .strict
    default: throw .malformed("unknown key check")
    }
    rules.fields.key = try flag() ? try texts() : nil
    rules.fields.source = try flag() ? try texts() : nil
    rules.fields.customer = try flag() ? try texts() : nil
    rules.fields.feature = try flag() ? try texts() : nil
    rules.fields.quantity = try flag() ? try texts() : nil
    rules.fields.time = try flag() ? try texts() : nil
    rules.fields.dimensions = try flag() ? try texts() : nil
    rules.windowMilliseconds = try signed()
    rules.timeSlotMilliseconds = try signed()
    // What the arithmetic on the log's clock relies on: a bucket and a slot are positive, and nothing overflows.
    let limit: Int64 = 1 << 53
    guard (0...limit).contains(rules.windowMilliseconds), (1...limit).contains(rules.timeSlotMilliseconds),
      (0...limit).contains(rules.maxAgeMilliseconds), (0...limit).contains(rules.maxAheadMilliseconds)
    else { throw .malformed("a duration of the counting rules is out of range") }
    let count = try count()
    var last: String?
    for _ in 0..<count {
      let name = try text()
      if let last { try BillingRules.ascending(last, name) }
      last = name
      let aggregate: Aggregate = try flag() ? .count : .sum
      let dimensions = try texts()
      rules.features[name] = FeatureRule(aggregate: aggregate, dimensions: dimensions, allowNegative: try flag())
    }
    return rules
  }

  fileprivate mutating func sink() throws(LedgerCodecError) -> SinkRules {
    let name = try text()
    let provider = try text()
    let account = try text()
    var featureNames: [String: String] = [:]
    let count = try count()
    var last: String?
    for _ in 0..<count {
      let feature = try text()
      if let last { try BillingRules.ascending(last, feature) }
      last = feature
      featureNames[feature] = try text()
    }
    let takesOtherFeatures = try flag()
    let contractVersion = try unsigned32()
    let step = try signed128()
    let greatest = try flag() ? try signed128() : nil
    let allowsNegative = try flag()
    // A claim divides by the step, and takes the greatest value as a magnitude.
    guard step >= 1, greatest ?? 1 >= 1 else { throw .malformed("a row rule is not positive") }
    let start: SinkStart
    switch try byte() {
    case 0: start = .present
    case 1: start = .earliest
    case 2: start = .instant(try signed())
    default: throw .malformed("unknown start of a sink")
    }
    return SinkRules(
      name: name, provider: provider, account: account, featureNames: featureNames,
      takesOtherFeatures: takesOtherFeatures, contractVersion: contractVersion,
      rowRules: RowRules(stepUnits: step, greatestUnits: greatest, allowsNegative: allowsNegative), start: start,
      isRetired: try flag())
  }

  private mutating func texts() throws(LedgerCodecError) -> [String] {
    let count = try count()
    var texts: [String] = []
    texts.reserveCapacity(count)
    for _ in 0..<count { texts.append(try text()) }
    return texts
  }
}
