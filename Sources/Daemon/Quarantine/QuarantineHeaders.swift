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

  /// The original headers, then ours.
  func list(
    original: UnsafeBufferPointer<HeaderView>, reason: StaticString, offset: UnsafeRawBufferPointer,
    detail: UnsafeRawBufferPointer
  ) -> HeaderList {
    let reason = UnsafeRawBufferPointer(start: reason.utf8Start, count: reason.utf8CodeUnitCount)
    if original.isEmpty, let list = kept(at: Self.place(reason: reason.count, detail: detail.count)),
      list.overwrite(Self.reason, with: reason), list.overwrite(Self.offset, with: offset),
      list.overwrite(Self.detail, with: detail)
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

  // The places of those headers that differ, where there are no original ones.
  private static let reason = 0
  private static let offset = 3
  private static let detail = 4
  private static let count = 5

  /// Takes the headers of a record that was delivered, if they can be used again and there are not too many.
  static func collect(_ delivery: Delivery, into pile: inout HeaderPile) {
    guard pile.count < most, let list = delivery.takeHeaders(), list.count == count else { return }
    pile.push(list)
  }

  /// Takes what was collected.
  func giveBack(_ pile: consuming HeaderPile) {
    returned.withLock { returned in
      while returned.count < Self.most, let list = pile.pop() { returned.push(list) }
    }
  }

  private func kept(at place: Int) -> HeaderList? {
    if let list = stock.withLock({ $0.pop(at: place) }) { return list }
    var pile = HeaderPile()
    returned.withLock { swap(&$0, &pile) }
    return stock.withLock { stock in
      while let list = pile.pop() {
        let place = Self.place(reason: list.valueLength(Self.reason), detail: list.valueLength(Self.detail))
        stock.push(list, at: place)
      }
      return stock.pop(at: place)
    }
  }

  /// Where lists of these lengths are kept. Longer ones share the places of shorter ones: they are few, and a list with
  /// other lengths than it should have is not used.
  private static func place(reason: Int, detail: Int) -> Int {
    reason % lengths.reason * lengths.detail + detail % lengths.detail
  }
}
