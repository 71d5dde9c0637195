internal import Daemon
internal import Dispatch
internal import Metering
internal import Synchronization

/// A person's decision on its way into the ledger.
enum Resolution {
  /// Asks, unless `--yes`.
  static func confirm(_ command: ParsedCommand, _ what: String) throws {
    Terminal.note(what)
    guard !command.flag("--yes") else { return }
    guard Terminal.confirms("This is kept in the ledger for ever.") else {
      throw CommandFailure(.usage, "nothing was done (answer yes, or give --yes)")
    }
  }

  /// Appends a RESOLVE and waits until it is in the log.
  static func append(
    _ decision: Resolve.Decision, why: String, partition: Int32, _ access: LedgerAccess
  ) throws {
    var random = SystemRandomNumberGenerator()
    let identity = RecordIdentity(nonce: .random(in: 1 ... .max, using: &random), sequence: 0)
    let record = LedgerCodec.encode(.resolve(Resolve(decision: decision, why: why)), identity: identity)
    let outcome = Mutex<LedgerAppendOutcome?>(nil)
    let done = DispatchSemaphore(value: 0)
    access.log.append(partition: partition, records: [record]) { result in
      outcome.withLock { $0 = result }
      done.signal()
    }
    done.wait()
    if case .failed(let error, let isUnknown)? = outcome.withLock({ $0 }) {
      throw CommandFailure(
        .unavailable,
        "the decision could not be appended: \(error)"
          + (isUnknown ? "; it may be in the ledger all the same: look with meterd ledger show" : ""))
    }
  }
}
