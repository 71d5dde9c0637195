internal import Glibc

/// A value behind a lock of the C library.
///
/// `Synchronization.Mutex` would do, but its waiting path lies in a library that the thread sanitizer does not see
/// into: every contended lock then looks like a race (a program of ten lines shows it). POSIX locks it knows.
///
/// `@unchecked Sendable`: the value is only reached with the lock held. The lock must not be taken again within
/// ``withLock(_:)``.
package final class Locked<Value>: @unchecked Sendable {
  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var value: Value

  package init(_ value: sending Value) {
    self.value = value
    let code = pthread_mutex_init(lock, nil)
    precondition(code == 0, "a lock with default attributes can always be made")
  }

  deinit {
    pthread_mutex_destroy(lock)
    lock.deallocate()
  }

  package func withLock<Result, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return try body(&value)
  }
}
