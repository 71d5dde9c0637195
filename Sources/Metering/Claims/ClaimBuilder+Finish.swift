extension ClaimBuilder {
  /// The claim of all that was added.
  ///
  /// - Parameter limit: of a payload, in bytes (more only where a single row is larger).
  public consuming func finish(limit: Int = LedgerCodec.chunkLimit) throws(ClaimError) -> ClaimContent {
    guard !merged.isTooLong else { throw .tooManyRows }
    let order = ordered()
    let names = PackedNames(customers.map(\.bytes) + meters.values + dimensions.values)
    return try names.bytes.withUnsafeBufferPointer { (bytes) throws(ClaimError) -> ClaimContent in
      let bytes = UnsafeRawBufferPointer(bytes)
      // A payload that rows alone have filled changes nothing that is carried.
      var writer = RowPayloadWriter(limit: limit, afterRows: [0])
      var series = SeriesNumbers(features: meters.values.count, dimensions: dimensions.values.count, rows: order.count)
      var carries: [CarryChange] = []
      var start = 0
      while start < order.count {
        var end = start + 1
        while end < order.count, order[end].names == order[start].names { end += 1 }
        let change = try fit(order[start..<end]) { row, value in
          let meter = Int(row.key.meter)
          let dimension = Int(row.key.dimensions)
          writer.begin(
            customer: Int(row.key.customer), isUnmapped: customers[Int(row.key.customer)].isUnmapped,
            bytes: names.slice(Int(row.key.customer), of: bytes),
            series: series.number(feature: meter, dimensions: dimension),
            feature: names.slice(customers.count + meter, of: bytes),
            dimensions: names.slice(customers.count + meters.values.count + dimension, of: bytes))
          writer.time(row.greatestTime)
          writer.quantity(value)
          writer.signed(row.events)
        }
        if let change { carries.append(change) }
        start = end
      }
      Self.write(carries, behindRowsOf: &writer, limit: limit)
      return ClaimContent(payloads: writer.payloads, rowCount: order.count, skipped: skipped)
    }
  }

  /// The carry rule, for the rows of one (customer, meter) in slot order: each sends the part of (carry + row) that the
  /// contract takes, and passes the rest on. An unmapped customer's rows stay as they are.
  private borrowing func fit(
    _ group: ArraySlice<Order>, _ send: (_ row: MergedRows.Row, _ value: Quantity) -> Void
  ) throws(ClaimError) -> CarryChange? {
    guard let key = group.first.map({ merged.rows[Int($0.place)].key }) else { return nil }
    let isUnmapped = customers[Int(key.customer)].isUnmapped
    var carriedIn = Quantity.zero
    if !isUnmapped, !carry.isEmpty { carriedIn = carry[carryKey(key)] ?? .zero }
    var carried = carriedIn
    for place in group {
      let row = merged.rows[Int(place.place)]
      var value = row.quantity
      if !isUnmapped {
        guard let total = carried.adding(row.quantity) else {
          throw .overflow(customer: customers[Int(key.customer)].bytes, meter: meters.values[Int(key.meter)])
        }
        value = rules.rowRules.part(of: total)
        carried = Quantity(units: total.units - value.units)
      }
      send(row, value)
    }
    if carriedIn == .zero, carried == .zero { return nil }
    let names = carryKey(key)
    return CarryChange(customer: names.customer, meter: names.meter, carriedIn: carriedIn, carriedOut: carried)
  }

  private func carryKey(_ key: MergedRows.Key) -> CarryKey {
    CarryKey(customer: customers[Int(key.customer)].bytes, meter: meters.values[Int(key.meter)])
  }

  /// Ends the last payload of rows with the carries, and goes on with payloads of carries alone where they need more.
  private static func write(
    _ carries: [CarryChange], behindRowsOf writer: inout RowPayloadWriter, limit: Int
  ) {
    var carried = ByteWriter()
    var count = 0
    func take(_ writer: inout RowPayloadWriter) {
      var rest = ByteWriter(capacity: carried.bytes.count + 10)
      rest.varint(count)
      rest.bytes.append(contentsOf: carried.bytes)
      writer.take(rest.bytes)
      carried = ByteWriter()
      count = 0
    }
    for carry in carries {
      let bound = carry.customer.count + carry.meter.count + 60
      if count + writer.rowCount > 0, writer.byteCount + carried.bytes.count + bound > limit - 20 { take(&writer) }
      carry.write(to: &carried)
      count += 1
    }
    if writer.rowCount + count > 0 { take(&writer) }
  }

  // MARK: Order

  /// Where a merged row stands among all.
  private struct Order {
    /// The ranks of customer and meter.
    var names: UInt64
    var slot: Int64
    var dimensions: UInt32
    var place: UInt32

    var customer: Int { Int(names >> 32) }

    static func precedes(_ left: Order, _ right: Order) -> Bool {
      if left.names != right.names { return left.names < right.names }
      if left.slot != right.slot { return left.slot < right.slot }
      return left.dimensions < right.dimensions
    }
  }

  private borrowing func ordered() -> [Order] {
    let customerRank =
      isPlain
      ? (0..<UInt32(customers.count)).map { $0 }
      : ranks(of: customers) { left, right in
        left.bytes == right.bytes ? !left.isUnmapped && right.isUnmapped : Self.precedes(left.bytes, right.bytes)
      }
    let meterRank = ranks(of: meters.values, by: Self.precedes)
    let dimensionRank = ranks(of: dimensions.values, by: Self.precedes)
    var isOrdered = true
    var order: [Order] = []
    order.reserveCapacity(merged.rows.count)
    for (place, row) in merged.rows.enumerated() {
      let next = Order(
        names: UInt64(customerRank[Int(row.key.customer)]) << 32 | UInt64(meterRank[Int(row.key.meter)]),
        slot: row.key.slot, dimensions: dimensionRank[Int(row.key.dimensions)], place: UInt32(place))
      if isOrdered, let last = order.last, Order.precedes(next, last) { isOrdered = false }
      order.append(next)
    }
    // One cut's rows mostly are in order already.
    return isOrdered ? order : Grouped.sorted(order, groups: customers.count, group: \.customer, by: Order.precedes)
  }

  static func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.withUnsafeBufferPointer { left in
      right.withUnsafeBufferPointer { right in
        let count = min(left.count, right.count)
        var at = 0
        while at < count, left[at] == right[at] { at += 1 }
        return at < count ? left[at] < right[at] : left.count < right.count
      }
    }
  }
}

/// Byte strings one behind the other.
private struct PackedNames {
  private(set) var bytes: [UInt8] = []
  private var ends: [Int] = [0]

  init(_ names: [[UInt8]]) {
    ends.reserveCapacity(names.count + 1)
    for name in names {
      bytes.append(contentsOf: name)
      ends.append(bytes.count)
    }
  }

  /// A name's place in ``bytes``.
  @inline(__always) func slice(_ number: Int, of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[ends[number]..<ends[number + 1]])
  }
}

/// The place of each value in sorted order, by its number.
private func ranks<Value>(of values: [Value], by precedes: (Value, Value) -> Bool) -> [UInt32] {
  var ranks = [UInt32](repeating: 0, count: values.count)
  for (rank, index) in values.indices.sorted(by: { precedes(values[$0], values[$1]) }).enumerated() {
    ranks[index] = UInt32(rank)
  }
  return ranks
}
