internal import CRdkafka

/// `rd_kafka_produceva` with its argument array on the stack; the error object is the caller's, and so are the headers
/// where there is one. Without an error the record owns them.
func produceRecord(
  _ handle: OpaquePointer, _ topic: OpaquePointer, _ partition: Int32, _ key: UnsafeRawBufferPointer?,
  _ value: UnsafeRawBufferPointer?, _ headers: OpaquePointer?, _ timestamp: Int64?, _ token: UInt64
) -> OpaquePointer? {
  withUnsafeTemporaryAllocation(of: rd_kafka_vu_t.self, capacity: 8) { arguments in
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
    if let headers { add(RD_KAFKA_VTYPE_HEADERS) { $0.u.headers = headers } }
    return rd_kafka_produceva(handle, arguments.baseAddress, count)
  }
}
