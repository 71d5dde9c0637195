/// A sink's next claim, derived from the fold: what an owner appends.
public struct PreparedClaim: Hashable, Sendable {
  public var sink: String
  public var number: UInt64
  public var firstCut: UInt64
  public var lastCut: UInt64
  public var configuration: Digest
  public var content: ClaimContent

  /// The chunks and the SEAL.
  public func records(nonce: UInt64, firstSequence: UInt64) -> RecordSet {
    RecordSet(
      kind: .claim, payloads: content.payloads, nonce: nonce, firstSequence: firstSequence
    ) { summary in
      .claim(
        ClaimSeal(
          summary: summary, sink: sink, number: number, firstCut: firstCut, lastCut: lastCut,
          configuration: configuration, rows: UInt32(content.rowCount), skipped: content.skipped))
    }
  }
}

extension LedgerFold {
  /// Builds the next claim of a sink, under the head's configuration.
  ///
  /// - Parameters:
  ///   - lastCut: the last cut that it spans; all that are unclaimed by default.
  ///   - recalled: rows of cuts that are no longer in memory, by number (``CutRecall``).
  ///   - map: the provider's name of a customer; see ``ClaimBuilder/add(cut:payloads:features:map:)``.
  public func prepareClaim(
    sink name: String, through lastCut: UInt64? = nil, recalled: [UInt64: [[UInt8]]] = [:],
    map: ([UInt8]) -> [UInt8]?
  ) throws(ClaimError) -> PreparedClaim {
    guard let sink = sinks[name], sink.isActive, let head, let rules = rules(of: name) else {
      throw .noSuchSink(name)
    }
    let span = unclaimedCuts(of: name).prefix { $0.number <= lastCut ?? .max }
    guard let first = span.first, let last = span.last else { throw .nothingToClaim }
    var builder = ClaimBuilder(rules: rules, carry: sink.carry)
    for cut in span {
      guard let chunks = cut.chunks ?? recalled[cut.number] else {
        throw .rowsMissing(cut: cut.number)
      }
      // A cut does not stand without its CONFIG.
      let features = configurations[cut.configuration]?.counting.features ?? [:]
      try builder.add(cut: cut.number, payloads: chunks, features: features, map: map)
    }
    return PreparedClaim(
      sink: name, number: sink.nextClaim, firstCut: first.number, lastCut: last.number,
      configuration: head.configuration, content: try builder.finish())
  }
}

/// Reads the rows of old cuts again, for a sink that starts at one or comes back: feed it the ledger's records from
/// ``fromOffset`` through ``throughOffset``, as far as they are retained.
public struct CutRecall: Sendable {
  private struct Wanted {
    var number: UInt64
    var summary: SetSummary
    var firstOffset: Int64
    var sealOffset: Int64
    var payloads: [[UInt8]] = []
  }

  private var wanted: [RecordIdentity: Wanted] = [:]
  /// The first ledger offset that was handed over.
  private var retainedFrom: Int64?
  /// The rows found so far, by the number of the cut.
  public private(set) var chunks: [UInt64: [[UInt8]]] = [:]
  /// The first ledger offset to read; nil where nothing is missing.
  public let fromOffset: Int64?
  /// The last ledger offset to read; nil where nothing is missing.
  public let throughOffset: Int64?

  /// Wants the rows of those of the cuts that have none in memory.
  public init(_ cuts: some Sequence<LedgerCut>) {
    let missing = cuts.filter { $0.chunks == nil }
    fromOffset = missing.map(\.firstOffset).min()
    throughOffset = missing.map(\.sealOffset).max()
    for cut in missing {
      if cut.summary.chunks == 0 {
        chunks[cut.number] = []
      } else {
        wanted[RecordIdentity(nonce: cut.nonce, sequence: cut.summary.set)] = Wanted(
          number: cut.number, summary: cut.summary, firstOffset: cut.firstOffset, sealOffset: cut.sealOffset)
      }
    }
  }

  /// Whether all rows were found.
  public var isComplete: Bool { wanted.isEmpty }

  /// The last cut whose rows were deleted with the ledger's beginning, once all that is retained was handed over; nil
  /// where none were.
  public var lastDeleted: (number: UInt64, sealOffset: Int64)? {
    let begin = retainedFrom ?? .max
    return wanted.values.filter { $0.firstOffset < begin }.max { $0.number < $1.number }
      .map { ($0.number, $0.sealOffset) }
  }

  /// A cut whose rows are not what its SEAL says, though nothing of them was deleted; nil where there is none.
  public var damaged: UInt64? {
    let begin = retainedFrom ?? .max
    return wanted.values.filter { $0.firstOffset >= begin }.map(\.number).min()
  }

  /// Takes a record of the ledger, if it is one of those wanted. Where the chunks do not have the cut's digest, the cut
  /// stays missing.
  public mutating func add(_ entry: LedgerEntry) {
    if retainedFrom == nil { retainedFrom = entry.offset }
    guard let (identity, record) = try? LedgerCodec.decode(entry.bytes),
      case .chunk(let chunk) = record,
      chunk.kind == .cut
    else { return }
    let set = RecordIdentity(nonce: identity.nonce, sequence: chunk.set)
    guard var cut = wanted[set], chunk.index == UInt32(cut.payloads.count) else { return }
    cut.payloads.append(chunk.payload)
    wanted[set] = cut
    guard cut.payloads.count == Int(cut.summary.chunks),
      SetDigest.of(cut.payloads) == cut.summary.digest
    else {
      return
    }
    wanted[set] = nil
    chunks[cut.number] = cut.payloads
  }
}
