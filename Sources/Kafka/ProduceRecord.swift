internal import CRdkafka

/// `rd_kafka_produceva` with its argument array on the stack; the error object is the caller's.
func produceRecord(
  _ handle: OpaquePointer, _ topic: OpaquePointer, _ partition: Int32, _ key: UnsafeRawBufferPointer?,
  _ value: UnsafeRawBufferPointer?, _ headers: consuming HeaderList?, _ timestamp: Int64?, _ token: UInt64
) -> OpaquePointer? {
  let list = headers.take()?.release()
  return withUnsafeTemporaryAllocation(of: rd_kafka_vu_t.self, capacity: 8) { arguments in
    var count = 0
    func add(_ type: rd_kafka_vtype_t, _ fill: (inout rd_kafka_vu_t) -> Void) {
      var argument = rd_kafka_vu_t()
      argument.vtype = type
      fill(&argument)
      arguments.initializeElement(at: count, to: argument)
      count += 1
    }
    add(RD_KAFKA_VTYPE_RKT) { $0.u.rkt = topic }
    add(RD_KAFKA_VTYPE_PARTITION) { $0.u.i32 = partition }
    add(RD_KAFKA_VTYPE_MSGFLAGS) { $0.u.i = Int32(RD_KAFKA_MSG_F_COPY) }
    add(RD_KAFKA_VTYPE_OPAQUE) { $0.u.ptr = UnsafeMutableRawPointer(bitPattern: UInt(token)) }
    if let value {
      add(RD_KAFKA_VTYPE_VALUE) {
        $0.u.mem.ptr = UnsafeMutableRawPointer(mutating: value.baseAddress)
        $0.u.mem.size = value.count
      }
    }
    if let key {
      add(RD_KAFKA_VTYPE_KEY) {
        $0.u.mem.ptr = UnsafeMutableRawPointer(mutating: key.baseAddress)
        $0.u.mem.size = key.count
      }
    }
    if let timestamp { add(RD_KAFKA_VTYPE_TIMESTAMP) { $0.u.i64 = timestamp } }
    if let list { add(RD_KAFKA_VTYPE_HEADERS) { $0.u.headers = list } }
    let error = rd_kafka_produceva(handle, arguments.baseAddress, count)
    // On success the record owns the headers.
    if error != nil, let list { rd_kafka_headers_destroy(list) }
    return error
  }
}

/// The headers of one record in librdkafka's own form, for those who produce many records with headers: nothing is
/// copied but the bytes themselves.
public struct HeaderList: ~Copyable {
  private let raw: OpaquePointer

  /// An empty list, with room for so many headers.
  public init(expecting count: Int) { raw = rd_kafka_headers_new(count) }

  init(_ headers: [Header]) {
    self.init(expecting: headers.count)
    for header in headers {
      var name = header.name
      name.withUTF8 { name in
        guard let value = header.value else { return add(UnsafeRawBufferPointer(name), nil) }
        value.withUnsafeBytes { add(UnsafeRawBufferPointer(name), $0) }
      }
    }
  }

  deinit { rd_kafka_headers_destroy(raw) }

  /// Adds a header; both are copied, and a `nil` value is Kafka's null.
  public func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) {
    let name = UnsafeRawBufferPointer(start: name.baseAddress ?? UnsafeRawPointer(raw), count: name.count)
    // librdkafka takes a null pointer for a null value: an empty one needs an address.
    let start = value.map { $0.baseAddress ?? UnsafeRawPointer(raw) }
    // Cannot fail: the list is new, and so not read-only.
    _ = rd_kafka_header_add(
      raw, name.baseAddress?.assumingMemoryBound(to: CChar.self), name.count, start, value?.count ?? 0)
  }

  /// Adds a header with a name that is part of the program.
  public func add(_ name: StaticString, _ value: UnsafeRawBufferPointer?) {
    add(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), value)
  }

  /// The list, which the caller owns now.
  consuming func release() -> OpaquePointer {
    let raw = raw
    discard self
    return raw
  }
}
