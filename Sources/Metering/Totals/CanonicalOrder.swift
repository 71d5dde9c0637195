private import CHotPath
private import Glibc

/// The canonical order of a range's rows (``CutRow/precedes(_:_:)``), and the payloads of its cut in that order.
///
/// No row gets bytes of its own: each distinct string is ranked once, rows are sorted by small integers, and their names
/// are written from the interners.
extension OpenRange {
  /// The payloads of the rows' CUT, each at most `limit` bytes (more only where a single row is larger).
  package func canonicalPayloads(limit: Int = LedgerCodec.chunkLimit) -> [[UInt8]] {
    let customerRanks = Self.ranks(customers)
    var series = SeriesNumbers(features: features.count, dimensions: dimensions.count, rows: rows.count)
    let order = canonicalOrder(customerRanks)
    var writer = RowPayloadWriter(limit: limit)
    for index in order.indices {
      rows.prefetch(place: Int(order[min(index + 8, order.count - 1)].place))
      rows.withRow(at: Int(order[index].place)) { row in
        writer.begin(
          customer: Int(row.customer), isUnmapped: false, bytes: customers.bytes(of: row.customer),
          series: series.number(feature: Int(row.feature), dimensions: Int(row.dimensions)),
          feature: features.bytes(of: row.feature),
          dimensions: dimensions.bytes(of: row.dimensions))
        writer.time(row.slotStart)
        writer.signed(row.greatestTime &- row.slotStart)
        writer.quantity(Quantity(units: row.units))
        writer.signed(row.events)
      }
    }
    if writer.rowCount > 0 { writer.take([]) }
    return writer.payloads
  }

  // MARK: Order

  /// What tells the rows of one customer apart, and where the row is.
  private struct RowKey {
    /// The ranks of feature and dimensions.
    var names: UInt64
    var slotStart: Int64
    /// The customer's rank.
    var customer: UInt32
    var place: UInt32

    static func precedes(_ left: RowKey, _ right: RowKey) -> Bool {
      left.names != right.names ? left.names < right.names : left.slotStart < right.slotStart
    }
  }

  /// Rows are dealt out by their customers' ranks, and sorted within each customer.
  private func canonicalOrder(_ customerRanks: [UInt32]) -> [RowKey] {
    let featureRanks = Self.ranks(features)
    let dimensionRanks = Self.ranks(dimensions)
    let keys = [RowKey](unsafeUninitializedCapacity: rows.count) { keys, count in
      rows.forEachPlace { place, row in
        let key = RowKey(
          names: UInt64(featureRanks[Int(row.feature)]) << 32 | UInt64(dimensionRanks[Int(row.dimensions)]),
          slotStart: row.slotStart, customer: customerRanks[Int(row.customer)], place: UInt32(place))
        keys.initializeElement(at: count, to: key)
        count += 1
      }
    }
    return Grouped.sorted(keys, groups: customers.count, group: { Int($0.customer) }, by: RowKey.precedes)
  }

  // MARK: Ranks

  private struct RankKey {
    /// The eight bytes after what all strings have in common, the first one highest; zeros behind a string's end.
    var head: UInt64
    var number: UInt32
  }

  /// The rank of each number's string among all.
  private static func ranks(_ strings: borrowing Interner) -> [UInt32] {
    let common = commonPrefix(strings)
    var keys: [RankKey] = []
    keys.reserveCapacity(strings.count)
    for number in 0..<UInt32(strings.count) {
      let bytes = strings.bytes(of: number)
      var head: UInt64 = 0
      var at = common
      while at < common + 8 {
        head = head << 8 | (at < bytes.count ? UInt64(bytes[at]) : 0)
        at += 1
      }
      keys.append(RankKey(head: head, number: number))
    }
    // The bytes stay where they are: nothing is interned meanwhile.
    let slices = (0..<UInt32(strings.count)).map { strings.bytes(of: $0) }
    keys.sort { left, right in
      left.head != right.head
        ? left.head < right.head : precedes(slices[Int(left.number)], slices[Int(right.number)])
    }
    var ranks = [UInt32](repeating: 0, count: strings.count)
    for (rank, key) in keys.enumerated() { ranks[Int(key.number)] = UInt32(rank) }
    return ranks
  }

  /// With how many bytes all of the strings begin alike.
  private static func commonPrefix(_ strings: borrowing Interner) -> Int {
    guard strings.count > 0 else { return 0 }
    let first = strings.bytes(of: 0)
    var common = first.count
    for number in 1..<max(1, UInt32(strings.count)) {
      let bytes = strings.bytes(of: number)
      common = min(common, bytes.count)
      var at = 0
      while at < common, first[at] == bytes[at] { at += 1 }
      common = at
    }
    return common
  }

  private static func precedes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard let a = left.baseAddress, let b = right.baseAddress else { return left.count < right.count }
    let order = memcmp(a, b, min(left.count, right.count))
    return order != 0 ? order < 0 : left.count < right.count
  }
}
