/// The records of a set, ready to be appended in order: its chunks, then its SEAL.
public struct RecordSet: Hashable, Sendable {
  public var records: [[UInt8]]
  /// The sequence that the owner's next record takes.
  public var nextSequence: UInt64

  /// Wraps payloads into records of `nonce`, from `firstSequence` on; `seal` makes the last one.
  init(
    kind: SetKind, payloads: [[UInt8]], nonce: UInt64, firstSequence: UInt64,
    seal: (SetSummary) -> LedgerRecord
  ) {
    records = []
    records.reserveCapacity(payloads.count + 1)
    var sequence = firstSequence
    for (index, payload) in payloads.enumerated() {
      let chunk = SetChunk(kind: kind, set: firstSequence, index: UInt32(index), payload: payload)
      records.append(
        LedgerCodec.encode(
          .chunk(chunk), identity: RecordIdentity(nonce: nonce, sequence: sequence)))
      sequence += 1
    }
    let summary = SetSummary(
      set: firstSequence, chunks: UInt32(payloads.count), digest: SetDigest.of(payloads))
    records.append(
      LedgerCodec.encode(seal(summary), identity: RecordIdentity(nonce: nonce, sequence: sequence)))
    nextSequence = sequence + 1
  }
}

/// The records of a CUT.
public enum CutBuilder {
  /// Encodes a frozen range as chunks and SEAL.
  ///
  /// - Parameters:
  ///   - number: the head's `cutNumber`.
  ///   - configuration: the digest of the rules under which the range was judged; a CONFIG holds it already.
  ///   - lastRecord: the last record below the range's end; nil where the range holds none.
  ///   - indexFromOffset: where a changed window was rebuilt, the offset from which the index reaches.
  ///   - isAcceptedLoss: a RESOLVE accepted that records of the range are gone.
  public static func records(
    _ frozen: FrozenRange, number: UInt64, configuration: Digest, lastRecord: LastRecord?,
    indexFromOffset: Int64? = nil, isAcceptedLoss: Bool = false, nonce: UInt64,
    firstSequence: UInt64
  ) -> RecordSet {
    RecordSet(
      kind: .cut, payloads: frozen.payloads, nonce: nonce,
      firstSequence: firstSequence
    ) { summary in
      .cut(
        CutSeal(
          summary: summary, number: number, from: frozen.from, to: frozen.to,
          clockMilliseconds: frozen.clockAtEnd,
          configuration: configuration, indexFromOffset: indexFromOffset, counters: frozen.counters,
          lastRecord: lastRecord, isAcceptedLoss: isAcceptedLoss, rows: UInt32(frozen.rowCount)))
    }
  }
}

/// The records of a SNAPSHOT.
public enum SnapshotBuilder {
  /// Encodes the fold's whole state; nil while a set of the owner is open (``LedgerFold/canSnapshot``).
  public static func records(of fold: LedgerFold, nonce: UInt64, firstSequence: UInt64)
    -> RecordSet?
  {
    guard let payloads = fold.snapshot() else { return nil }
    return RecordSet(
      kind: .snapshot, payloads: payloads, nonce: nonce, firstSequence: firstSequence
    ) { summary in
      .snapshot(SnapshotSeal(summary: summary, through: fold.through))
    }
  }
}
