internal import CHotPath

/// Decodes records of the usage topic into events, or says why one cannot be counted.
///
/// A strict scanner over the record's bytes: no allocation per event, no strings, no floating point. A record of the
/// common shape takes the fast path (FastPath.swift), any other the general one (GeneralPath.swift); both come to the
/// same judgement, which is in Judgement.swift. DECODING.md lists what is decided where the contract leaves it open.
///
/// Made once per configuration and partition worker. It owns its tables and scratch memory (raw, for speed), hence
/// `~Copyable`; it is not for use from two threads at once.
public struct EventDecoder: ~Copyable {
  /// The most bytes a record's value may have.
  public static let maximumRecordBytes = 65_536
  /// The most UTF-8 bytes a key, source, customer or feature may have.
  public static let maximumFieldBytes = 256

  /// Which way a record may go. The result never depends on it; tests and the fuzzer force each.
  @_spi(Tests) public enum Route: Sendable { case adaptive, fastFirst, generalOnly }

  /// The input partition whose records are decoded.
  public let partition: Int32
  /// Why ``decode(_:clockMilliseconds:into:)`` last returned a reason.
  public internal(set) var detail = QuarantineDetail()
  @_spi(Tests) public var route = Route.adaptive
  /// Whether the last record that was not refused for its size went the fast path.
  @_spi(Tests) public private(set) var wasFast = false
  /// Keeps the fast path to the instructions that any processor has.
  @_spi(Tests) public var isBaseline: Bool {
    get { fast.isBaseline }
    set { fast.isBaseline = newValue }
  }

  let maxAgeMilliseconds: Int64
  let maxAheadMilliseconds: Int64
  let keepsMissingKeys: Bool
  let checksKey: Bool
  let refusesOtherKeys: Bool
  let refusesUnknownFeatures: Bool

  let plan: FieldPlan
  var tape = JSONTape()
  var scratch = Scratch()
  /// One value per concept; raw memory, since concepts are indices.
  let fields: UnsafeMutablePointer<FieldValue>
  /// CloudEvents: what the data object says, before it overrides.
  let dataFields: UnsafeMutablePointer<FieldValue>
  /// The values of the feature's dimensions while they are encoded.
  let dimensionValues: UnsafeMutablePointer<FieldValue>
  var shape = Shape.native
  var fast: FastPath
  /// How many records in a row the fast path could not take.
  var fastMisses = 0

  /// A decoder for one partition under one configuration.
  public init(rules: CountingRules, partition: Int32) {
    self.partition = partition
    maxAgeMilliseconds = rules.maxAgeMilliseconds
    maxAheadMilliseconds = rules.maxAheadMilliseconds
    keepsMissingKeys = rules.missingKey == .offset
    checksKey = rules.keyCheck != .off
    refusesOtherKeys = rules.keyCheck == .strict
    refusesUnknownFeatures = rules.unknownFeature == .quarantine
    plan = FieldPlan(rules)
    fields = .allocate(capacity: Concept.count)
    fields.initialize(repeating: .absent, count: Concept.count)
    dataFields = .allocate(capacity: Concept.count)
    dataFields.initialize(repeating: .absent, count: Concept.count)
    fast = FastPath(names: plan.hotNames, preferred: plan.replacedConcepts, fields: fields)
    dimensionValues = .allocate(capacity: rules.features.values.map(\.dimensions.count).max() ?? 0)
  }

  deinit {
    fields.deallocate()
    dataFields.deallocate()
    dimensionValues.deallocate()
  }

  /// Decodes one record. Returns `nil` and fills `event`, or the first reason, in the contract's order, why the record
  /// cannot be counted; `event` is then unspecified.
  ///
  /// The slices of `event` point into the record (its value and headers) or into this decoder, and are valid until the
  /// record is destroyed and ``resetScratch()`` is called.
  ///
  /// - Parameter clockMilliseconds: the log's clock at this record, itself included, in Unix milliseconds. The event
  ///   time is judged against it (`events.max_age`, `events.max_ahead`), and is taken from it where neither the event
  ///   nor the record has a time.
  public mutating func decode(
    _ record: RecordView, clockMilliseconds: Int64, into event: inout DecodedEvent
  ) -> QuarantineReason? {
    guard record.value.count > 0 else { return reject(.emptyValue) }
    guard record.value.count <= Self.maximumRecordBytes else {
      return reject(.recordTooLarge, position: Self.maximumRecordBytes)
    }
    // Where the fast path keeps failing it is only tried now and then.
    if route != .generalOnly, route == .fastFirst || fastMisses < 8 || fastMisses & 63 == 0 {
      if record.headers.count == 0 || !hasEventHeader(record), fast.read(record.value) {
        fastMisses = 0
        wasFast = true
        return judge(record, clock: clockMilliseconds, isFast: true, into: &event)
      }
    }
    wasFast = false
    fastMisses &+= 1
    if let reason = readGeneral(record) { return reason }
    return judge(record, clock: clockMilliseconds, isFast: false, into: &event)
  }

  /// Gives the scratch back: the slices of all events decoded so far become invalid.
  public mutating func resetScratch() { scratch.reset() }

  /// Records why, and returns the reason.
  @inline(never)
  mutating func reject(
    _ reason: QuarantineReason, _ concept: Int = -1, position: Int = -1, dimension: Int = -1
  ) -> QuarantineReason {
    detail = QuarantineDetail(
      concept: concept, position: position, dimension: dimension >= 0 ? plan.dimensionNames[dimension] : nil)
    return reason
  }
}
