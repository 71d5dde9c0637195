public import Kafka
internal import Synchronization

/// Publishes the events of a plan, and knows afterwards what an exact count must arrive at.
///
/// Keyed by customer, with the partitioner of Kafka's Java clients, through an idempotent producer: a retry never
/// publishes a record twice, so that every duplicate in the topic is one of the plan's. Runs on the caller's thread.
public struct Loader {
  /// How far a run has come.
  public struct Progress: Sendable {
    /// Records handed to the producer.
    public var written: Int64
    /// Records that the brokers have acknowledged.
    public var acknowledged: Int64
    /// Milliseconds since the begin.
    public var elapsedMilliseconds: Int64

    public init(written: Int64, acknowledged: Int64, elapsedMilliseconds: Int64) {
      self.written = written
      self.acknowledged = acknowledged
      self.elapsedMilliseconds = elapsedMilliseconds
    }
  }

  /// Where and how fast.
  public struct Target: Sendable {
    public var topic: String
    /// `bootstrap.servers`, security, and whatever else the user sets.
    public var properties: ClientProperties
    /// Records a second; nil for as fast as it goes.
    public var recordsPerSecond: Int64?

    public init(topic: String, properties: ClientProperties, recordsPerSecond: Int64? = nil) {
      self.topic = topic
      self.properties = properties
      self.recordsPerSecond = recordsPerSecond
    }
  }

  /// What a load producer is made of unless the target says otherwise: throughput before latency.
  public static let defaultProperties: ClientProperties = [
    "enable.idempotence": "true", "acks": "all", "compression.codec": "lz4", "linger.ms": "20",
    "partitioner": "murmur2_random", "batch.num.messages": "20000", "queue.buffering.max.messages": "500000",
    "queue.buffering.max.kbytes": "262144", "message.timeout.ms": "120000",
  ]

  private let target: Target
  private let observer: ClientObserver

  /// A loader for a target.
  public init(target: Target, observer: ClientObserver = ClientObserver()) {
    self.target = target
    self.observer = observer
  }

  /// Publishes all events of the plan, and waits until they are acknowledged.
  ///
  /// - Parameters:
  ///   - progress: is called every half second, and at the end.
  ///   - mayGoOn: is asked every 256 records with the bytes of values handed over so far; while it says no, the loader
  ///     waits (the embedded broker keeps little, so the loader must not run ahead of the reader). nil: never waits.
  ///   - isCancelled: ends the run early; the totals are then those of what was published.
  /// - Throws: the first error of a record that could not be published, or what is wrong with the plan.
  public func run(
    _ plan: LoadPlan, progress: (Progress) -> Void = { _ in }, mayGoOn: ((Int64) -> Bool)? = nil,
    isCancelled: () -> Bool = { false }
  ) throws -> ExpectedTotals {
    var generator = try UsageGenerator(plan: plan)
    let tally = Tally()
    let producer = try Producer(
      properties: Self.defaultProperties.overridden(by: target.properties), observer: observer,
      reports: { tally.take($0) })
    defer { producer.close() }
    let key = UnsafeMutableRawBufferPointer.allocate(byteCount: UsageGenerator.longestKey, alignment: 8)
    let value = UnsafeMutableRawBufferPointer.allocate(byteCount: UsageGenerator.longestValue, alignment: 8)
    defer {
      key.deallocate()
      value.deallocate()
    }
    let begin = Clock.elapsedNanoseconds()
    var nextProgress = begin + 500_000_000
    var bytes: Int64 = 0
    func report() {
      progress(
        Progress(
          written: generator.next, acknowledged: tally.acknowledged.load(ordering: .relaxed),
          elapsedMilliseconds: (Clock.elapsedNanoseconds() - begin) / 1_000_000))
    }
    while let written = generator.write(key: key, value: value) {
      try handOver(
        UnsafeRawBufferPointer(rebasing: key[..<written.key]),
        UnsafeRawBufferPointer(rebasing: value[..<written.value]),
        to: producer, tally)
      bytes += Int64(written.value)
      guard generator.next % 256 == 0 else { continue }
      if let failure = tally.failure { throw failure }
      if isCancelled() { break }
      // Records of a rate that are due are `elapsed × rate`: after a stall the loader catches up.
      if let rate = target.recordsPerSecond {
        let due = begin + Int64(Int128(generator.next) * 1_000_000_000 / Int128(rate))
        let ahead = due - Clock.elapsedNanoseconds()
        if ahead > 1_000_000 { Clock.sleep(milliseconds: ahead / 1_000_000) }
      }
      while let mayGoOn, !mayGoOn(bytes), !isCancelled() { Clock.sleep(milliseconds: 2) }
      if generator.next % 8_192 == 0 || target.recordsPerSecond != nil || mayGoOn != nil,
        Clock.elapsedNanoseconds() >= nextProgress
      {
        nextProgress += 500_000_000
        report()
      }
    }
    while producer.unreported > 0 {
      try? producer.flush(timeoutMilliseconds: 500)
      if let failure = tally.failure { throw failure }
      report()
    }
    // The last reports may still be on their way to the tally.
    while tally.acknowledged.load(ordering: .acquiring) < generator.next {
      if let failure = tally.failure { throw failure }
      Clock.sleep(milliseconds: 1)
    }
    report()
    return generator.expected()
  }

  private func handOver(
    _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to producer: Producer, _ tally: Tally
  ) throws(KafkaError) {
    while true {
      do throws(KafkaError) {
        return try producer.produce(topic: target.topic, partition: -1, keyBytes: key, valueBytes: value)
      } catch {
        guard error.code == .queueFull else { throw error }
        if let failure = tally.failure { throw failure }
        Clock.sleep(milliseconds: 1)
      }
    }
  }

  /// What the producer's thread has reported.
  private final class Tally: Sendable {
    let acknowledged = Atomic<Int64>(0)
    private let first = Mutex<KafkaError?>(nil)

    var failure: KafkaError? { first.withLock { $0 } }

    func take(_ reports: [DeliveryReport]) {
      var count: Int64 = 0
      for report in reports {
        if let error = report.error {
          first.withLock { $0 = $0 ?? error }
        } else {
          count += 1
        }
      }
      acknowledged.wrappingAdd(count, ordering: .releasing)
    }
  }
}
