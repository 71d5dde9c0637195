internal import Kafka
internal import Metering
internal import Synchronization

/// Makes the headers of one partition's quarantined records (INTERFACE.md section 1). Any thread.
///
/// librdkafka allocates each header by itself, on the worker's thread, and frees it on another one, long after it has
/// left the caches: that was a third of what a bad event cost. So the lists of delivered records come back here, and a
/// record with values of the same lengths has them written over the old ones.
final class QuarantineHeaders: Sendable {
  /// The most lists that are kept for the worker, and the most that wait for it: some 0.5 MiB each.
  private static let most = 1_024
  private static let lengths = (reason: 32, detail: 64)

  private let usageTopic: [UInt8]
  private let partition: [UInt8]
  private let returned = Mutex(HeaderPile())
  private let stock = Mutex(HeaderStock(places: lengths.reason * lengths.detail, most: most))

  init(usageTopic: [UInt8], partition: Int32) {
    self.usageTopic = usageTopic
    self.partition = Array(String(partition).utf8)
  }

  /// Where the headers of a record belong, if they may be used again: those with values of the same lengths are together.
  /// Longer values share the places of shorter ones: they are few, and a list with other lengths than it should have is
  /// not used.
  static func place(original: UnsafeBufferPointer<HeaderView>, reason: StaticString, detail: UnsafeRawBufferPointer)
    -> Int32?
  {
    guard original.isEmpty else { return nil }
    return Int32(reason.utf8CodeUnitCount % lengths.reason * lengths.detail + detail.count % lengths.detail)
  }

  /// The original headers, then ours; from those that are kept in a place, if there is one.
  func list(
    at place: Int32?, original: UnsafeBufferPointer<HeaderView>, reason: StaticString, offset: UnsafeRawBufferPointer,
    detail: UnsafeRawBufferPointer
  ) -> HeaderList {
    let reason = UnsafeRawBufferPointer(start: reason.utf8Start, count: reason.utf8CodeUnitCount)
    if let place, let list = kept(at: Int(place)), list.overwrite(Self.reason, with: reason),
      list.overwrite(Self.offset, with: offset), list.overwrite(Self.detail, with: detail)
    {
      return list
    }
    let list = HeaderList(expecting: original.count + Self.count)
    for header in original { list.add(header.name, header.value.baseAddress == nil ? nil : header.value) }
    list.add("meterd_reason", reason)
    usageTopic.withUnsafeBytes { list.add("meterd_topic", $0) }
    partition.withUnsafeBytes { list.add("meterd_partition", $0) }
    list.add("meterd_offset", offset)
    list.add("meterd_detail", detail)
    return list
  }

  // The indices of those headers that differ, where there are no original ones.
  private static let reason = 0
  private static let offset = 3
  private static let detail = 4
  private static let count = 5

  /// Takes the headers of a record that was delivered, unless there are enough.
  static func collect(_ delivery: Delivery, of place: Int32, into pile: inout HeaderPile) {
    guard pile.count < most, let list = delivery.takeHeaders() else { return }
    pile.push(list, for: Int(place))
  }

  /// Takes what was collected.
  func giveBack(_ pile: consuming HeaderPile) {
    returned.withLock { $0.take(from: &pile, most: Self.most) }
  }

  private func kept(at place: Int) -> HeaderList? {
    if let list = stock.withLock({ $0.pop(at: place) }) { return list }
    var pile = HeaderPile()
    returned.withLock { swap(&$0, &pile) }
    return stock.withLock { stock in
      stock.take(from: &pile)
      return stock.pop(at: place)
    }
  }
}
