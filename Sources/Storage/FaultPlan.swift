internal import LMDB
internal import Synchronization

extension FaultPoints {
  /// How a plan is spelled, for who spelled it otherwise.
  public static var planSyntax: String {
    "POINT:CODE:NUMBER, with POINT one of \(FaultPoint.allCases.map(\.rawValue).joined(separator: ", ")), "
      + "CODE one of \(codes.keys.sorted().joined(separator: ", "))"
  }

  private static let codes: [String: LMDBError.Code] = [
    "ENOSPC": .noSpace, "EROFS": .readOnlyFileSystem, "EIO": .inputOutput,
  ]

  /// Sets faults by a plan such as `journalSync:ENOSPC:5`: the fifth and every later sync of a journal fails as on a full
  /// disk.
  ///
  /// - Returns: false, and nothing is set, where the plan cannot be understood.
  public func set(plan: String) -> Bool {
    let parts = plan.split(separator: ":").map(String.init)
    guard parts.count == 3, let point = FaultPoint(rawValue: parts[0]), let code = Self.codes[parts[1]],
      let number = Int(parts[2]), number > 0
    else { return false }
    let passed = Passed()
    set { $0 == point && passed.next() >= number ? code : nil }
    return true
  }

  private final class Passed: Sendable {
    private let count = Atomic(0)
    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
  }
}
