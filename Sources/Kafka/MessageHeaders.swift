public import CRdkafka

extension Message {
  /// Whether the record has headers: one load, so that the few records with headers cost the others nothing.
  ///
  /// librdkafka's own question parses the headers, with an allocation for every record. In the record format of Kafka
  /// 0.11 and later (magic 2) the bytes after the value *are* the header count, a varint, 0 for none; librdkafka hands
  /// the value over where it was received, so the byte behind it is read. In the older formats there is something else
  /// behind the value, and `withHeaders`, which asks the library, then answers that there are none.
  @inlinable public var hasHeaders: Bool {
    guard isRecord else { return false }
    // A null value has no place, and for an empty one librdkafka shows a string of its own: only it can tell.
    guard let value = pointer.pointee.payload, pointer.pointee.len > 0 else { return true }
    return value.load(fromByteOffset: pointer.pointee.len, as: UInt8.self) != 0
  }

  /// Calls `body` with each header's name and value, in order; names may repeat, a null value is `nil`. The pointers
  /// are valid until the batch is emptied.
  ///
  /// - Throws: `KafkaError` where the headers cannot be parsed.
  public func forEachHeader(
    _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) -> Void
  ) throws(KafkaError) {
    var headers: OpaquePointer?
    let code = rd_kafka_message_headers(pointer, &headers)
    if code == RD_KAFKA_RESP_ERR__NOENT { return }
    try KafkaError.check(code, doing: "parse the headers of the record at offset \(offset)")
    var index = 0
    while true {
      var name: UnsafePointer<CChar>?
      var value: UnsafeRawPointer?
      var length = 0
      guard rd_kafka_header_get_all(headers, index, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR, let name
      else { return }
      var nameLength = 0
      while name[nameLength] != 0 { nameLength += 1 }
      body(
        UnsafeRawBufferPointer(start: name, count: nameLength),
        value.map { UnsafeRawBufferPointer(start: $0, count: length) })
      index += 1
    }
  }

  /// The headers, copied.
  public func headers() throws(KafkaError) -> [Header] {
    var headers: [Header] = []
    try forEachHeader { name, value in
      headers.append(Header(name: String(decoding: name, as: UTF8.self), value: value.map { [UInt8]($0) }))
    }
    return headers
  }
}

/// A record's header.
public struct Header: Sendable, Hashable {
  /// The name; names may repeat within a record.
  public var name: String
  /// The value; `nil` is Kafka's null.
  public var value: [UInt8]?

  /// A header.
  public init(name: String, value: [UInt8]?) {
    self.name = name
    self.value = value
  }
}
