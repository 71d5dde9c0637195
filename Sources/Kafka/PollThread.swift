internal import CRdkafka
internal import Glibc
internal import Synchronization

/// A thread of our own, for calls that block: they must never run on Swift's cooperative pool.
final class PollThread: Sendable {
  private let name: String
  private let body: @Sendable () -> Void
  private let thread = Mutex<pthread_t?>(nil)

  /// A thread that is not started yet; `name` has at most 15 bytes.
  private init(name: String, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.body = body
  }

  /// Starts a thread that runs `body` once.
  static func start(
    named name: String, _ body: @escaping @Sendable () -> Void
  ) throws(KafkaError) -> PollThread {
    let poll = PollThread(name: name, body: body)
    var id = pthread_t()
    let context = Unmanaged.passRetained(poll)
    let code = pthread_create(&id, nil, pollThreadMain, context.toOpaque())
    guard code == 0 else {
      context.release()
      throw KafkaError(
        .invalidArgument, doing: "start thread \(name)", detail: String(cString: strerror(code)), isRetriable: true)
    }
    poll.thread.withLock { $0 = id }
    return poll
  }

  /// Whether the caller is this thread.
  var isCurrent: Bool { thread.withLock { $0.map { pthread_equal($0, pthread_self()) != 0 } ?? false } }

  /// Waits until the body has returned. Must not be called by the thread itself; a second call does nothing.
  func join() {
    let id = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    if let id { pthread_join(id, nil) }
  }

  fileprivate func run() {
    kafka_name_thread(name)
    body()
  }
}

private func pollThreadMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  if let context { Unmanaged<PollThread>.fromOpaque(context).takeRetainedValue().run() }
  return nil
}
