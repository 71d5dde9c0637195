internal import Glibc

/// A POSIX mutex, for where threads do wait for each other: a read holds it while it waits for records.
///
/// `Synchronization.Mutex` hands a contended lock over inside the kernel, which the thread sanitizer cannot see: it then
/// reports races that are none.
final class Lock: @unchecked Sendable {
  // Unchecked: that is what a lock is for. On the heap, since a mutex must not move.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  init() {
    mutex.initialize(to: pthread_mutex_t())
    let code = pthread_mutex_init(mutex, nil)
    precondition(code == 0, "a mutex could not be made")
  }

  /// Runs `body` alone.
  func with<Result: ~Copyable, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }
}
