internal import CRdkafka

/// The headers of one record in librdkafka's own form, for those who produce many records with headers: nothing is
/// copied but the bytes themselves.
public struct HeaderList: ~Copyable, @unchecked Sendable {
  // Unchecked: the list belongs to this value alone, and any thread may change or destroy it.
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

  /// The list as one that serves again and again, for records whose values of two of its headers alone differ.
  ///
  /// - Parameters:
  ///   - place: where it belongs (``HeaderStock``).
  ///   - first: the index of the one header that differs.
  ///   - second: the index of the other one.
  /// - Returns: `nil`, and the list is gone, where there is no such header.
  public consuming func reusable(at place: Int32, first: Int, second: Int) -> ReusableHeaders? {
    let (one, other) = (value(first), value(second))
    guard let one, let other else { return nil }
    return ReusableHeaders(list: release(), place: place, first: one, second: other)
  }

  /// The memory of a header's value; `nil` where there is no such header, or its value is null.
  private func value(_ index: Int) -> UnsafeMutableRawBufferPointer? {
    var name: UnsafePointer<CChar>?
    var value: UnsafeRawPointer?
    var length = 0
    guard rd_kafka_header_get_all(raw, index, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR, let value else {
      return nil
    }
    // The library made a copy of the value for this list, which is ours alone: it hands it out as constant so that
    // nobody changes its length.
    return UnsafeMutableRawBufferPointer(start: UnsafeMutableRawPointer(mutating: value), count: length)
  }

  /// The list, which the caller owns now.
  consuming func release() -> OpaquePointer {
    let raw = raw
    discard self
    return raw
  }
}
