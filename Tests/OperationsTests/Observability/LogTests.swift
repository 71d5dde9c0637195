import Daemon
import Foundation
import Synchronization
import Testing

/// Collects what a log writes.
private final class Lines: Sendable {
  private let lines = Mutex<[String]>([])
  func append(_ bytes: [UInt8]) { lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) } }
  var all: [String] { lines.withLock { $0 } }
}

@Suite struct LogTests {
  private func log(
    _ lines: Lines, level: LogLevel = .debug, format: Log.Format = .text, secrets: [Secret] = []
  ) -> Log {
    Log(
      level: level, format: format, redacting: secrets, now: { 1_795_265_384_007 }, write: { lines.append($0) })
  }

  @Test func textIsOneLine() {
    let lines = Lines()
    log(lines).emit(.partitionRecovered(partition: 3, position: 1_200, head: 1_000, seconds: 0.25))
    #expect(
      lines.all == [
        "2026-11-21T12:49:44.007Z INFO    partition.recovered  counting goes on partition=3 position=1200 head=1000 "
          + "seconds=0.25\n"
      ])
  }

  @Test func jsonIsOneObject() throws {
    let lines = Lines()
    log(lines, format: .json).emit(
      .partitionStopped(
        partition: 3, reason: "digest_mismatch", offset: 77, detail: "say \"why\"\n\u{1}",
        remedy: "meterd ledger resolve 3"))
    let line = try #require(lines.all.first)
    #expect(line.hasSuffix("}\n"))
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    #expect(object["event"] as? String == "partition.stopped")
    #expect(object["level"] as? String == "error")
    #expect(object["time"] as? String == "2026-11-21T12:49:44.007Z")
    #expect((object["message"] as? String)?.hasSuffix("say \"why\"\n\u{1}") == true)
    #expect(object["offset"] as? Int == 77)
    #expect(object["remedy"] as? String == "meterd ledger resolve 3")
  }

  @Test func theSameStoryIsToldOnceInTenSeconds() {
    let lines = Lines()
    let now = Mutex<Int64>(1_795_265_384_000)
    let log = Log(now: { now.withLock { $0 } }, write: { lines.append($0) })
    for _ in 0..<5 { log.emit(.kafkaError(client: "a", code: "_TRANSPORT", message: "down")) }
    log.emit(.kafkaError(client: "b", code: "_TRANSPORT", message: "down"))
    log.emit(.kafkaError(client: "a", code: "_TIMED_OUT", message: "down"))
    #expect(lines.all.count == 3 && !lines.all.contains { $0.contains("repeats") })
    now.withLock { $0 += 10_000 }
    for _ in 0..<2 { log.emit(.kafkaError(client: "a", code: "_TRANSPORT", message: "down")) }
    #expect(lines.all.count == 4 && lines.all.last?.hasSuffix(" repeats=4\n") == true)
  }

  @Test func levelsBelowAreDropped() {
    let lines = Lines()
    let log = log(lines, level: .warning)
    log.emit(.cutSealed(partition: 0, from: 0, to: 1, rows: 1))
    log.emit(.daemonStopped(seconds: 1))
    log.emit(.embeddedBroker())
    #expect(lines.all.count == 1)
    #expect(!log.isEnabled(.info) && log.isEnabled(.error))
  }

  @Test func aLineCannotBeForged() {
    let lines = Lines()
    log(lines).emit(.kafkaError(client: "a b\"c", code: "x\n2026 ERROR", message: "one\r\ntwo\u{1B}[31m\u{202E}"))
    #expect(lines.all.count == 1)
    #expect(lines.all[0].filter { $0.isNewline }.count == 1)
    #expect(lines.all[0].contains("one\\r\\ntwo\\u{1b}[31m\\u{202e} client=\"a b\\\"c\" code=\"x\\n2026 ERROR\""))
  }

  @Test(arguments: Log.Format.allCases)
  func credentialsAreHiddenWhereverTheyAppear(_ format: Log.Format) {
    let lines = Lines()
    let log = log(lines, format: format, secrets: [Secret("sk_live_abc"), Secret("sk_live_abcdef"), Secret("short")])
    log.emit(.kafkaFatal(client: "sk_live_abcdef", code: "short", message: "Invalid key sk_live_abc, sk_live_abcdef!"))
    #expect(!lines.all[0].contains("sk_live"))
    #expect(!lines.all[0].contains("def"))
    #expect(lines.all[0].contains("Invalid key ••••, ••••!"))
    // Too short to be looked for, as documented.
    #expect(lines.all[0].contains("short"))
  }

  @Test func aSecretPrintsAsItsMask() {
    let secret = Secret("sk_live_abc")
    var dumped = ""
    dump(secret, to: &dumped)
    for text in [
      "\(secret)", String(reflecting: secret), String(describing: [secret]), dumped, "\([1: Optional(secret)])",
    ] {
      #expect(text.contains("••••") && !text.contains("sk_live"))
    }
    #expect(secret.reveal() == "sk_live_abc")
    #expect(secret == Secret("sk_live_abc") && secret != Secret("sk_live_abd"))
  }

  @Test func eventNamesAreStableAndWellFormed() {
    let events: [LogEvent] = [
      .daemonStarted(version: "", instance: "", topic: "", group: ""), .daemonStopping(signal: "", graceSeconds: 0),
      .daemonStopped(seconds: 0), .embeddedBroker(), .httpListening(address: ""), .configurationWarning(""),
      .kafkaError(client: "", code: "", message: ""), .kafkaFatal(client: "", code: "", message: ""),
      .partitionsAssigned([], client: ""), .partitionsRevoked([], client: "", lost: false),
      .partitionRecovering(partition: 0, ledgerRecords: 0),
      .partitionRebuilding(partition: 0, fromOffset: 0, toOffset: 0, why: ""),
      .partitionRecovered(partition: 0, position: 0, head: 0, seconds: 0),
      .partitionStopped(partition: 0, reason: "", offset: 0, detail: "", remedy: ""),
      .blockedByTransaction(partition: 0, offset: 0),
      .conservationBroken(partition: 0, equation: "", sink: nil, imbalance: ""),
      .ownershipGained(partition: 0, ledgerOffset: 0),
      .ownershipLost(partition: 0, why: ""), .cutSealed(partition: 0, from: 0, to: 0, rows: 0),
      .claimSealed(partition: 0, sink: "", claim: 0, rows: 0), .circuitOpened(sink: "", why: "", retrySeconds: 0),
      .circuitClosed(sink: "", openSeconds: 0), .rowParked(sink: "", partition: 0, row: "", reason: "", detail: ""),
      .rowUncertain(sink: "", partition: 0, row: "", why: ""), .credentialsRefused(sink: "", status: 401),
      .storageFailed(partition: 0, operation: "", error: ""),
    ]
    let names = events.map { "\($0.name)" }
    #expect(Set(names).count == names.count)
    for name in names {
      let parts = name.split(separator: ".", omittingEmptySubsequences: false)
      #expect(
        parts.count == 2 && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { $0.isLowercase || $0 == "_" } }, "\(name)"
      )
    }
    #expect(names.contains("partition.recovered") && names.contains("ledger.ownership_lost"))
  }

  @Test func linesOfManyThreadsDoNotMix() {
    let lines = Lines()
    let log = log(lines)
    DispatchQueue.concurrentPerform(iterations: 8) { worker in
      for step in 0..<100 { log.emit(.ownershipGained(partition: Int32(worker), ledgerOffset: Int64(step))) }
    }
    #expect(lines.all.count == 800)
    #expect(lines.all.allSatisfy { $0.hasPrefix("2026-") && $0.hasSuffix("\n") })
  }
}
