internal import Dispatch
public import Kafka
public import Metering

/// What reading a ledger partition brings.
public enum LedgerTailEvent: Sendable {
  /// Records, in offset order.
  case entries([LedgerEntry])
  /// The reader has delivered every record below this offset, which is the end of the partition at this moment.
  /// Comes each time the end is reached.
  case caughtUp(end: Int64)
  /// The reading has ended: the offset is gone, a record was skipped, or the broker refuses.
  case failed(LedgerTailFailure)
}

/// Why a ledger partition cannot be read on.
public enum LedgerTailFailure: Error, Sendable, CustomStringConvertible {
  case kafka(KafkaError)
  /// Records are missing: only meterd appends to the ledger, outside of transactions, so there are no holes.
  case gap(expected: Int64, found: Int64)

  public var description: String {
    switch self {
    case .kafka(let error): "\(error)"
    case .gap(let expected, let found):
      "ledger record \(expected) is missing: the next one is \(found). Records were deleted or the topic was re-created"
    }
  }
}

/// Reads one ledger partition from an offset on, and goes on as records are appended, until it is stopped.
///
/// Life: made by ``LedgerLog/read(partition:from:deliver:)``; reads on a Dispatch queue of its own, where each turn
/// waits for records at most `turnMilliseconds`; ended by ``stop()``.
public final class LedgerTail: @unchecked Sendable {
  // Unchecked: `batch` and `next` belong to `queue`; the stream synchronizes itself.
  private let stream: PartitionStream
  private let queue: DispatchQueue
  private let deliver: @Sendable (LedgerTailEvent) -> Void
  private let isStopped = Flag()
  private var batch = MessageBatch(capacity: 1_000)
  private var next: Int64
  private static let turnMilliseconds: Int32 = 500

  init(
    stream: PartitionStream, from: Int64, label: String, deliver: @escaping @Sendable (LedgerTailEvent) -> Void
  ) {
    self.stream = stream
    self.deliver = deliver
    next = from
    queue = DispatchQueue(label: label)
    queue.async { self.turn() }
  }

  /// Ends the reading; nothing is delivered after it has returned. Not to be called from the delivery itself.
  public func stop() {
    isStopped.set()
    // Interrupts a read that waits.
    stream.stop()
    queue.sync { batch.removeAll() }
  }

  private func turn() {
    guard !isStopped.isSet else { return }
    do throws(KafkaError) {
      try stream.read(into: &batch, timeoutMilliseconds: Self.turnMilliseconds)
    } catch {
      fail(.kafka(error))
      return
    }
    var entries: [LedgerEntry] = []
    var end: Int64?
    for index in 0..<batch.count {
      let message = batch[index]
      guard message.isRecord else {
        if message.code == .partitionEOF {
          end = message.offset
          continue
        }
        flush(&entries)
        fail(.kafka(message.error ?? KafkaError(message.code, doing: "read \(stream.place)")))
        return
      }
      guard message.offset == next else {
        flush(&entries)
        fail(.gap(expected: next, found: message.offset))
        return
      }
      entries.append(
        LedgerEntry(
          offset: message.offset, appendMilliseconds: message.timestampMilliseconds, bytes: [UInt8](message.value)))
      next = message.offset + 1
      end = nil
    }
    flush(&entries)
    batch.removeAll()
    if let end, !isStopped.isSet {
      guard end >= next else {
        fail(.gap(expected: next, found: end))
        return
      }
      deliver(.caughtUp(end: end))
    }
    queue.async { self.turn() }
  }

  private func flush(_ entries: inout [LedgerEntry]) {
    guard !entries.isEmpty, !isStopped.isSet else { return }
    deliver(.entries(entries))
    entries.removeAll()
  }

  private func fail(_ failure: LedgerTailFailure) {
    batch.removeAll()
    guard !isStopped.isSet else { return }
    deliver(.failed(failure))
  }
}
