internal import Glibc
internal import Storage

/// Makes the disk fail, for tests and for operators who practise: `METERD_DISK_FAULT=journalSync:ENOSPC:5` lets the fifth
/// and every later sync of a journal fail as a full disk would.
enum DiskFaults {
  /// Sets what the environment asks for.
  ///
  /// - Throws: 78 where it cannot be understood: a fault that is not there would look like a disk that is well.
  static func install() throws(StartError) {
    guard let plan = getenv("METERD_DISK_FAULT").map({ String(cString: $0) }), !plan.isEmpty else { return }
    guard FaultPoints.shared.set(plan: plan) else {
      throw StartError(
        exitCode: .configuration, code: "disk_fault_invalid", setting: "METERD_DISK_FAULT",
        what: "\(plan) is no plan of faults", remedy: "It has to be \(FaultPoints.planSyntax).")
    }
  }
}
