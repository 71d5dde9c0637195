import Synchronization

/// Bytes that a log sink wrote.
final class Lines: Sendable {
  private let state = Mutex<[UInt8]>([])
  func append(_ bytes: [UInt8]) -> Bool {
    state.withLock { $0.append(contentsOf: bytes) }
    return true
  }
  var bytes: [UInt8] { state.withLock { $0 } }
}
