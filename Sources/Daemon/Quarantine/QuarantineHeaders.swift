internal import Kafka
internal import Metering
internal import Synchronization

/// Makes the headers of one partition's quarantined records (INTERFACE.md section 1).
///
/// librdkafka allocates each header by itself, on the worker's thread, and frees it on another one, long after it has
/// left the caches: that was a third of what a bad event cost. So the headers of delivered records come back here, and
/// the next record with that reason, and an offset and a detail of those lengths, has both written over the old ones.
final class QuarantineHeaders: Sendable {
  /// The most that are kept for the worker, and the most that wait for it: some 0.5 MiB each.
  private static let most = 1_024
  private static let detailLengths = 64

  private let usageTopic: [UInt8]
  private let partition: [UInt8]
  private let returned = Mutex(HeaderPile())
  // The worker's alone: its lock is never waited for.
  private let stock = Mutex(HeaderStock(places: QuarantineReason.allCases.count * detailLengths, most: most))

  init(usageTopic: [UInt8], partition: Int32) {
    self.usageTopic = usageTopic
    self.partition = Array(String(partition).utf8)
  }

  /// Gives each event that has no headers of its own those that it will be produced with.
  func fill(_ events: inout [QuarantinedEvent]) {
    withUnsafeTemporaryAllocation(byteCount: LineWriter.mostDigits, alignment: 1) { room in
      stock.withLock { stock in
        for index in events.indices where events[index].record.headers.isEmpty {
          let reason = events[index].reason
          var offset = LineWriter(room: room)
          offset.add(events[index].record.offset)
          var headers: ReusableHeaders?
          events[index].detail.withUTF8 { detail in
            // Longer details share the places of shorter ones: they are few, and what has other lengths is not used.
            let place = Int32(Int(reason.rawValue) * Self.detailLengths + detail.count % Self.detailLengths)
            headers = kept(in: &stock, at: place)
            if headers?.write(offset.bytes, detail) == true { return }
            headers?.destroy()
            headers = list(original: events[index].record.headers, reason, offset.bytes, detail)
              .reusable(at: place, first: Self.offset, second: Self.detail)
          }
          events[index].headers = headers
        }
      }
    }
  }

  /// The headers of an event that has some of its own: those, then ours.
  func list(for event: QuarantinedEvent) -> HeaderList? {
    var list: HeaderList?
    event.detail.withUTF8 { detail in
      withUnsafeTemporaryAllocation(byteCount: LineWriter.mostDigits, alignment: 1) { room in
        var offset = LineWriter(room: room)
        offset.add(event.record.offset)
        list = self.list(original: event.record.headers, event.reason, offset.bytes, detail)
      }
    }
    return list
  }

  // The indices of those headers that differ, where there are no original ones.
  private static let offset = 3
  private static let detail = 4
  private static let count = 5

  private func list(
    original: UnsafeBufferPointer<HeaderView>, _ reason: QuarantineReason, _ offset: UnsafeRawBufferPointer,
    _ detail: UnsafeRawBufferPointer
  ) -> HeaderList {
    let list = HeaderList(expecting: original.count + Self.count)
    for header in original { list.add(header.name, header.value.baseAddress == nil ? nil : header.value) }
    let code = reason.code
    list.add("meterd_reason", UnsafeRawBufferPointer(start: code.utf8Start, count: code.utf8CodeUnitCount))
    usageTopic.withUnsafeBytes { list.add("meterd_topic", $0) }
    partition.withUnsafeBytes { list.add("meterd_partition", $0) }
    list.add("meterd_offset", offset)
    list.add("meterd_detail", detail)
    return list
  }

  private func kept(in stock: inout HeaderStock, at place: Int32) -> ReusableHeaders? {
    if let headers = stock.pop(at: place) { return headers }
    var pile = HeaderPile()
    returned.withLock { swap(&$0, &pile) }
    stock.take(from: &pile)
    return stock.pop(at: place)
  }

  /// Takes the headers of a record that was delivered, unless there are enough.
  static func collect(_ headers: ReusableHeaders, of delivery: Delivery, into pile: inout HeaderPile) {
    if pile.count < most { delivery.takeHeaders(headers, into: &pile) }
  }

  /// Takes what was collected.
  func giveBack(_ pile: consuming HeaderPile) {
    returned.withLock { $0.take(from: &pile, most: Self.most) }
  }
}
