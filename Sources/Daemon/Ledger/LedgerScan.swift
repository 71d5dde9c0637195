internal import Dispatch
internal import Kafka
public import Metering
internal import Synchronization

extension LedgerLog {
  /// Reads a partition from its beginning to the end that it has now, on the caller's thread: for the command line.
  ///
  /// - Parameter body: takes each record, in order; what it throws ends the scan.
  /// - Throws: ``LedgerTailFailure``, or what `body` throws. A log that stands still for 60 s is a time-out.
  public func scan(partition: Int32, _ body: (LedgerEntry) throws -> Void) throws {
    let marks = try watermarks(partition: partition)
    guard marks.low < marks.high else { return }
    let waiting = Waiting()
    let tail = try read(partition: partition, from: marks.low) { waiting.add($0) }
    defer { tail.stop() }
    while true {
      guard let events = waiting.next(seconds: 60) else {
        throw KafkaError(.timedOut, doing: "read \(topic)[\(partition)] to its end")
      }
      for event in events {
        switch event {
        case .entries(let entries):
          for entry in entries where entry.offset < marks.high { try body(entry) }
          if let last = entries.last, last.offset >= marks.high - 1 { return }
        case .caughtUp(let end):
          if end >= marks.high { return }
        case .failed(let failure): throw failure
        }
      }
    }
  }

  /// What the tail has brought and the scan has not taken yet.
  private final class Waiting: Sendable {
    private let events = Mutex<[LedgerTailEvent]>([])
    private let added = DispatchSemaphore(value: 0)

    func add(_ event: LedgerTailEvent) {
      events.withLock { $0.append(event) }
      added.signal()
    }

    func next(seconds: Int) -> [LedgerTailEvent]? {
      guard added.wait(timeout: .now() + .seconds(seconds)) == .success else { return nil }
      return events.withLock { events in
        defer { events = [] }
        return events
      }
    }
  }
}
