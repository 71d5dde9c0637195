import Glibc
@_spi(Tests) import Metering

/// Input: one byte that chooses configuration and headers, then the record's value.
///
/// Whatever it is, the decoder must come to the same judgement by every path, and an event must be what is promised of it.

@_silgen_name("LLVMFuzzerRunDriver")
private func LLVMFuzzerRunDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

func runFuzzer() -> CInt {
  var count = CommandLine.argc
  var arguments = CommandLine.unsafeArgv
  return LLVMFuzzerRunDriver(&count, &arguments, judgeInput)
}

/// Where time has stood since the corpus was begun: 2026-11-01T12:34:56.789Z.
private let clock: Int64 = 1_793_536_496_789

private let rules: [CountingRules] = {
  var features = CountingRules()
  features.features = [
    "api_calls": FeatureRule(allowNegative: true), "logins": FeatureRule(aggregate: .count),
    "tokens": FeatureRule(dimensions: ["model", "region", "n"]),
  ]
  var strict = features
  strict.keyCheck = .strict
  strict.unknownFeature = .quarantine
  strict.missingKey = .offset
  var replaced = features
  replaced.fields.key = ["event_id", "transaction_id"]
  replaced.fields.quantity = ["tokens", "value"]
  replaced.fields.dimensions = ["metadata", "attributes"]
  var paths = features
  paths.fields.quantity = ["data.usage.tokens", "amount"]
  paths.fields.customer = ["subject", "customer.id", "customerId"]
  paths.fields.time = ["data.time", "time"]
  paths.fields.dimensions = ["data.attributes", "data", "dimensions"]
  return [features, strict, replaced, paths]
}()

private final class Way {
  var decoder: EventDecoder
  init(_ rules: CountingRules, _ route: EventDecoder.Route, isBaseline: Bool = false) {
    decoder = EventDecoder(rules: rules, partition: 0)
    decoder.route = route
    decoder.isBaseline = isBaseline
  }
}

/// By configuration; each with the general path last.
nonisolated(unsafe) private let ways: [[Way]] = rules.map {
  [Way($0, .fastFirst), Way($0, .fastFirst, isBaseline: true), Way($0, .adaptive), Way($0, .generalOnly)]
}

private let headerTexts: [(StaticString, StaticString)] = [
  ("ce_specversion", "1.0"), ("ce_id", "idem-1"), ("ce_source", "/app"), ("ce_subject", "cus_1"), ("ce_type", "tokens"),
  ("ce_time", "2026-11-01T12:34:56.789000Z"),
]
nonisolated(unsafe) private let headers: [HeaderView] = headerTexts.map { name, value in
  HeaderView(
    name: .init(start: name.utf8Start, count: name.utf8CodeUnitCount),
    value: .init(start: value.utf8Start, count: value.utf8CodeUnitCount))
}
private let customer: StaticString = "cus_1"

private func judgeInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data, size > 0 else { return 0 }
  let choice = Int(data[0])
  let value = UnsafeRawBufferPointer(start: data + 1, count: size - 1)
  return headers.withUnsafeBufferPointer { headers in
    let record = RecordView(
      value: value, key: .init(start: customer.utf8Start, count: customer.utf8CodeUnitCount),
      headers: .init(rebasing: headers[0..<(choice & 4 == 0 ? 0 : headers.count)]), offset: 1,
      timestampMilliseconds: choice & 8 == 0 ? clock - 1 : -1)
    var expected: (reason: QuarantineReason?, event: DecodedEvent)?
    for way in ways[choice & 3].reversed() {
      way.decoder.resetScratch()
      var event = DecodedEvent()
      let reason = way.decoder.decode(record, clockMilliseconds: clock, into: &event)
      if reason == nil { check(event) } else { precondition(!way.decoder.detail.description.isEmpty) }
      if let expected {
        precondition(expected.reason == reason, "the paths disagree on the reason")
        if reason == nil { precondition(isSame(expected.event, event), "the paths disagree on the event") }
      } else {
        expected = (reason, event)
      }
    }
    return 0
  }
}

/// What every event is.
private func check(_ event: DecodedEvent) {
  precondition(event.hasKey ? (1...256).contains(event.key.count) : event.key.isEmpty)
  precondition((1...256).contains(event.customer.count) && (1...256).contains(event.feature.count))
  precondition(event.source.count <= 256)
  for text in [event.key, event.customer, event.feature, event.source] {
    precondition(String(validating: text, as: UTF8.self) != nil)
  }
  precondition(event.quantity.units.magnitude < Quantity.eventLimit.magnitude)
  precondition(Quantity(parsing: event.quantity.description) == event.quantity)
  precondition(event.timeMilliseconds <= clock + 3_600_000 && event.timeMilliseconds >= clock - 35 * 86_400_000)
  guard let values = DimensionEncoding.values(of: event.dimensions) else { preconditionFailure("not an encoding") }
  precondition(values.count == 0 || values.count == 3)
}

private func isSame(_ left: DecodedEvent, _ right: DecodedEvent) -> Bool {
  left.key.elementsEqual(right.key) && left.source.elementsEqual(right.source)
    && left.customer.elementsEqual(right.customer) && left.feature.elementsEqual(right.feature)
    && left.dimensions.elementsEqual(right.dimensions) && left.quantity == right.quantity
    && left.timeMilliseconds == right.timeMilliseconds && left.isRevert == right.isRevert && left.hasKey == right.hasKey
    && left.keyMatchesCustomer == right.keyMatchesCustomer && left.aggregate == right.aggregate
}
