@_spi(Tests) import Metering

/// Decoders for all of the generator's configurations, and for each way through them.
final class DecodeRig {
  enum Way: CaseIterable { case adaptive, fast, baseline, general }

  private final class Box {
    var decoder: EventDecoder
    init(_ rules: CountingRules) { decoder = EventDecoder(rules: rules, partition: 7) }
  }

  private var boxes: [Way: [Box]] = [:]

  init(_ rules: [CountingRules] = DecodeGenerator.rules) {
    for way in Way.allCases {
      boxes[way] = rules.map { rules in
        let box = Box(rules)
        switch way {
        case .adaptive: break
        case .fast: box.decoder.route = .fastFirst
        case .baseline:
          box.decoder.route = .fastFirst
          box.decoder.isBaseline = true
        case .general: box.decoder.route = .generalOnly
        }
        return box
      }
    }
  }

  func resetScratch() { for box in boxes.values.joined() { box.decoder.resetScratch() } }

  /// Decodes one input; what was decoded is copied out. Also says whether the fast path took it.
  func decode(
    _ input: DecodeOracle.Input, rules: Int = 0, way: Way
  ) -> (result: Result<DecodeOracle.Event, OracleReason>, wasFast: Bool) {
    guard let box = boxes[way]?[rules] else { preconditionFailure("no such rules") }
    // Memory of its own to the byte, so that the address sanitizer sees any step beyond it.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: input.value.count, alignment: 1)
    defer { memory.deallocate() }
    memory.copyBytes(from: input.value)
    let headers = input.headers.map { (Self.copy($0.name), Self.copy($0.value)) }
    defer {
      for header in headers {
        header.0.deallocate()
        header.1.deallocate()
      }
    }
    let views = headers.map { HeaderView(name: .init($0.0), value: .init($0.1)) }
    var event = DecodedEvent()
    return views.withUnsafeBufferPointer { views in
      input.key.withUnsafeBytes { key in
        let record = RecordView(
          value: .init(memory), key: key, headers: views, offset: 1, timestampMilliseconds: Int64(input.timestamp))
        if let reason = box.decoder.decode(record, clockMilliseconds: Int64(input.clock), into: &event) {
          return (.failure(OracleReason("\(reason.code)")), box.decoder.wasFast)
        }
        let decoded = DecodeOracle.Event(
          key: Array(event.key), source: Array(event.source), customer: Array(event.customer),
          feature: Array(event.feature), units: event.quantity.units, time: Int(event.timeMilliseconds),
          isRevert: event.isRevert, hasKey: event.hasKey, keyMatchesCustomer: event.keyMatchesCustomer,
          isCount: event.aggregate == .count, dimensions: DimensionEncoding.values(of: event.dimensions) ?? [])
        return (.success(decoded), box.decoder.wasFast)
      }
    }
  }

  /// The detail of the last reason by the general way.
  func detail(rules: Int = 0) -> String { boxes[.general]?[rules].decoder.detail.description ?? "" }

  private static func copy(_ bytes: [UInt8]) -> UnsafeMutableRawBufferPointer {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    memory.copyBytes(from: bytes)
    return memory
  }
}
