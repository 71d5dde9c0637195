internal import Kafka
internal import Metering
internal import Synchronization

/// Which quarantined records of one partition are under way, and what failed. Any thread.
final class QuarantineProgress: Sendable {
  private struct State {
    var pending = PendingOffsets<ReusableHeaders>()
    var failure: KafkaError?
  }
  private let state = Mutex(State())
  let headers: QuarantineHeaders

  init(headers: QuarantineHeaders) { self.headers = headers }

  /// Events are about to be handed over, before their reports can come; not after a failure.
  func begin(_ events: [QuarantinedEvent]) throws(KafkaError) {
    let failure = state.withLock { state in
      if state.failure == nil {
        for event in events { state.pending.added(event.record.offset, with: event.headers) }
      }
      return state.failure
    }
    if let failure { throw failure }
  }

  /// A record was refused for good: the first failure is the one that is told.
  func fail(_ error: KafkaError) { state.withLock { $0.failure = $0.failure ?? error } }

  /// Takes what became of a record, and of those of its partition that were reported right after it; returns the first
  /// one of another partition.
  func take(_ first: Delivery, then rest: inout Deliveries) -> Delivery? {
    var next: Delivery? = first
    var pile = HeaderPile()
    state.withLock { state in
      while let delivery = next, delivery.partition == first.partition {
        if let error = delivery.isDelivered ? nil : delivery.report.error {
          state.failure = state.failure ?? error
        } else if let headers = state.pending.acknowledged(Int64(delivery.token) - 1) {
          QuarantineHeaders.collect(headers, of: delivery, into: &pile)
        }
        next = rest.next()
      }
    }
    headers.giveBack(pile)
    return next
  }

  var acknowledgedThrough: Int64 { state.withLock { $0.pending.acknowledgedThrough } }
  var failure: KafkaError? { state.withLock { $0.failure } }
}
