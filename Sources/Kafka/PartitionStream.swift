internal import CRdkafka
internal import Dispatch
internal import Synchronization

/// One partition being read: a queue of fetched records, taken in batches.
///
/// Any thread may call it; reads exclude each other, and `stop` interrupts a read that waits. A seek is `stop` and a
/// new `start`: the new stream has a new queue, so no record fetched before can come out of it.
///
/// **Back-pressure.** Where nobody reads, librdkafka stops to fetch at `queued.min.messages` or
/// `queued.max.messages.kbytes`, for each partition: that bounds the memory, and there is no pause and resume. But
/// librdkafka before 2.2 has no `fetch.queue.backoff.ms`: its broker thread then sleeps up to a second, and taking the
/// records out does not wake it. A request to that broker does, so `read` sends one (from another thread) when the
/// queue is less than half full and the broker is known to have more. The other cure, a queue that never fills
/// (`queued.min.messages=1000000`), costs the memory of a million records a partition.
public final class PartitionStream: Sendable {
  /// What is read.
  public let place: TopicPartition
  private let handle: ReaderHandle
  // OpaquePointers are not Sendable; librdkafka's queues and topics synchronize themselves, and `reading` keeps
  // their destruction apart from their use.
  private struct Raw: @unchecked Sendable {
    let topic: OpaquePointer
    let queue: OpaquePointer
  }
  private let raw: Raw
  private let reading = Lock()
  /// Whether the queue still is; keeps an interrupt from a queue that `stop` destroys.
  private let isOpen = Mutex(true)
  private let stopping = Stopping()
  private let isWaking = Atomic(false)
  private let wakesAutomatically = KafkaVersion.current < KafkaVersion(2, 2, 0)

  init(handle: ReaderHandle, place: TopicPartition, offset: StartOffset, doing: String) throws(KafkaError) {
    guard let topic = rd_kafka_topic_new(handle.client.raw, place.topic, nil) else {
      throw KafkaError(rd_kafka_last_error(), doing: doing)
    }
    guard let queue = rd_kafka_queue_new(handle.client.raw) else {
      rd_kafka_topic_destroy(topic)
      throw KafkaError(.invalidArgument, doing: doing, detail: "librdkafka made no queue")
    }
    guard rd_kafka_consume_start_queue(topic, place.partition, offset.raw, queue) == 0 else {
      let error = KafkaError(rd_kafka_last_error(), doing: doing)
      rd_kafka_queue_destroy(queue)
      rd_kafka_topic_destroy(topic)
      throw error
    }
    self.handle = handle
    self.place = place
    raw = Raw(topic: topic, queue: queue)
  }

  deinit { stop() }

  /// Replaces what `batch` holds by the next entries of the queue.
  ///
  /// Waits up to `timeoutMilliseconds` for the first one, then takes what is there, and waits up to
  /// `lingerMilliseconds` more for the batch to fill.
  ///
  /// - Returns: how many entries the batch now holds; 0 when nothing came.
  /// - Throws: `.wrongState` once the stream is stopped.
  @discardableResult
  public func read(
    into batch: inout MessageBatch, timeoutMilliseconds: Int32, lingerMilliseconds: Int32 = 0
  ) throws(KafkaError) -> Int {
    batch.removeAll()
    try reading.with { () throws(KafkaError) in
      // Set before the queue is destroyed, which waits for the lock.
      guard !stopping.isSet else {
        throw KafkaError(.wrongState, doing: "read \(place)", detail: "the stream is stopped")
      }
      // consume_batch waits for a *full* batch until its time is up: so the first record is waited for by itself.
      guard let first = rd_kafka_consume_queue(raw.queue, timeoutMilliseconds) else { return }
      batch.messages[0] = first
      batch.count = 1
      guard batch.capacity > 1 else { return }
      let more = rd_kafka_consume_batch_queue(
        raw.queue, lingerMilliseconds, batch.messages + 1, batch.capacity - 1)
      if more > 0 { batch.count += more }
      let last = batch[batch.count - 1]
      if wakesAutomatically && last.isRecord { wakeIfStarved(position: last.offset + 1) }
    }
    return batch.count
  }

  /// A new batch of at most `max` entries; `read(into:)` saves its allocation.
  public func nextBatch(max: Int, timeoutMilliseconds: Int32) throws(KafkaError) -> MessageBatch {
    var batch = MessageBatch(capacity: max)
    try read(into: &batch, timeoutMilliseconds: timeoutMilliseconds)
    return batch
  }

  /// Makes a `read` that waits return at once, with what it has.
  public func interrupt() { isOpen.withLock { if $0 { rd_kafka_queue_yield(raw.queue) } } }

  /// Stops reading, and drops what was fetched. Waits for librdkafka's answer; a second call does nothing.
  public func stop() {
    guard stopping.set() else { return }
    interrupt()
    reading.with {
      isOpen.withLock { $0 = false }
      // Cannot fail: the partition is being read, by this stream.
      let stopped = rd_kafka_consume_stop(raw.topic, place.partition)
      assert(stopped == 0, "stop of a partition that is not read")
      rd_kafka_queue_destroy(raw.queue)
      rd_kafka_topic_destroy(raw.topic)
    }
    handle.didStop(place)
  }

  /// The watermarks as of the last answer to a fetch, without asking the broker; `nil` before the first one. `high` is
  /// the high watermark, open transactions included; `low` is −1 where librdkafka has not learned it.
  public func cachedWatermarks() -> Watermarks? {
    var low: Int64 = 0
    var high: Int64 = 0
    let code = rd_kafka_get_watermark_offsets(handle.client.raw, place.topic, place.partition, &low, &high)
    return code == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? Watermarks(low: max(low, -1), high: high) : nil
  }

  /// Wakes the broker's thread of librdkafka by a request to the partition's leader (see "Back-pressure"). Does not
  /// wait for it; while one is under way, another is not sent.
  public func wake() {
    guard !isWaking.exchange(true, ordering: .acquiringAndReleasing) else { return }
    let handle = handle
    handle.wakeQueue.async {
      // Whether it is answered does not matter, nor what: the request alone wakes the thread.
      _ = try? end(of: handle.client, self.place.topic, self.place.partition, Int64(RD_KAFKA_OFFSET_END), 100)
      self.isWaking.store(false, ordering: .releasing)
    }
  }

  private func wakeIfStarved(position: Int64) {
    let length = Int64(rd_kafka_queue_length(raw.queue))
    guard length < handle.queuedMinimumMessages / 2, let known = cachedWatermarks()?.high,
      position + length < known
    else { return }
    wake()
  }
}
