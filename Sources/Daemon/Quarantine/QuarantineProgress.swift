internal import Kafka
internal import Synchronization

/// Which quarantined records of one partition are under way, and what failed. Any thread.
final class QuarantineProgress: Sendable {
  private struct State {
    var pending = PendingOffsets()
    var failure: KafkaError?
  }
  private let state = Mutex(State())
  let headers: QuarantineHeaders

  init(headers: QuarantineHeaders) { self.headers = headers }

  /// A record is about to be handed over, before its report can come; not after a failure. Its headers belong in a place.
  func begin(_ offset: Int64, place: Int32?) throws(KafkaError) {
    let failure = state.withLock { state in
      if state.failure == nil { state.pending.added(offset, place: place) }
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
        } else if let place = state.pending.acknowledged(Int64(delivery.token) - 1) {
          // The token is the offset and one: a null pointer is no token.
          QuarantineHeaders.collect(delivery, of: place, into: &pile)
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
