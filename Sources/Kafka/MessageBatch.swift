// Public, because the accessors are inlined into the loops of other rooms; they see a message's fields through it.
public import CRdkafka

/// The records that one read took from a partition's queue. It owns them: they are destroyed with the batch, or by
/// `removeAll`, all in one loop (interleaved with their use it costs 55 ns more a record).
///
/// Not copyable, so that no record can be freed twice; borrow it to the function that goes through it.
public struct MessageBatch: ~Copyable, @unchecked Sendable {
  // Unchecked: the pointers are owned by this value alone, and librdkafka lets any thread destroy a message.
  @usableFromInline let messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
  /// How many records the batch can hold.
  public let capacity: Int
  /// How many entries it holds.
  public internal(set) var count: Int

  /// An empty batch; its array of pointers is used again for every read.
  public init(capacity: Int) {
    precondition(capacity > 0, "a batch holds at least one record")
    messages = .allocate(capacity: capacity)
    messages.initialize(repeating: nil, count: capacity)
    self.capacity = capacity
    count = 0
  }

  /// Whether it holds nothing.
  @inlinable public var isEmpty: Bool { count == 0 }

  /// Entry `index`, valid until the batch is emptied. Most are records; see `Message.error` for the others.
  @inlinable public subscript(index: Int) -> Message {
    assert(index >= 0 && index < count)
    // Entries below `count` are never nil; unchecked, since this is read for every event.
    return Message(pointer: messages[index].unsafelyUnwrapped)
  }

  /// Asks for the memory of what a loop that has come to entry `index` will read soon: another core has just written it.
  @inlinable @inline(__always) public func prefetch(beyond index: Int) {
    if index &+ 12 < count { kafka_prefetch_message(messages[index &+ 12].unsafelyUnwrapped) }
    if index &+ 6 < count { kafka_prefetch_value_end(messages[index &+ 6].unsafelyUnwrapped) }
  }

  /// Destroys the records; the batch can then be filled again.
  public mutating func removeAll() {
    for index in 0..<count { rd_kafka_message_destroy(messages[index]) }
    count = 0
  }

  deinit {
    for index in 0..<count { rd_kafka_message_destroy(messages[index]) }
    messages.deallocate()
  }
}

/// One entry of a batch, borrowed from it.
public struct Message {
  @usableFromInline let pointer: UnsafeMutablePointer<rd_kafka_message_t>
  @inlinable init(pointer: UnsafeMutablePointer<rd_kafka_message_t>) { self.pointer = pointer }

  /// Whether this is a record; otherwise `error` says what it is, and only `offset` may mean something.
  @inlinable public var isRecord: Bool { pointer.pointee.err.rawValue == 0 }
  /// `.none` for a record; `.partitionEOF` at the end of the partition (`enable.partition.eof`), or what went wrong.
  @inlinable public var code: KafkaError.Code { KafkaError.Code(rawValue: pointer.pointee.err.rawValue) }
  /// The offset of the record, or of the end of the partition.
  @inlinable public var offset: Int64 { pointer.pointee.offset }
  /// The record's value; empty also where it is null (`isValueNull`).
  @inlinable public var value: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: pointer.pointee.payload, count: pointer.pointee.len)
  }
  /// Whether the value is null, as in a tombstone.
  @inlinable public var isValueNull: Bool { pointer.pointee.payload == nil }
  /// The record's key; empty also where it is null (`isKeyNull`).
  @inlinable public var key: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: pointer.pointee.key, count: pointer.pointee.key_len)
  }
  /// Whether the record has no key.
  @inlinable public var isKeyNull: Bool { pointer.pointee.key == nil }

  /// The record's timestamp in Unix milliseconds, −1 where it has none.
  @inlinable public var timestampMilliseconds: Int64 {
    var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let timestamp = rd_kafka_message_timestamp(pointer, &type)
    return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp
  }

  /// Whether the timestamp is the broker's time of the append (`message.timestamp.type=LogAppendTime`).
  @inlinable public var isAppendTime: Bool {
    var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    _ = rd_kafka_message_timestamp(pointer, &type)
    return type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME
  }

  /// What an entry that is no record says, `nil` for a record.
  public var error: KafkaError? {
    guard !isRecord else { return nil }
    let text = value.isEmpty ? nil : String(decoding: value, as: UTF8.self)
    let topic = pointer.pointee.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) } ?? "?"
    return KafkaError(
      code, doing: "read \(topic)[\(pointer.pointee.partition)]", detail: text, isFatal: code == .fatal)
  }
}
