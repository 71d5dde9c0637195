internal import Kafka
internal import Synchronization

/// Which quarantined records of one partition are under way, and what failed. Any thread.
final class QuarantineProgress: Sendable {
  private struct State {
    var pending = PendingOffsets()
    var failure: KafkaError?
  }
  private let state = Mutex(State())

  /// A record is about to be handed over, before its report can come; not after a failure.
  func begin(_ offset: Int64) throws(KafkaError) {
    let failure = state.withLock { state in
      if state.failure == nil { state.pending.added(offset) }
      return state.failure
    }
    if let failure { throw failure }
  }

  /// A record was refused for good: the first failure is the one that is told.
  func fail(_ error: KafkaError) { state.withLock { $0.failure = $0.failure ?? error } }

  /// What became of some records.
  func take(_ reports: ArraySlice<DeliveryReport>) {
    state.withLock { state in
      for report in reports {
        if let error = report.error {
          state.failure = state.failure ?? error
        } else {
          // The token is the offset and one: a null pointer is no token.
          state.pending.acknowledged(Int64(report.token) - 1)
        }
      }
    }
  }

  var acknowledgedThrough: Int64 { state.withLock { $0.pending.acknowledgedThrough } }
  var failure: KafkaError? { state.withLock { $0.failure } }
}
