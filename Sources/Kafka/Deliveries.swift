public import CRdkafka

/// Takes what became of the records of one producer, as librdkafka gathered it; called by the producer's thread alone.
public protocol DeliveryHandler: AnyObject, Sendable {
  /// Every record comes once, those of a partition in the order in which they were appended. Must not block for long.
  func take(_ deliveries: inout Deliveries)
}

/// Some records that were reported together, one after another: for those who produce so many that a report for each
/// would cost more than it says.
public struct Deliveries: ~Copyable {
  // Owned by whoever calls the handler, and let go when that has returned.
  @usableFromInline let event: OpaquePointer

  init(event: OpaquePointer) { self.event = event }

  /// How many records there were in the beginning.
  var count: Int { rd_kafka_event_message_count(event) }

  /// The next record, `nil` after the last one.
  @inlinable public mutating func next() -> Delivery? {
    rd_kafka_event_message_next(event).map { Delivery(message: $0) }
  }
}

/// What became of one record; valid until the handler has returned.
public struct Delivery {
  // The library's own record, which lives as long as the event that it came in.
  @usableFromInline let message: UnsafePointer<rd_kafka_message_t>

  @inlinable init(message: UnsafePointer<rd_kafka_message_t>) { self.message = message }

  /// The token given to `produce`.
  @inlinable public var token: UInt64 { UInt64(UInt(bitPattern: message.pointee._private)) }
  /// The partition it was for; −1 where none had been chosen.
  @inlinable public var partition: Int32 { message.pointee.partition }
  /// Whether it is in the log, and nothing went wrong on the way: nearly always, and then `report` says no more.
  @inlinable public var isDelivered: Bool { message.pointee.err.rawValue == 0 }
  /// Takes the headers that it was produced with, for another record; once.
  public func takeHeaders(_ headers: ReusableHeaders, into pile: inout HeaderPile) {
    var list: OpaquePointer?
    // The library's call wants the record as its owner sees it: that is who handles the event.
    let record = UnsafeMutablePointer(mutating: message)
    guard rd_kafka_message_detach_headers(record, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return }
    guard list == headers.list else { return rd_kafka_headers_destroy(list) }
    pile.push(headers)
  }
  /// All that is known of it.
  public var report: DeliveryReport { DeliveryReport(message) }
}
