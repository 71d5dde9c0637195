public import Metering

// Between a partition machine's words and a sink machine's: the daemon and the simulator use the same.

extension RowDimension {
  /// Those of a claim's row. They have names and values: `ClaimBuilder` has put them so.
  static func all(in bytes: [UInt8]) -> [RowDimension] {
    (NamedDimensions.decode(bytes) ?? []).compactMap { RowDimension(name: $0.name, value: $0.value) }
  }

  init?(name: String, value: DimensionValue) {
    switch value {
    case .absent: return nil
    case .string(let text): self.init(name: name, text: text, kind: .string)
    case .number(let text): self.init(name: name, text: text, kind: .number)
    case .boolean(let isTrue):
      self.init(name: name, text: isTrue ? "true" : "false", kind: .boolean)
    }
  }
}

extension SinkInput {
  /// What a partition's notice means for its sink.
  public static func inputs(for notice: SinkNotice, partition: Int32) -> [SinkInput] {
    switch notice {
    case .opened(let rows, let ledgerMilliseconds, let appendedAt):
      let anchor = LedgerAnchor(
        ledgerMilliseconds: ledgerMilliseconds, elapsedBeforeAppend: appendedAt)
      return [.partitionOpened(partition, rows: SinkRows(rows), anchor: anchor)]
    case .claimStands(let rows): return [.claimStands(partition, rows: SinkRows(rows))]
    case .sendingStands(let token, let identity, let ledgerMilliseconds, let appendedAt):
      return [
        .ledgerAnchor(
          partition,
          LedgerAnchor(ledgerMilliseconds: ledgerMilliseconds, elapsedBeforeAppend: appendedAt)),
        .sendingStands(
          partition, SendingToken(number: token), identity: identity,
          ledgerMilliseconds: ledgerMilliseconds),
      ]
    case .sendingVoid(let token): return [.sendingVoid(partition, SendingToken(number: token))]
    case .rowChanged(let row): return [.rowRetried(partition, SinkRow(row))]
    case .rowGone(let reference): return [.rowGone(partition, reference)]
    case .ledgerTime(let milliseconds, let appendedAt):
      return [
        .ledgerAnchor(
          partition, LedgerAnchor(ledgerMilliseconds: milliseconds, elapsedBeforeAppend: appendedAt)
        )
      ]
    case .closed: return [.partitionClosed(partition)]
    }
  }
}

extension DeliveryRecord {
  /// What a sink wants appended, in the partition's words.
  public init(_ append: SinkAppend) {
    switch append {
    case .sending(let token, let sending): self = .sending(sending, token: token.number)
    case .unsent(let unsent): self = .unsent(unsent)
    case .done(let done): self = .done(done)
    case .park(let park): self = .park(park)
    }
  }
}
