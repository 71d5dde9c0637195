internal import CRdkafka
internal import Dispatch
internal import Synchronization

/// Turns what librdkafka says about a member into `GroupEvent`s. All of it runs on the member's thread.
final class MemberEvents: RebalanceDelegate {
  private let handler: @Sendable (GroupEvent) -> Void
  private let failedOnce = Atomic(false)
  /// What is assigned now; `nil` between assignments. A lock only for the compiler: all runs on the member's thread.
  private let owned = Mutex<[Int32]?>(nil)

  /// Whether the last assignment was lost: this member's id is void until the next one.
  private let lost = Atomic(false)
  var isLost: Bool { lost.load(ordering: .acquiring) }

  init(handler: @escaping @Sendable (GroupEvent) -> Void) { self.handler = handler }

  /// Serves a rebalance; called inside `rd_kafka_consumer_poll` and `rd_kafka_consumer_close`.
  func rebalance(
    _ handle: OpaquePointer, _ code: rd_kafka_resp_err_t,
    _ partitions: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
  ) {
    let numbers = partitions?.partitionNumbers ?? []
    switch code {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
      // An empty list, not a null pointer: the member is assigned, and fetches nothing.
      let nothing = PartitionList()
      report(rd_kafka_assign(handle, nothing.raw), doing: "accept an assignment")
      owned.withLock { $0 = numbers }
      lost.store(false, ordering: .releasing)
      handler(.assigned(numbers))
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
      let wasOwned = owned.withLock { owned in
        defer { owned = nil }
        return owned != nil
      }
      // Otherwise a fatal error has been reported, and the loss with it.
      if rd_kafka_assignment_lost(handle) != 0 { lost.store(true, ordering: .releasing) }
      if wasOwned { handler(rd_kafka_assignment_lost(handle) != 0 ? .lost(numbers) : .revoked(numbers)) }
      report(rd_kafka_assign(handle, nil), doing: "give up an assignment")
    default:
      handler(.error(KafkaError(code, doing: "rebalance")))
      report(rd_kafka_assign(handle, nil), doing: "give up an assignment")
    }
  }

  private func report(_ code: rd_kafka_resp_err_t, doing: String) {
    // With a fatal error every later call fails with it; that one was reported.
    if code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__FATAL {
      handler(.error(KafkaError(code, doing: doing)))
    }
  }

  /// Takes an entry of the consumer's queue: an error, since nothing is fetched.
  func took(_ message: UnsafeMutablePointer<rd_kafka_message_t>, of client: ClientHandle) {
    let code = message.pointee.err
    if code == RD_KAFKA_RESP_ERR__FATAL, let error = client.fatalCause { return failed(error) }
    let text = Message(pointer: message).value
    handler(.error(KafkaError(code, doing: client.purpose, detail: String(decoding: text, as: UTF8.self))))
  }

  /// The handle is broken for good; reported once.
  func failed(_ error: KafkaError) {
    guard !failedOnce.exchange(true, ordering: .relaxed) else { return }
    // librdkafka 2.0.2 says nothing of the partitions after a fatal error, not even when it is closed.
    let lost = owned.withLock { owned in
      defer { owned = nil }
      return owned
    }
    if let lost { handler(.lost(lost)) }
    handler(error.code == .fencedInstanceID ? .fenced(error) : .error(error))
  }
}

func memberRebalance(
  _ handle: OpaquePointer?, _ code: rd_kafka_resp_err_t,
  _ partitions: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?, _ opaque: UnsafeMutableRawPointer?
) {
  guard let handle else { return }
  guard let member = clientContext(opaque)?.member.withLock({ $0 }) else {
    // Nobody to ask: librdkafka must have its answer all the same, or the group stands still.
    rd_kafka_assign(handle, nil)
    return
  }
  member.rebalance(handle, code, partitions)
}

/// Work for a member's thread.
final class JobQueue: @unchecked Sendable {
  // Unchecked: librdkafka's queue synchronizes itself; it is destroyed once, after the thread has ended.
  private let queue: OpaquePointer?
  private let jobs = Mutex<[@Sendable () -> Void]>([])

  init(of client: ClientHandle) { queue = rd_kafka_queue_get_consumer(client.raw) }

  func add(_ job: @escaping @Sendable () -> Void) {
    jobs.withLock { $0.append(job) }
    wake()
  }

  /// Makes the thread's poll return.
  func wake() { if let queue { rd_kafka_queue_yield(queue) } }

  /// Runs what there is; by the member's thread.
  func run() {
    let waiting = jobs.withLock { jobs in
      defer { jobs = [] }
      return jobs
    }
    for job in waiting { job() }
  }

  func close() { if let queue { rd_kafka_queue_destroy(queue) } }
}

/// The result of a job, for the thread that waits for it.
final class Outcome: Sendable {
  private let result = Mutex<Result<Void, KafkaError>?>(nil)
  private let done = DispatchSemaphore(value: 0)

  func set(_ value: Result<Void, KafkaError>) {
    result.withLock { $0 = value }
    done.signal()
  }

  /// `nil` when it is not there in time.
  func wait(milliseconds: Int) -> Result<Void, KafkaError>? {
    guard done.wait(timeout: .now() + .milliseconds(milliseconds)) == .success else { return nil }
    return result.withLock { $0 }
  }
}
