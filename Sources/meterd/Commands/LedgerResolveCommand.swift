internal import Daemon
internal import Dispatch
internal import Foundation
internal import HTTP
internal import Metering
internal import Operations
internal import Synchronization

/// `meterd ledger resolve`: a person's way out of a stop.
enum LedgerResolveCommand {
  static func run(_ command: ParsedCommand) throws {
    let file = try loadConfiguration(command, needsSinks: false)
    let partition = Int32(command.integerArgument(0))
    let reason = command.text("--reason")
    guard let code = StopReason.Code(rawValue: reason) else {
      throw CommandFailure(
        .usage,
        "--reason: there is no stop \(reason); there is: "
          + StopReason.Code.allCases.map(\.rawValue).joined(separator: ", "))
    }
    var stop = StopReason(code, offset: 0, detail: "")
    guard stop.isResolvable else {
      throw CommandFailure(.usage, "a stop \(reason) has no resolution: \(stop.remedy(partition: partition))")
    }
    let access = try LedgerAccess(command)
    defer { access.log.close() }
    guard partition < access.partitions else {
      throw CommandFailure(.usage, "there is no partition \(partition); there are \(access.partitions)")
    }
    stop.offset = try offset(of: code, partition, access, listen: file.configuration.http.listen)
    try Resolution.confirm(
      command, "partition \(partition), stop \(reason) at offset \(stop.offset). It will mean: \(stop.consequence).")
    try Resolution.append(
      .stop(reason: reason, offset: stop.offset, argument: 0), why: command.text("--why"), partition: partition, access)
    Terminal.note("resolved; where the partition is still stopped so, its owner goes on")
  }

  /// The offset that the stop names: as the running daemon says, else as the ledger does.
  private static func offset(
    of code: StopReason.Code, _ partition: Int32, _ access: LedgerAccess, listen: String
  ) throws -> Int64 {
    if let shown = runningPartition(partition, listen: listen) {
      guard let stop = shown.stop else {
        throw CommandFailure(
          .usage, "partition \(partition) is not stopped: it is \(shown.state), as the daemon at \(listen) says")
      }
      guard stop.reason == code.rawValue else {
        throw CommandFailure(
          .usage,
          "partition \(partition) is stopped by \(stop.reason) at offset \(stop.offset), not by \(code.rawValue)")
      }
      return stop.offset
    }
    switch code {
    case .ledgerLost, .otherTopic, .partitionCountChanged: return 0
    case .logStartsBeyondHead, .logEndsBeforeHead, .topicRecreated, .windowNotRetained, .sinkVanished,
      .configurationWithoutVersion:
      guard let head = try access.fold(partition).head else {
        throw CommandFailure(.data, "partition \(partition) has no head yet: nothing can be stopped so")
      }
      return head.offset
    default:
      throw CommandFailure(
        .unavailable,
        "only the daemon knows the offset of a stop \(code.rawValue): none on this machine, at http.listen (\(listen)), "
          + "says that partition \(partition) is stopped")
    }
  }

  private struct Page: Decodable {
    struct Partition: Decodable {
      struct Stop: Decodable {
        var reason: String
        var offset: Int64
      }
      var partition: Int32
      var state: String
      var stop: Stop?
    }
    var partitions: [Partition]
  }

  /// What the daemon at `http.listen` says of the partition; nil where there is none, or it has not that partition.
  private static func runningPartition(_ partition: Int32, listen: String) -> Page.Partition? {
    guard let client = try? HTTPClient() else { return nil }
    defer { client.close() }
    let address = listen.hasPrefix("0.0.0.0:") ? "127.0.0.1:" + listen.dropFirst(8) : listen
    let body = Mutex<[UInt8]?>(nil)
    let done = DispatchSemaphore(value: 0)
    client.send(
      HTTPRequest(
        method: "GET", url: "http://\(address)/v1/status", headers: [], body: [], connectTimeout: .seconds(2),
        timeout: .seconds(5))
    ) { result in
      if case .response(let response) = result, response.status == 200 { body.withLock { $0 = response.body } }
      done.signal()
    }
    done.wait()
    guard let bytes = body.withLock({ $0 }) else { return nil }
    guard let page = try? JSONDecoder().decode(Page.self, from: Data(bytes)) else { return nil }
    return page.partitions.first { $0.partition == partition }
  }
}
