internal import Glibc
internal import Synchronization

/// Moments at which a crash test ends the process as `kill -9` would: `METERD_KILL_AT=claim:3` dies when the third claim
/// stands. Without the variable a point costs one load.
///
/// The moments are those at which a mistake would cost money: after a SEAL and before the first send, after the
/// read-back of a SENDING and before its first byte, after the provider's effect and before the DONE.
enum KillPoint: String {
  /// A CLAIM's SEAL was read back; nothing of it was sent.
  case claim
  /// A SENDING was read back; no byte of it was sent.
  case sending
  /// The provider has answered; the DONE is not appended.
  case done

  private static let plan: (point: KillPoint, number: Int)? = {
    guard let text = getenv("METERD_KILL_AT").map({ String(cString: $0) }) else { return nil }
    let parts = text.split(separator: ":")
    guard let name = parts.first, let point = KillPoint(rawValue: String(name)) else { return nil }
    return (point, parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
  }()
  private static let passed = Atomic(0)

  /// Dies here if it is time.
  func pass() {
    guard let plan = Self.plan, plan.point == self else { return }
    if Self.passed.wrappingAdd(1, ordering: .relaxed).newValue >= plan.number { kill(getpid(), SIGKILL) }
  }
}
