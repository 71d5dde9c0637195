internal import Dispatch
public import Metering
public import Storage

/// A partition's local state behind a queue of its own, so that no sync ever holds up counting: the worker fills the
/// next commit while this one is written.
///
/// Commands run in order. The first failure is final: the store takes nothing more, and the partition stops.
final class PartitionStorage: Sendable {
  let store: PartitionStore
  private let queue: DispatchQueue
  private let metrics: Histogram

  /// What a command came to.
  enum Outcome: Sendable {
    case committed
    case sealed(any SealedSegment)
    case expired
    case failed(String)
  }

  /// Takes over an open store.
  init(store: PartitionStore, partition: Int32, metrics: MeterdMetrics) {
    self.store = store
    queue = DispatchQueue(label: "storage.\(partition)")
    self.metrics = metrics.journalCommitDurationSeconds[NoLabels()]
  }

  /// The folder of one partition.
  static func folder(_ storagePath: String, partition: Int32) -> String { "\(storagePath)/partition-\(partition)" }

  /// Runs a command; `done` is called on the storage's queue.
  func run(_ command: StorageCommand, done: @escaping @Sendable (Outcome) -> Void) {
    queue.async { [self] in
      do throws(StorageError) {
        switch command {
        case .commit(let chunks, let summary):
          let begin = Clock.elapsedNanoseconds()
          try store.commit(chunks, state: StoreState(summary))
          metrics.observe(Double(Clock.elapsedNanoseconds() - begin) / 1e9)
          done(.committed)
        case .seal(let segment): done(.sealed(try store.seal(segment)))
        case .expire(let bucket):
          try store.expire(before: bucket)
          done(.expired)
        }
      } catch {
        done(.failed(error.description))
      }
    }
  }

  /// Waits until what was commanded is done.
  func finish() { queue.sync {} }
}

extension StoreState {
  /// What the machine says of the state that it hands over.
  init(_ summary: LocalSummary) {
    self.init(
      genesis: summary.incarnation, configurationDigest: summary.configuration.sixteenBytes,
      ledgerPosition: summary.ledgerNextOffset, ledgerDigest: summary.ledgerDigest.sixteenBytes,
      headRecord: bytes(UInt64(bitPattern: summary.headRecordOffset)), headOffset: summary.headOffset,
      headClockMilliseconds: 0, bucketMilliseconds: summary.bucketMilliseconds)
  }
}

extension LocalSummary {
  /// What a folder says of itself; nil where it holds nothing, or something that this version did not write.
  init?(_ store: PartitionStore) {
    guard let state = store.state else { return nil }
    self.init(state, nextOffset: store.nextOffset ?? state.headOffset)
  }

  /// What a partition's folder says of itself, seen from outside: nothing is taken or changed. ``nextOffset`` is the
  /// head's, since the journal is not read.
  ///
  /// - Returns: nil where it holds nothing, or something that a run would throw away.
  /// - Throws: `inUse` while a running meterd has it; else why it cannot be read.
  public static func look(storagePath: String, partition: Int32) throws(StorageError) -> LocalSummary? {
    do throws(StorageError) {
      let folder = PartitionStorage.folder(storagePath, partition: partition)
      return try PartitionStore.look(into: folder).flatMap { LocalSummary($0, nextOffset: $0.headOffset) }
    } catch {
      if error.needsRebuild { return nil }
      throw error
    }
  }

  private init?(_ state: StoreState, nextOffset: Int64) {
    guard state.headRecord.count == 8, state.genesis.count == 16,
      let configuration = Digest(sixteenBytes: state.configurationDigest),
      let ledgerDigest = Digest(sixteenBytes: state.ledgerDigest)
    else { return nil }
    self.init(
      incarnation: state.genesis, configuration: configuration, bucketMilliseconds: state.bucketMilliseconds,
      headRecordOffset: Int64(bitPattern: number(state.headRecord[0..<8])), headOffset: state.headOffset,
      nextOffset: nextOffset, ledgerNextOffset: state.ledgerPosition,
      ledgerDigest: ledgerDigest)
  }
}

extension Digest {
  fileprivate var sixteenBytes: [UInt8] { bytes(high) + bytes(low) }

  fileprivate init?(sixteenBytes data: [UInt8]) {
    guard data.count == 16 else { return nil }
    self.init(high: number(data[0..<8]), low: number(data[8..<16]))
  }
}

private func bytes(_ value: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
}
private func number(_ data: ArraySlice<UInt8>) -> UInt64 { data.reduce(0) { $0 << 8 | UInt64($1) } }
