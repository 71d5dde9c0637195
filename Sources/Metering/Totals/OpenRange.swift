private import Glibc

/// The rows being counted into, since the last cut: interners and rows of one offset range.
///
/// Interners belong to the range, so a day of distinct customers does not stay in memory, and a journal chunk needs no
/// string from before its range.
package struct OpenRange: ~Copyable {
  package var from: Int64
  package var counters = RangeCounters()
  package var customers = Interner()
  package var features = Interner()
  package var dimensions = Interner()
  package var rows = RowTable()
  /// How many strings of each kind the journal knows.
  private var journaled = (customers: 0, features: 0, dimensions: 0)

  /// The number of the empty string among ``dimensions``, once it has one: most features have no dimensions.
  package var noDimensions: UInt32?

  package init(from: Int64) { self.from = from }

  /// A range after another one: it will hardly be smaller, so its tables begin at the size that the last ones needed.
  package init(from: Int64, after last: borrowing OpenRange) {
    self.from = from
    customers = Interner(expecting: last.customers.count)
    features = Interner(expecting: last.features.count)
    dimensions = Interner(expecting: last.dimensions.count)
    rows = RowTable(expecting: last.rows.count)
  }

  /// What changed since the last call, for the journal.
  package mutating func takeChanges() -> (rows: [UInt64], strings: JournalStrings) {
    var words: [UInt64] = []
    words.reserveCapacity(rows.dirtyRows * JournalRow.words)
    rows.takeDirty { JournalRow.append($0, to: &words) }
    var strings = JournalStrings()
    strings.customers = customers.count - journaled.customers
    strings.features = features.count - journaled.features
    strings.dimensions = dimensions.count - journaled.dimensions
    for number in journaled.customers..<customers.count { strings.append(customers.bytes(of: UInt32(number))) }
    for number in journaled.features..<features.count { strings.append(features.bytes(of: UInt32(number))) }
    for number in journaled.dimensions..<dimensions.count { strings.append(dimensions.bytes(of: UInt32(number))) }
    journaled = (customers.count, features.count, dimensions.count)
    return (words, strings)
  }

  /// Takes over a chunk of this range from the journal.
  package mutating func restore(_ chunk: JournalChunkView, hash: KeyedHash) throws(JournalCorruption) {
    counters = chunk.counters
    var seen = 0
    let counts = chunk.stringCounts
    try chunk.forEachString { bytes in
      if seen < counts.customers {
        _ = customers.number(of: bytes, hash: hash(bytes))
      } else if seen < counts.customers + counts.features {
        _ = features.number(of: bytes, hash: hash(bytes))
      } else {
        _ = dimensions.number(of: bytes, hash: hash(bytes))
      }
      seen += 1
    }
    guard customers.count == journaled.customers + counts.customers,
      features.count == journaled.features + counts.features,
      dimensions.count == journaled.dimensions + counts.dimensions
    else { throw .inconsistent }
    journaled = (customers.count, features.count, dimensions.count)
    var isConsistent = true
    chunk.forEachRow { row in
      if row.customer < customers.count, row.feature < features.count, row.dimensions < dimensions.count {
        rows.restore(row)
      } else {
        isConsistent = false
      }
    }
    guard isConsistent else { throw .inconsistent }
    rows.takeDirty { _ in }
  }

  /// The rows in canonical order.
  ///
  /// Each distinct string is ranked once. Rows are dealt out by their customers' ranks, sorted by integers within each
  /// customer, and share their strings' bytes.
  package func canonicalRows() -> [CutRow] {
    let (customerRanks, customerBytes) = Self.ranks(customers)
    let (featureRanks, featureBytes) = Self.ranks(features)
    let (dimensionRanks, dimensionBytes) = Self.ranks(dimensions)
    // Where the rows of each customer begin, by rank.
    var starts = [Int](repeating: 0, count: customers.count + 1)
    rows.forEach { starts[Int(customerRanks[Int($0.customer)]) + 1] += 1 }
    for rank in 0..<customers.count { starts[rank + 1] += starts[rank] }
    var next = starts
    let order = [RowKey](unsafeUninitializedCapacity: rows.count) { keys, count in
      rows.forEachPlace { place, row in
        let rank = Int(customerRanks[Int(row.customer)])
        let key = RowKey(
          names: UInt64(featureRanks[Int(row.feature)]) << 32 | UInt64(dimensionRanks[Int(row.dimensions)]),
          slotStart: row.slotStart, place: place)
        keys.initializeElement(at: next[rank], to: key)
        next[rank] += 1
      }
      for rank in 0..<customers.count where starts[rank + 1] - starts[rank] > 1 {
        keys[starts[rank]..<starts[rank + 1]].sort(by: RowKey.precedes)
      }
      count = rows.count
    }
    return [CutRow](unsafeUninitializedCapacity: rows.count) { cut, count in
      for (index, key) in order.enumerated() {
        rows.withRow(at: key.place) { row in
          cut.initializeElement(
            at: index,
            to: CutRow(
              customer: customerBytes[Int(row.customer)], feature: featureBytes[Int(row.feature)],
              dimensions: dimensionBytes[Int(row.dimensions)], slotStartMilliseconds: row.slotStart,
              greatestTimeMilliseconds: row.greatestTime, quantity: Quantity(units: row.units), events: row.events))
        }
      }
      count = order.count
    }
  }

  /// What tells the rows of one customer apart, and where the row is.
  private struct RowKey {
    var names: UInt64
    var slotStart: Int64
    var place: Int

    static func precedes(_ left: RowKey, _ right: RowKey) -> Bool {
      left.names != right.names ? left.names < right.names : left.slotStart < right.slotStart
    }
  }

  /// The rank of each number's string among all, and its bytes.
  private static func ranks(_ strings: borrowing Interner) -> (ranks: [UInt32], bytes: [[UInt8]]) {
    var bytes: [[UInt8]] = []
    bytes.reserveCapacity(strings.count)
    var numbers: [(number: Int, slice: UnsafeRawBufferPointer)] = []
    numbers.reserveCapacity(strings.count)
    for number in 0..<strings.count {
      // The slices stay valid: nothing is interned meanwhile.
      let slice = strings.bytes(of: UInt32(number))
      bytes.append([UInt8](slice))
      numbers.append((number, slice))
    }
    numbers.sort { left, right in precedes(left.slice, right.slice) }
    var ranks = [UInt32](repeating: 0, count: strings.count)
    for (rank, entry) in numbers.enumerated() { ranks[entry.number] = UInt32(rank) }
    return (ranks, bytes)
  }

  private static func precedes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard let a = left.baseAddress, let b = right.baseAddress else { return left.count < right.count }
    let order = memcmp(a, b, min(left.count, right.count))
    return order != 0 ? order < 0 : left.count < right.count
  }
}
