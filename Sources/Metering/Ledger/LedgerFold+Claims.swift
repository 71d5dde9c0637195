/// A claim that was found sound, before it is taken.
struct SoundClaim {
  var claim: OpenClaim
  var carries: [CarryChange]
  var skipped: Quantity
  /// The sum of all cuts through its last (wrapping).
  var quantityThrough: Quantity
  /// Rows of value 0 are settled at once.
  var zeroRows: Int64
}

extension LedgerFold {
  /// Decodes a claim and checks it: that it follows the sink's last one, that its carry-in is what is carried, and that
  /// no quantity appears or vanishes in it.
  func claim(
    _ seal: ClaimSeal, sink: SinkState, payloads: [[UInt8]], at place: Place
  ) throws(LedgerFault) -> SoundClaim {
    func malformed(_ what: String) -> LedgerFault {
      LedgerFault(
        .setMalformed, offset: place.offset, detail: "claim \(seal.number) of sink \(seal.sink): \(what)")
    }
    guard configurations[seal.configuration]?.sink(named: seal.sink) != nil else {
      throw LedgerFault(
        .configurationUnknown, offset: place.offset,
        detail: "no configuration \(seal.configuration.hexadecimal) with sink \(seal.sink)")
    }
    guard seal.number == sink.nextClaim else { throw malformed("the next one is \(sink.nextClaim)") }
    guard seal.lastCut >= seal.firstCut, let last = cut(seal.lastCut) else {
      throw malformed("it ends at cut \(seal.lastCut), which does not stand")
    }
    var builder = ClaimArenaBuilder()
    var unmapped: [Int] = []
    var carries: [CarryChange] = []
    var index: UInt32 = 0
    var zeroRows: Int64 = 0
    var sum = seal.skipped.units
    do {
      for payload in payloads {
        var reader = ByteReader(payload)
        let count = try reader.count(ofAtLeast: 4)
        if index == 0 { builder.reserve(rows: min(Int(seal.rows), count * payloads.count)) }
        builder.beginStream()
        for _ in 0..<count {
          let (value, isUnmapped) = try builder.read(from: &reader, index: index)
          sum &+= value.units
          if value == .zero { zeroRows += 1 } else if isUnmapped { unmapped.append(builder.count - 1) }
          index &+= 1
        }
        carries += try ClaimChunk.carries(from: &reader)
      }
    } catch {
      throw malformed("\(error)")
    }
    guard index == seal.rows else { throw malformed("\(index) rows, the SEAL says \(seal.rows)") }
    var seen: Set<CarryKey> = []
    for carry in carries {
      let key = CarryKey(customer: carry.customer, meter: carry.meter)
      guard seen.insert(key).inserted, sink.carry[key] ?? .zero == carry.carriedIn else {
        throw LedgerFault(
          .carryMismatch, offset: place.offset,
          detail: "claim \(seal.number) of sink \(seal.sink) does not begin with what is carried")
      }
      sum &+= carry.carriedOut.units &- carry.carriedIn.units
    }
    let through = Quantity(units: last.quantityBefore.units &+ last.quantity.units)
    guard sum == through.units &- sink.quantityBeforeNext.units else {
      throw LedgerFault(
        .claimUnbalanced, offset: place.offset,
        detail: "claim \(seal.number) of sink \(seal.sink) does not hold what its cuts hold")
    }
    var claim = OpenClaim(
      number: seal.number, firstCut: seal.firstCut, lastCut: seal.lastCut, configuration: seal.configuration,
      sealOffset: place.offset, ledgerMilliseconds: place.ledgerMilliseconds, arena: builder.finish())
    if !unmapped.isEmpty {
      claim.set(RowHistory(verdict: .parked(reason: Park.unmappedCustomer, record: place.offset)), at: unmapped)
    }
    return SoundClaim(
      claim: claim,
      carries: carries, skipped: seal.skipped, quantityThrough: through, zeroRows: zeroRows)
  }
}

extension SinkState {
  mutating func apply(_ sound: SoundClaim) {
    nextClaim = sound.claim.number &+ 1
    nextCut = sound.claim.lastCut &+ 1
    quantityBeforeNext = sound.quantityThrough
    totals.skipped.units &+= sound.skipped.units
    for change in sound.carries {
      let key = CarryKey(customer: change.customer, meter: change.meter)
      carry[key] = change.carriedOut == .zero ? nil : change.carriedOut
      totals.carried.units &+= change.carriedOut.units &- change.carriedIn.units
    }
    for (key, rest) in returned {
      let joined = Quantity(units: (carry[key] ?? .zero).units &+ rest.units)
      carry[key] = joined == .zero ? nil : joined
    }
    returned = [:]
    totals.settledRows[Int(RowState.Settlement.zero.rawValue)] &+= sound.zeroRows
    sound.claim.forEachHistory { value, rows, history in totals.add(value, rows: rows, to: history.state.bucket) }
    if sound.claim.openCount > 0 { claims.append(sound.claim) }
  }
}
