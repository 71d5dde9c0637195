import Foundation
import Kafka
import Synchronization
import TestSupport

/// A thread that publishes usage, and the book of what it must come to.
///
/// All is published in batches, one producer at a time, so that the order in each partition is that of the book: the first
/// event of a key counts. Duplicates, conflicts, malformed events, reverts, transactions and aborted ones are mixed in.
///
/// `@unchecked Sendable`: the lock guards the state between the thread and the test; the producers belong to whoever
/// holds the lock.
final class UsagePublisher: @unchecked Sendable {
  private struct Sent {
    var partition: Int32
    var customer: String
    var value: String
  }

  private let rig: DaemonRig
  private let plain: Producer
  private let transactional: Producer
  private let failures: Failures
  private let lock = NSLock()
  private var random: SeededRandom
  private var book = ExpectedTotals()
  private var recent: [Sent] = []
  private var number = 0
  private var stopped = false
  private var paused = false
  /// Added to the records' timestamps: the usage of days ago, in a topic that is read now.
  private var shift: Int64 = 0
  /// Whether the configuration in force counts `exports` rather than adding them up.
  private var countsExports = false
  private var thread: Thread?
  private let ended = DispatchSemaphore(value: 0)

  private var counts = (published: 0, duplicates: 0, aborted: 0)
  static let customers = 24
  private static let features = ["api_calls", "tokens", "gpu_hours", "storage_gb", "exports"]

  init(_ rig: DaemonRig, seed: UInt64) throws {
    self.rig = rig
    random = SeededRandom(seed: seed)
    let failures = Failures()
    self.failures = failures
    plain = try Producer(properties: rig.properties) { failures.take($0) }
    var properties = rig.properties
    properties["transactional.id"] = "\(rig.topic)-generator"
    // A batch that was aborted is reported as such: its fate is the transaction's.
    transactional = try Producer(properties: properties) { _ in }
    try transactional.initTransactions()
  }

  /// Events in the log; those among them that repeat a key; and those in aborted transactions.
  var published: Int { lock.withLock { counts.published } }
  var duplicates: Int { lock.withLock { counts.duplicates } }
  var aborted: Int { lock.withLock { counts.aborted } }
  /// What must be billed of all that has been published.
  var expected: ExpectedTotals { lock.withLock { book } }

  /// Publishes a batch every `milliseconds`, until ``stop()``.
  func start(batch: Int = 60, everyMilliseconds milliseconds: Int = 100) {
    let thread = Thread { [self] in
      while !lock.withLock({ stopped }) {
        do {
          try lock.withLock { if !paused { try publishBatch(batch) } }
        } catch {
          failures.add("\(error)")
          break
        }
        Thread.sleep(forTimeInterval: Double(milliseconds) / 1000)
      }
      ended.signal()
    }
    self.thread = thread
    thread.start()
  }

  /// Ends the thread; everything is then in the log.
  func stop() throws {
    lock.withLock { stopped = true }
    if thread != nil { ended.wait() }
    thread = nil
    let problems = failures.all
    guard problems.isEmpty else {
      throw EndToEndFailure(description: "the generator failed: \(problems.prefix(5).joined(separator: "; "))")
    }
  }

  func close() {
    plain.close()
    transactional.close()
  }

  func pause() { lock.withLock { paused = true } }
  func resume() { lock.withLock { paused = false } }
  /// From the next batch on, records bear a time this long ago (0: now). Keys used under another age are not repeated.
  func setAge(days: Int64) {
    lock.withLock {
      shift = -days * 86_400_000
      recent.removeAll()
    }
  }
  func countExports() { lock.withLock { countsExports = true } }

  /// Publishes so many events now, a hundred at a time; `isPlain`: outside of transactions, so that none is aborted.
  func publish(_ count: Int, isPlain: Bool = false) throws {
    for begin in stride(from: 0, to: count, by: 100) {
      try lock.withLock { try publishBatch(min(100, count - begin), isPlain: isPlain) }
    }
    guard failures.all.isEmpty else { throw EndToEndFailure(description: "the generator failed: \(failures.all)") }
  }

  /// Makes each total of the fractional feature whole, so that a sink that takes whole numbers can take all of it.
  func publishRoundingEvents() throws {
    try lock.withLock {
      for (place, units) in book.units where place.feature == "gpu_hours" {
        let missing = (ExpectedTotals.one - units % ExpectedTotals.one) % ExpectedTotals.one
        if missing == 0 { continue }
        let value = event(place.customer, "gpu_hours", decimal(missing), nil, revert: false)
        try send(plain, place.customer, value)
        book.add(place.customer, "gpu_hours", missing)
      }
      try plain.flush(timeoutMilliseconds: 30_000)
    }
  }

  // MARK: Under the lock

  private func publishBatch(_ count: Int, isPlain: Bool = false) throws {
    let usesTransaction = random.chance(0.25) && !isPlain
    let aborts = usesTransaction && random.chance(0.3)
    let producer = usesTransaction ? transactional : plain
    if usesTransaction { try transactional.beginTransaction() }
    // What is aborted must leave no trace, neither in the totals nor as the first of its key.
    var draft = book
    var fresh: [Sent] = []
    let first = number
    for _ in 0..<count { try publishOne(producer, &draft, &fresh) }
    try producer.flush(timeoutMilliseconds: 30_000)
    if aborts {
      try transactional.abortTransaction(timeoutMilliseconds: 30_000)
      counts.aborted += count
      number = first
      return
    }
    if usesTransaction { try transactional.commitTransaction(timeoutMilliseconds: 30_000) }
    book = draft
    recent += fresh
    if recent.count > 4_000 { recent.removeFirst(recent.count - 4_000) }
    counts.published += count
  }

  private func publishOne(_ producer: Producer, _ draft: inout ExpectedTotals, _ fresh: inout [Sent]) throws {
    let draw = Double.random(in: 0..<1, using: &random)
    if draw < 0.05, let earlier = recent.randomElement(using: &random) {
      counts.duplicates += 1
      return try send(producer, earlier.customer, earlier.value)
    }
    let customer = "cus_\(Int.random(in: 0..<Self.customers, using: &random))"
    if draw < 0.06, let earlier = recent.randomElement(using: &random) {
      // The same key with another quantity: the first one has won.
      return try send(producer, earlier.customer, earlier.value.replacing("\"amount\":\"", with: "\"amount\":\"7"))
    }
    if draw < 0.07 { return try send(producer, customer, "{\"idempotencyKey\":\"k\(number)\",") }
    let revert = draw < 0.12
    let feature = Self.features[Int.random(in: 0..<Self.features.count, using: &random)]
    var units = Int128(Int.random(in: 1...500, using: &random)) * ExpectedTotals.one
    if feature == "gpu_hours" || feature == "storage_gb" {
      units += Int128(Int.random(in: 0..<1_000_000_000, using: &random))
    }
    let model = feature == "tokens" ? ["small", "large"].randomElement(using: &random) : nil
    let value = event(customer, feature, decimal(units), model, revert: revert)
    try send(producer, customer, value)
    fresh.append(Sent(partition: partition(customer), customer: customer, value: value))
    let counted = feature == "exports" && countsExports ? ExpectedTotals.one : units
    draft.add(customer, feature, revert ? -counted : counted)
  }

  private func event(_ customer: String, _ feature: String, _ amount: String, _ model: String?, revert: Bool) -> String
  {
    number += 1
    var text = "{\"idempotencyKey\":\"k\(number)\",\"customerId\":\"\(customer)\",\"featureId\":\"\(feature)\","
    text += "\"amount\":\"\(amount)\""
    if let model { text += ",\"dimensions\":{\"model\":\"\(model)\",\"trace\":\(number)}" }
    if revert { text += ",\"revert\":true,\"reason\":\"refund\"" }
    return text + "}"
  }

  private func send(_ producer: Producer, _ customer: String, _ value: String) throws {
    try producer.produce(
      topic: rig.topic, partition: partition(customer), key: Array(customer.utf8), value: Array(value.utf8),
      timestampMilliseconds: Int64(Date().timeIntervalSince1970 * 1000) + shift)
  }

  /// One customer's events meet in one partition.
  private func partition(_ customer: String) -> Int32 {
    Int32(customer.utf8.reduce(UInt32(7)) { $0 &* 31 &+ UInt32($1) } % UInt32(DaemonRig.partitions))
  }

  private func decimal(_ units: Int128) -> String {
    let fraction = String(units % ExpectedTotals.one)
    return "\(units / ExpectedTotals.one)." + String(repeating: "0", count: 9 - fraction.count) + fraction
  }
}

/// What could not be published: any of it makes the book worthless, and fails the test.
final class Failures: Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { $0 } }
  func add(_ line: String) { lines.withLock { $0.append(line) } }
  func take(_ reports: [DeliveryReport]) {
    for report in reports { if let error = report.error { add("\(error)") } }
  }
}
