internal import Dispatch
public import Kafka
internal import Synchronization

/// What became of an append to the ledger.
public enum LedgerAppendOutcome: Sendable {
  /// Every record of it is in the log, acknowledged by all in-sync replicas.
  case appended
  /// Some record of it is not known to be in the log. Where `isUnknown`, records may be in it, now or later: the
  /// partition's ownership has to end, and its next append goes through a new producer.
  case failed(KafkaError, isUnknown: Bool)
}

/// The ledger topic: appends to it and reads it back.
///
/// All partitions share one idempotent producer (`acks=all`, zstd, a finite time-out): records of a partition are
/// appended in order, once. That producer is a *generation*: after an outcome that nobody knows, the partition goes on
/// with a new one, and so do the others once nothing of theirs is under way in the old one, which is then closed. What
/// the old one may still append carries an old nonce, and the owner rule makes it void.
///
/// Any thread may call it. Completions and deliveries come on its own threads and must not block.
public final class LedgerLog: Sendable {
  /// The topic's name.
  public let topic: String
  private let properties: ClientProperties
  private let observer: ClientObserver
  private let reader: ReaderHandle
  private let state = Mutex(State())
  private let closing = DispatchQueue(label: "ledger.close", attributes: .concurrent)
  private let isClosed = Flag()

  private final class Generation: Sendable {
    let number: Int
    let producer: Producer
    init(number: Int, producer: Producer) {
      self.number = number
      self.producer = producer
    }
  }

  /// One partition's way into the log.
  private struct Lane {
    var generation: Generation
    var underWay = 0
    /// Its next append needs a generation after this one.
    var isBroken = false
  }

  private struct Append {
    var partition: Int32
    var generation: Int
    var unreported: Int
    var failure: KafkaError?
    var isUnknown = false
    var completion: @Sendable (LedgerAppendOutcome) -> Void
  }

  private struct State {
    var current: Generation?
    var generations = 0
    var lanes: [Int32: Lane] = [:]
    var appends: [UInt64: Append] = [:]
    var nextToken: UInt64 = 1
    /// Bytes handed over, by partition, since this log was made.
    var bytes: [Int32: Int64] = [:]

    /// Every generation that may have something under way.
    var all: [Generation] {
      var all: [Int: Generation] = [:]
      for generation in lanes.values.map(\.generation) + [current].compactMap(\.self) {
        all[generation.number] = generation
      }
      return Array(all.values)
    }
  }

  /// How long an append may take, milliseconds: long enough for a failover, and shorter than a lease.
  public static let appendTimeoutMilliseconds = 30_000

  /// A ledger on the cluster that `properties` name.
  ///
  /// - Parameters:
  ///   - properties: the connection's (`bootstrap.servers`, security); what exactness owns is set here.
  ///   - isEmbedded: the mock cluster answers a waiting fetch only when its time is up, so it is asked more often.
  public init(
    topic: String, properties: ClientProperties, isEmbedded: Bool = false, observer: ClientObserver = ClientObserver()
  ) throws(KafkaError) {
    self.topic = topic
    self.observer = observer
    self.properties = properties.overridden(by: [
      "enable.idempotence": "true", "acks": "all", "compression.codec": "zstd", "linger.ms": "0",
      // A record that is given up ends the producer: none behind it may land, or a set would stand with a hole in it.
      "enable.gapless.guarantee": "true",
      "message.timeout.ms": String(Self.appendTimeoutMilliseconds), "message.max.bytes": "1040000",
    ])
    reader = try ReaderHandle(
      properties: properties.overridden(by: [
        "enable.partition.eof": "true", "isolation.level": "read_uncommitted",
        "fetch.wait.max.ms": isEmbedded ? "5" : "100", "queued.max.messages.kbytes": "65536",
      ]), observer: observer)
  }

  /// Appends records to a partition, in order, behind what was given before.
  ///
  /// Blocks only while the producer's queue is full, and then at most ``appendTimeoutMilliseconds``.
  /// - Parameter completion: is called once, when the outcome of all of them is known or given up.
  public func append(
    partition: Int32, records: [[UInt8]], completion: @escaping @Sendable (LedgerAppendOutcome) -> Void
  ) {
    guard !records.isEmpty else { return completion(.appended) }
    state.withLock { $0.bytes[partition, default: 0] += Int64(records.reduce(0) { $0 + $1.count }) }
    let generation: Generation
    let token: UInt64
    do throws(KafkaError) {
      (generation, token) = try enter(partition: partition, records: records.count, completion: completion)
    } catch {
      return completion(.failed(error, isUnknown: false))
    }
    let deadline = Clock.elapsedMilliseconds() + Int64(Self.appendTimeoutMilliseconds)
    for (index, record) in records.enumerated() {
      do throws(KafkaError) {
        try handOver(record, to: generation.producer, partition: partition, token: token, deadline: deadline)
      } catch {
        // What was handed over before may be in the log, so the set's outcome is unknown from the second record on.
        let left = records.count - index
        finish(token: token, reports: left, failure: error, isUnknown: index > 0)
        return
      }
    }
  }

  /// Reads a partition from an offset on, until the tail is stopped.
  public func read(
    partition: Int32, from: Int64, deliver: @escaping @Sendable (LedgerTailEvent) -> Void
  ) throws(KafkaError) -> LedgerTail {
    let stream = try reader.start(topic: topic, partition: partition, offset: .offset(from))
    return LedgerTail(stream: stream, from: from, label: "ledger.\(partition)", deliver: deliver)
  }

  /// The first retained offset and the next one of a partition.
  public func watermarks(partition: Int32, timeoutMilliseconds: Int32 = 10_000) throws(KafkaError) -> Watermarks {
    try reader.queryWatermarks(topic: topic, partition: partition, timeoutMilliseconds: timeoutMilliseconds)
  }

  /// The most bytes that were handed over for one partition: the embedded broker keeps few.
  public var greatestBytes: Int64 { state.withLock { $0.bytes.values.max() ?? 0 } }

  /// Waits until what was handed over is acknowledged or refused, or the time is up.
  func flush(timeoutMilliseconds: Int64) {
    let deadline = Clock.elapsedMilliseconds() + timeoutMilliseconds
    for generation in state.withLock(\.all) {
      let left = max(0, deadline - Clock.elapsedMilliseconds())
      // What is left is as good as an append whose outcome is unknown: the next owner reads what became of it.
      try? generation.producer.flush(timeoutMilliseconds: Int32(clamping: left))
    }
  }

  /// Ends appending and reading. Tails must have been stopped; what is under way is reported as unknown.
  public func close() {
    guard isClosed.set() else { return }
    let generations = state.withLock { state in
      let all = state.all
      state.lanes = [:]
      state.current = nil
      return all
    }
    for generation in generations { generation.producer.close() }
    closing.sync(flags: .barrier) {}
    reader.close()
  }

  // MARK: Lanes and generations

  private func enter(
    partition: Int32, records: Int, completion: @escaping @Sendable (LedgerAppendOutcome) -> Void
  ) throws(KafkaError) -> (Generation, UInt64) {
    if isClosed.isSet { throw KafkaError(.wrongState, doing: "append to \(topic)[\(partition)]", detail: "closed") }
    var retired: Generation?
    defer { if let retired { close(retired) } }
    return try state.withLock { (state) throws(KafkaError) -> (Generation, UInt64) in
      var lane = state.lanes[partition]
      if lane == nil || lane?.isBroken == true || lane?.underWay == 0 {
        let old = lane?.generation
        if state.current == nil || state.current?.number == old?.number && lane?.isBroken == true
          || state.current?.producer.fatalCause != nil
        {
          state.generations += 1
          state.current = try makeGeneration(state.generations)
        }
        guard let current = state.current else { throw KafkaError(.wrongState, doing: "append to \(topic)") }
        lane = Lane(generation: current)
        state.lanes[partition] = lane
        if let old, old.number != current.number,
          !state.lanes.values.contains(where: { $0.generation.number == old.number })
        {
          retired = old
        }
      }
      guard var lane else { throw KafkaError(.wrongState, doing: "append to \(topic)") }
      let token = state.nextToken
      state.nextToken += 1
      lane.underWay += 1
      state.lanes[partition] = lane
      state.appends[token] = Append(
        partition: partition, generation: lane.generation.number, unreported: records, completion: completion)
      return (lane.generation, token)
    }
  }

  private func makeGeneration(_ number: Int) throws(KafkaError) -> Generation {
    let producer = try Producer(properties: properties, observer: observer) { [weak self] reports in
      for report in reports {
        switch report.outcome {
        case .delivered: self?.finish(token: report.token, reports: 1, failure: nil, isUnknown: false)
        case .notSent: self?.finish(token: report.token, reports: 1, failure: report.error, isUnknown: false)
        case .unknown: self?.finish(token: report.token, reports: 1, failure: report.error, isUnknown: true)
        }
      }
    }
    return Generation(number: number, producer: producer)
  }

  private func handOver(
    _ record: [UInt8], to producer: Producer, partition: Int32, token: UInt64, deadline: Int64
  ) throws(KafkaError) {
    while true {
      do throws(KafkaError) {
        return try producer.produce(topic: topic, partition: partition, key: nil, value: record, token: token)
      } catch {
        guard error.code == .queueFull, Clock.elapsedMilliseconds() < deadline else { throw error }
        Clock.sleep(milliseconds: 2)
      }
    }
  }

  /// Books `reports` outcomes of an append, and completes it with the last one.
  private func finish(token: UInt64, reports: Int, failure: KafkaError?, isUnknown: Bool) {
    let done: Append? = state.withLock { state in
      guard var append = state.appends[token] else { return nil }
      append.unreported -= reports
      if let failure {
        append.failure = append.failure ?? failure
        // One record in the log and another not: the set is as good as unknown, unless nothing of it is there.
        append.isUnknown = append.isUnknown || isUnknown
        if isUnknown || failure.isFatal, state.lanes[append.partition]?.generation.number == append.generation {
          state.lanes[append.partition]?.isBroken = true
        }
      }
      guard append.unreported == 0 else {
        state.appends[token] = append
        return nil
      }
      state.appends[token] = nil
      if state.lanes[append.partition]?.generation.number == append.generation {
        state.lanes[append.partition]?.underWay -= 1
      }
      return append
    }
    guard let done else { return }
    if let failure = done.failure {
      done.completion(.failed(failure, isUnknown: done.isUnknown))
    } else {
      done.completion(.appended)
    }
  }

  private func close(_ generation: Generation) {
    // Not on this thread: closing waits for the producer's own, which may be the one that calls.
    closing.async { generation.producer.close() }
  }
}
