public import LMDB
internal import Synchronization

/// A place where a test, or an operator who practises, can make the disk fail.
public enum FaultPoint: String, CaseIterable, Sendable {
  /// Before a chunk is written.
  case journalWrite
  /// Before the commit that makes chunks durable.
  case journalSync
  /// Before a segment's block is written.
  case segmentWrite
  /// Before a segment is synced.
  case segmentSync
  /// Before a segment's entry in the manifest is made durable.
  case manifestSync
}

/// The faults in force. None is, unless somebody sets them.
public final class FaultPoints: Sendable {
  /// The process's faults.
  public static let shared = FaultPoints()

  /// A closure that itself is a mutex's value would grow a thunk with every access.
  private struct Handler { var code: (@Sendable (FaultPoint) -> LMDBError.Code?)? }
  private let handler = Mutex(Handler())

  /// No faults.
  public init() {}

  /// Sets what happens at fault points: the code with which an operation fails, or `nil` to let it pass. Called on the
  /// queue of the operation.
  public func set(_ handler: (@Sendable (FaultPoint) -> LMDBError.Code?)?) {
    self.handler.withLock { $0.code = handler }
  }

  func check(_ point: FaultPoint) throws(LMDBError) {
    let handler = handler.withLock { $0.code }
    if let code = handler?(point) { throw LMDBError(code, in: "fault point \(point.rawValue)") }
  }
}
