/// Finds the first complete SNAPSHOT in a ledger that is read from somewhere else than its beginning.
struct SnapshotFinder {
  /// Whether the place came from the group's committed offset, which is only a hint.
  let isHinted: Bool
  private let partition: Int32
  private var sets: [RecordIdentity: [Int: SetChunk]] = [:]

  init(partition: Int32, isHinted: Bool) {
    self.partition = partition
    self.isHinted = isHinted
  }

  /// The fold of the snapshot that this record seals, if it does. Records that cannot be read are passed over: whoever
  /// folds them later says so.
  mutating func read(_ entry: LedgerEntry) -> LedgerFold? {
    guard let (identity, record) = try? LedgerCodec.decode(entry.bytes) else { return nil }
    switch record {
    case .chunk(let chunk):
      sets[RecordIdentity(nonce: identity.nonce, sequence: chunk.set), default: [:]][Int(chunk.index)] = chunk
      return nil
    case .snapshot(let seal):
      let name = RecordIdentity(nonce: identity.nonce, sequence: seal.summary.set)
      guard let chunks = sets[name], chunks.count == Int(seal.summary.chunks) else { return nil }
      let payloads = chunks.sorted { $0.key < $1.key }.map(\.value.payload)
      guard Digest(ofChunks: payloads) == seal.summary.digest else { return nil }
      return try? LedgerFold(partition: partition, snapshot: payloads, through: seal.through)
    default:
      return nil
    }
  }
}
