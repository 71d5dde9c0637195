internal import CHotPath

// What both paths share: the values that were found become an event, or the first reason against it.
extension EventDecoder {
  /// Judges ``fields`` in the contract's order (INTERFACE.md, section 1), from the missing fields on.
  @inline(__always)
  mutating func judge(
    _ record: RecordView, clock: Int64, isFast: Bool, into event: inout DecodedEvent
  ) -> QuarantineReason? {
    let key = fields[Concept.key]
    let customer = fields[Concept.customer]
    let feature = fields[Concept.feature]
    let source = fields[Concept.source]
    let quantity = fields[Concept.quantity]

    if key.kind == .absent, !keepsMissingKeys { return reject(.missingKey, Concept.key) }
    if customer.kind == .absent { return reject(.missingCustomer, Concept.customer) }
    if feature.kind == .absent { return reject(.missingFeature, Concept.feature) }
    let rule = feature.kind == .string ? plan.feature(feature.bytes) : plan.unlisted
    if quantity.kind == .absent, rule.aggregate != .count { return reject(.missingQuantity, Concept.quantity) }

    if key.kind != .absent, let reason = judgeText(key, Concept.key, record) { return reason }
    if let reason = judgeText(customer, Concept.customer, record) { return reason }
    if let reason = judgeText(feature, Concept.feature, record) { return reason }
    if source.kind != .absent, let reason = judgeText(source, Concept.source, record) { return reason }

    if quantity.kind == .absent {
      event.quantity = .zero
    } else if let reason = judgeQuantity(quantity, rule, record, &event) {
      return reason
    }

    let revert = fields[Concept.revert]
    switch revert.kind {
    case .absent, .false: event.isRevert = false
    case .true: event.isRevert = true
    default: return reject(.wrongType, Concept.revert, position: revert.position(in: record))
    }

    let time = fields[Concept.time]
    if time.kind == .absent {
      // The record's timestamp, and never refused for it; one beyond the clock's cap is not the event's time either.
      let stamp = record.timestampMilliseconds
      event.timeMilliseconds = stamp >= 0 ? min(stamp, clock) : clock
    } else if let reason = judgeTime(time, clock: clock, record, &event) {
      return reason
    }

    if !rule.isListed, refusesUnknownFeatures {
      return reject(.unknownFeature, Concept.feature, position: feature.position(in: record))
    }
    if rule.dimensionCount == 0 {
      event.dimensions = ByteSlice(start: nil, count: 0)
    } else if let reason = encodeDimensions(record, rule, isFast: isFast, &event) {
      return reason
    }

    var matches = true
    if checksKey {
      matches = record.key.count == Int(customer.count) && customer.isSame(as: record.key)
      if !matches, refusesOtherKeys {
        return reject(.keyMismatch, Concept.customer, position: customer.position(in: record))
      }
    }
    event.key = key.bytes
    event.source = source.bytes
    event.customer = customer.bytes
    event.feature = feature.bytes
    event.hasKey = key.kind != .absent
    event.keyMatchesCustomer = matches
    event.aggregate = rule.aggregate
    return nil
  }

  /// A string of 1–256 bytes; of 0–256 for the source.
  @inline(__always)
  private mutating func judgeText(_ value: FieldValue, _ concept: Int, _ record: RecordView) -> QuarantineReason? {
    if value.kind == .string, value.count <= Self.maximumFieldBytes, value.count > 0 || concept == Concept.source {
      return nil
    }
    let reason: QuarantineReason =
      value.kind != .string ? .wrongType : value.count == 0 ? .fieldEmpty : .fieldTooLong
    return reject(reason, concept, position: value.position(in: record))
  }

  @inline(__always)
  private mutating func judgeQuantity(
    _ value: FieldValue, _ rule: CompiledFeature, _ record: RecordView, _ event: inout DecodedEvent
  ) -> QuarantineReason? {
    let whole = value.plainInteger
    if whole >= 0 {
      event.quantity = Quantity(units: Int128(whole) &* Quantity.scale)
      return nil
    }
    return judgeAnyQuantity(value, rule, record, &event)
  }

  private mutating func judgeAnyQuantity(
    _ value: FieldValue, _ rule: CompiledFeature, _ record: RecordView, _ event: inout DecodedEvent
  ) -> QuarantineReason? {
    let position = value.position(in: record)
    guard let number = value.number else { return reject(.wrongType, Concept.quantity, position: position) }
    guard number.isExact else { return reject(.quantityNotExact, Concept.quantity, position: position) }
    guard number.isInRange else { return reject(.quantityOutOfRange, Concept.quantity, position: position) }
    guard !number.isNegative || rule.allowNegative else {
      return reject(.quantityNegative, Concept.quantity, position: position)
    }
    event.quantity = number.eventQuantity
    return nil
  }

  @inline(__always)
  private mutating func judgeTime(
    _ value: FieldValue, clock: Int64, _ record: RecordView, _ event: inout DecodedEvent
  ) -> QuarantineReason? {
    let whole = value.plainInteger
    let stated =
      whole >= 0
      ? TimeText.milliseconds(unix: whole)
      : value.kind == .string ? fast.days.milliseconds(value.bytes) : value.instant
    guard let instant = stated else {
      return reject(.timeInvalid, Concept.time, position: value.position(in: record))
    }
    // Both limits are part of what is allowed. A difference that overflows is beyond any limit.
    let (age, ageOverflow) = clock.subtractingReportingOverflow(instant)
    if ageOverflow ? clock > instant : age > maxAgeMilliseconds {
      return reject(.timeTooOld, Concept.time, position: value.position(in: record))
    }
    if ageOverflow ? clock < instant : age < -maxAheadMilliseconds {
      return reject(.timeTooNew, Concept.time, position: value.position(in: record))
    }
    event.timeMilliseconds = instant
    return nil
  }

  /// Writes the used dimensions to the scratch.
  @inline(never)
  private mutating func encodeDimensions(
    _ record: RecordView, _ rule: CompiledFeature, isFast: Bool, _ event: inout DecodedEvent
  ) -> QuarantineReason? {
    var bound = 0
    for number in 0..<rule.dimensionCount {
      let index = rule.firstDimension + number
      let value = isFast ? fast.dimension(plan.dimensionNames[index]) : generalDimension(index, record)
      let isTooLong = value.kind == .number && NumberText(value.bytes).isBeyondLimit
      guard value.kind != .container, !isTooLong else {
        return reject(isTooLong ? .fieldTooLong : .wrongType, position: value.position(in: record), dimension: index)
      }
      dimensionValues[number] = value
      bound += DimensionEncoding.bound(Int(value.count))
    }
    let target = scratch.reserve(bound)
    var length = 0
    for number in 0..<rule.dimensionCount {
      length += DimensionEncoding.write(dimensionValues[number], to: target + length)
    }
    event.dimensions = scratch.commit(length)
    return nil
  }
}

extension FieldValue {
  /// Whether the text is exactly these bytes; the counts are known to be equal.
  @inline(__always)
  func isSame(as other: ByteSlice) -> Bool {
    guard let start, let otherStart = other.baseAddress else { return count == 0 }
    return meterd_equal(start, otherStart, other.count)
  }
}
