/// GENESIS, OWNER, CONFIG, RESOLVE.
extension LedgerFold {
  mutating func apply(_ first: Genesis, rules bytes: [UInt8], at place: Place) throws(LedgerFault) -> LedgerChange {
    guard first.partition == partition else {
      throw LedgerFault(
        .genesisForeign, offset: place.offset,
        detail: "GENESIS is of partition \(first.partition), this is partition \(partition)")
    }
    configurations[first.configuration] = try rules(bytes, digest: first.configuration, at: place)
    genesis = first
    genesisOffset = place.offset
    head = Head(
      offset: first.startOffset, cutNumber: 0, clockMilliseconds: .min, ledgerMilliseconds: place.ledgerMilliseconds,
      recordOffset: place.offset, configuration: first.configuration, lastRecord: nil)
    return .genesis(first)
  }

  /// The latest OWNER is the owner. Sets of its predecessors can't be sealed any more.
  mutating func apply(_ record: Owner, at place: Place) -> LedgerChange {
    let nonce = place.identity.nonce
    if nonces[nonce]?.wasOwner == true { return .ignored(.nonceUsed) }
    owner = LedgerOwner(
      nonce: nonce, offset: place.offset, ledgerMilliseconds: place.ledgerMilliseconds, instance: record.instance)
    openSets = [:]
    return .owner(nonce: nonce)
  }

  mutating func apply(_ record: ConfigurationRecord, at place: Place) throws(LedgerFault) -> LedgerChange {
    let rules = try rules(record.bytes, digest: record.digest, at: place)
    if configurations[record.digest] != nil { return .ignored(.configurationStands) }
    configurations[record.digest] = rules
    return .configuration(record.digest)
  }

  /// The rules that GENESIS or a CONFIG holds, checked against the digest that it states.
  private func rules(_ bytes: [UInt8], digest: Digest, at place: Place) throws(LedgerFault) -> BillingRules {
    guard Digest(of: bytes) == digest else {
      throw LedgerFault(
        .configurationMismatch, offset: place.offset, detail: "the rules do not have the digest that the record states")
    }
    do {
      return try BillingRules(decoding: bytes)
    } catch {
      if case .unknownVersion = error { throw LedgerFault(error, offset: place.offset) }
      throw LedgerFault(.configurationMismatch, offset: place.offset, detail: error.description)
    }
  }

  mutating func apply(_ resolve: Resolve, at place: Place) -> LedgerChange {
    switch resolve.decision {
    case .stop(let reason, let offset, let argument):
      resolvedStops.append(
        ResolvedStop(reason: reason, offset: offset, argument: argument, record: place.offset))
      if reason == StopReason.Code.rowsDeleted.rawValue { skipDeletedRows(through: offset) }
      return .resolvedStop(reason: reason, offset: offset, argument: argument)
    case .retry(let sink, _, _, _), .settle(let sink, _, _), .drop(let sink, _, _):
      // What the contract takes now, or took when the row was claimed.
      let present = rules(of: sink)?.rowRules
      let configurations = configurations
      guard
        let change = sinks[sink]?.apply(
          resolve.decision, rules: { present ?? configurations[$0]?.sink(named: sink)?.rowRules })
      else { return .ignored(.noEffect) }
      return .resolvedRow(sink: sink, row: change)
    }
  }
}
