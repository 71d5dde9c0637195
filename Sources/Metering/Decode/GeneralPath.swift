internal import CHotPath

// The general path: any record. The tape validates all of it and holds its tokens; this reads the fields from them.
extension EventDecoder {
  /// Where an event's fields are.
  enum Shape {
    /// All in the object.
    case native
    /// CloudEvents: attributes in the object, usage in its member `data`.
    case structured
    /// CloudEvents: attributes in headers, the object is the data.
    case binary
  }

  /// Fills ``fields``; returns a reason where they cannot be told.
  @inline(never)
  mutating func readGeneral(_ record: RecordView) -> QuarantineReason? {
    guard tape.read(record.value) else { return reject(.malformedJSON, position: tape.errorPosition) }
    guard tape[0].kind == .object else { return reject(.notAnObject, position: Int(tape[0].start)) }
    for concept in 0..<Concept.count {
      fields[concept] = .absent
      dataFields[concept] = .absent
    }
    shape = shapeOfEvent(record)
    var ambiguous: UInt32 = 0
    var dataAmbiguous: UInt32 = 0
    let ofData: UInt32 =
      1 << UInt32(Concept.customer) | 1 << UInt32(Concept.feature) | 1 << UInt32(Concept.quantity)
      | 1 << UInt32(Concept.revert)
    switch shape {
    case .native:
      collect(from: 0, record, .max, withAttributes: false, into: fields, &ambiguous)
    case .structured:
      collect(from: 0, record, .max, withAttributes: true, into: fields, &ambiguous)
      var data = -1
      while true {
        data = nextMember("data", of: 0, after: data, record)
        guard data >= 0 else { break }
        if tape[data].kind == .object {
          collect(from: data, record, ofData, withAttributes: false, into: dataFields, &dataAmbiguous)
        }
      }
    case .binary:
      collectHeaders(record, &ambiguous)
      collect(from: 0, record, ofData, withAttributes: false, into: dataFields, &dataAmbiguous)
    }
    if shape != .native { override(&ambiguous, dataAmbiguous) }
    for concept in 0..<Concept.count where plan.replacedConcepts >> UInt32(concept) & 1 == 1 {
      ambiguous &= ~(1 << UInt32(concept))
      readReplaced(concept, record, &ambiguous)
    }
    if ambiguous != 0 {
      let concept = ambiguous.trailingZeroBitCount
      return reject(.ambiguousField, concept, position: fields[concept].position(in: record))
    }
    return nil
  }

  private func shapeOfEvent(_ record: RecordView) -> Shape {
    if nextMember("specversion", of: 0, after: -1, record) >= 0 { return .structured }
    return hasEventHeader(record) ? .binary : .native
  }

  /// Whether the record says that it is a CloudEvent in binary mode.
  @inline(never)
  func hasEventHeader(_ record: RecordView) -> Bool {
    for header in record.headers where header.name.isSame(as: "ce_specversion") && header.value.count > 0 {
      return true
    }
    return false
  }

  /// CloudEvents: the data object's customer and feature stand in for the attributes; quantity and revert are one
  /// concept wherever they are.
  private func override(_ ambiguous: inout UInt32, _ dataAmbiguous: UInt32) {
    for concept in [Concept.customer, Concept.feature] where dataFields[concept].kind != .absent {
      fields[concept] = dataFields[concept]
      ambiguous = ambiguous & ~(1 << UInt32(concept)) | dataAmbiguous & 1 << UInt32(concept)
    }
    for concept in [Concept.quantity, Concept.revert] {
      ambiguous |= dataAmbiguous & 1 << UInt32(concept)
      merge(dataFields[concept], concept, into: fields, &ambiguous)
    }
  }

  /// Takes all members of an object that the alias table knows.
  private mutating func collect(
    from object: Int, _ record: RecordView, _ allowed: UInt32, withAttributes: Bool,
    into target: UnsafeMutablePointer<FieldValue>, _ ambiguous: inout UInt32
  ) {
    var name = object + 1
    let end = Int(tape[object].next)
    while name < end {
      let member = name + 1
      name = Int(tape[member].next)
      guard tape[member].kind != .null else { continue }
      let text = self.text(member - 1, record)
      var concept = plan.names.find(text)
      if concept < 0, withAttributes { concept = plan.attributeNames.find(text) }
      guard concept >= 0, allowed >> UInt32(concept) & 1 == 1 else { continue }
      merge(value(member, record), Int(concept), into: target, &ambiguous)
    }
  }

  private mutating func collectHeaders(_ record: RecordView, _ ambiguous: inout UInt32) {
    for header in record.headers {
      guard header.value.count > 0, header.name.count > 3, header.name.prefix(3).elementsEqual("ce_".utf8) else {
        continue
      }
      let name = ByteSlice(rebasing: header.name[3...])
      var concept = plan.attributeNames.find(name)
      if concept < 0 {
        let alias = Int(plan.names.find(name))
        let isShared = alias == Concept.time && name.isSame(as: "time") || alias == Concept.source
        guard isShared || alias == Concept.revert else { continue }
        concept = Int32(alias)
      }
      merge(Self.headerValue(header, Int(concept)), Int(concept), into: fields, &ambiguous)
    }
  }

  /// A header's text; for `revert` the boolean that it spells (SDKs write `true` and `True`).
  private static func headerValue(_ header: HeaderView, _ concept: Int) -> FieldValue {
    var value = FieldValue(
      start: header.value.baseAddress, count: Int32(clamping: header.value.count), kind: .string)
    if !UTF8Text.isValid(header.value) {
      value.kind = .notText
    } else if concept == Concept.revert {
      if header.value.isSame(as: "true") || header.value.isSame(as: "True") { value.kind = .true }
      if header.value.isSame(as: "false") || header.value.isSame(as: "False") { value.kind = .false }
    }
    return value
  }

  /// Adds a value to its concept: one that says something else makes it ambiguous.
  private func merge(
    _ value: FieldValue, _ concept: Int, into target: UnsafeMutablePointer<FieldValue>, _ ambiguous: inout UInt32
  ) {
    guard value.kind != .absent else { return }
    if target[concept].kind == .absent {
      target[concept] = value
    } else if !target[concept].says(sameAs: value, for: concept) {
      ambiguous |= 1 << UInt32(concept)
    }
  }

  // MARK: events.fields

  /// The first of the configured names that is present; CloudEvents' usage is first looked for in the data, its
  /// identity first in the attributes.
  private mutating func readReplaced(_ concept: Int, _ record: RecordView, _ ambiguous: inout UInt32) {
    fields[concept] = .absent
    let dataFirst = concept == Concept.customer || concept == Concept.feature || concept == Concept.quantity
    for path in plan.replacements[concept] {
      for turn in 0..<(shape == .native ? 1 : 2) {
        if shape != .native, dataFirst == (turn == 0) {
          gatherInData(path[...], concept, record, &ambiguous)
        } else if shape == .binary {
          gatherInEnvelope(path, concept, record, &ambiguous)
        } else {
          gather(path[...], from: 0, concept, record, &ambiguous)
        }
        if fields[concept].kind != .absent { return }
      }
    }
  }

  private mutating func gatherInData(
    _ path: ArraySlice<[UInt8]>, _ concept: Int, _ record: RecordView, _ ambiguous: inout UInt32
  ) {
    guard shape == .structured else { return gather(path, from: 0, concept, record, &ambiguous) }
    var data = -1
    while true {
      data = nextMember("data", of: 0, after: data, record)
      guard data >= 0 else { return }
      if tape[data].kind == .object { gather(path, from: data, concept, record, &ambiguous) }
    }
  }

  /// Binary mode: a name is an attribute, `data.x` a member of the object.
  private mutating func gatherInEnvelope(
    _ path: FieldPlan.Path, _ concept: Int, _ record: RecordView, _ ambiguous: inout UInt32
  ) {
    if path.count > 1, path[0].elementsEqual("data".utf8) {
      return gather(path[1...], from: 0, concept, record, &ambiguous)
    }
    guard path.count == 1 else { return }
    for header in record.headers
    where header.value.count > 0 && header.name.count == path[0].count + 3
      && header.name.prefix(3).elementsEqual("ce_".utf8) && header.name.dropFirst(3).elementsEqual(path[0])
    {
      merge(Self.headerValue(header, concept), concept, into: fields, &ambiguous)
    }
  }

  /// All values at a path: repeated names have to agree on the way, too.
  private mutating func gather(
    _ path: ArraySlice<[UInt8]>, from object: Int, _ concept: Int, _ record: RecordView, _ ambiguous: inout UInt32
  ) {
    guard let head = path.first else { return }
    var member = -1
    while true {
      member = head.withUnsafeBytes { nextMember($0, of: object, after: member, record) }
      guard member >= 0 else { return }
      if path.count == 1 {
        merge(value(member, record), concept, into: fields, &ambiguous)
      } else if tape[member].kind == .object {
        gather(path.dropFirst(), from: member, concept, record, &ambiguous)
      }
    }
  }

  // MARK: dimensions

  /// The value of one dimension; a container where its type is none that a dimension can have.
  mutating func generalDimension(_ index: Int, _ record: RecordView) -> FieldValue {
    let name = plan.dimensionNames[index]
    for path in plan.dimensionPaths {
      if shape != .native {
        var data = shape == .structured ? -1 : 0
        repeat {
          if shape == .structured { data = nextMember("data", of: 0, after: data, record) }
          guard data >= 0 else { break }
          if tape[data].kind == .object, let found = dimension(name, path[...], in: data, isStrict: true, record) {
            return found
          }
        } while shape == .structured
      }
      if shape == .binary {
        guard path[0].elementsEqual("data".utf8) else { continue }
        if let found = dimension(name, path.dropFirst(), in: 0, isStrict: true, record) { return found }
      } else if let found = dimension(
        name, path[...], in: 0, isStrict: shape == .native || path.count > 1, record)
      {
        return found
      }
    }
    guard shape != .native, !plan.areDimensionsReplaced else { return .absent }
    if shape == .binary { return dimension(name, [], in: 0, isStrict: true, record) ?? .absent }
    var data = -1
    while true {
      data = nextMember("data", of: 0, after: data, record)
      guard data >= 0 else { return .absent }
      if tape[data].kind == .object, let found = dimension(name, [], in: data, isStrict: true, record) { return found }
    }
  }

  /// Looks into every object at a path. Something else in its place is the wrong type, where that is strict
  /// (an attribute of CloudEvents may bear the same name, and is no object).
  private mutating func dimension(
    _ name: [UInt8], _ path: ArraySlice<[UInt8]>, in object: Int, isStrict: Bool, _ record: RecordView
  ) -> FieldValue? {
    guard let head = path.first else {
      let member = name.withUnsafeBytes { nextMember($0, of: object, after: -1, record) }
      return member >= 0 ? value(member, record) : nil
    }
    var member = -1
    while true {
      member = head.withUnsafeBytes { nextMember($0, of: object, after: member, record) }
      guard member >= 0 else { return nil }
      if tape[member].kind == .object {
        if let found = dimension(name, path.dropFirst(), in: member, isStrict: isStrict, record) { return found }
      } else if path.count == 1, isStrict {
        var wrong = value(member, record)
        wrong.kind = .container
        return wrong
      }
    }
  }

  // MARK: tokens

  /// The token of the next member of that name which is not `null`, or −1. `after`: the token of the last one, or −1.
  private func nextMember(_ name: StaticString, of object: Int, after last: Int, _ record: RecordView) -> Int {
    nextMember(ByteSlice(start: name.utf8Start, count: name.utf8CodeUnitCount), of: object, after: last, record)
  }

  private func nextMember(_ name: ByteSlice, of object: Int, after last: Int, _ record: RecordView) -> Int {
    var at = last < 0 ? object + 1 : Int(tape[last].next)
    let end = Int(tape[object].next)
    while at < end {
      let member = at + 1
      if tape[member].kind != .null, isName(at, name, record) { return member }
      at = Int(tape[member].next)
    }
    return -1
  }

  private func isName(_ token: Int, _ name: ByteSlice, _ record: RecordView) -> Bool {
    let content = slice(token, record)
    guard tape[token].isEscaped else { return content.isSame(as: name) }
    // An escape stands for at most its own length, and is at most six times as long as one byte.
    guard content.count >= name.count, content.count <= name.count * 6 else { return false }
    return withUnsafeTemporaryAllocation(byteCount: content.count, alignment: 1) { room in
      guard let start = room.baseAddress else { return name.count == 0 }
      return ByteSlice(start: start, count: UTF8Text.unescape(content, to: start)).isSame(as: name)
    }
  }

  private func slice(_ token: Int, _ record: RecordView) -> ByteSlice {
    ByteSlice(rebasing: record.value[Int(tape[token].start)..<Int(tape[token].end)])
  }

  /// A string's text, unescaped into the scratch where it has to be.
  private mutating func text(_ token: Int, _ record: RecordView) -> ByteSlice {
    let content = slice(token, record)
    guard tape[token].isEscaped else { return content }
    let length = UTF8Text.unescape(content, to: scratch.reserve(content.count))
    return scratch.commit(length)
  }

  private mutating func value(_ token: Int, _ record: RecordView) -> FieldValue {
    let kind: FieldValue.Kind
    var bytes = slice(token, record)
    switch tape[token].kind {
    case .object, .array: kind = .container
    case .number: kind = .number
    case .true: kind = .true
    case .false: kind = .false
    case .null: kind = .absent
    case .string:
      kind = .string
      bytes = text(token, record)
    }
    return FieldValue(
      start: bytes.baseAddress, count: Int32(bytes.count), kind: kind)
  }
}

extension ByteSlice {
  func isSame(as other: ByteSlice) -> Bool {
    guard count == other.count else { return false }
    guard let start = baseAddress, let otherStart = other.baseAddress else { return count == 0 }
    return meterd_equal(start, otherStart, count)
  }

  func isSame(as other: StaticString) -> Bool {
    isSame(as: ByteSlice(start: other.utf8Start, count: other.utf8CodeUnitCount))
  }
}
