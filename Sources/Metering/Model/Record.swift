/// One Kafka header, borrowed from the message.
public struct HeaderView {
  /// The name's bytes.
  public var name: UnsafeRawBufferPointer
  /// The value's bytes; empty for a null value.
  public var value: UnsafeRawBufferPointer

  /// Borrows both; they must outlive the view.
  @inlinable public init(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
    self.name = name
    self.value = value
  }
}

/// One record of the usage topic, borrowed from the consumer's batch: valid until the batch is destroyed.
///
/// The pointers are unsafe because the bytes belong to librdkafka (or to a test's array); nothing here outlives the
/// call that it is passed to.
public struct RecordView {
  /// The record's value; a null value is empty.
  public var value: UnsafeRawBufferPointer
  /// The record's key; a null key is empty.
  public var key: UnsafeRawBufferPointer
  /// The record's headers; mostly none.
  public var headers: UnsafeBufferPointer<HeaderView>
  /// The record's place in its partition.
  public var offset: Int64
  /// The record's timestamp in Unix milliseconds, or −1 where it has none.
  public var timestampMilliseconds: Int64

  /// Borrows a record; the buffers must outlive the view.
  @inlinable public init(
    value: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer = .init(start: nil, count: 0),
    headers: UnsafeBufferPointer<HeaderView> = .init(start: nil, count: 0), offset: Int64,
    timestampMilliseconds: Int64
  ) {
    self.value = value
    self.key = key
    self.headers = headers
    self.offset = offset
    self.timestampMilliseconds = timestampMilliseconds
  }
}
