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
    let words = [UInt64](unsafeUninitializedCapacity: rows.dirtyRows * JournalRow.words) { words, count in
      rows.takeDirty { row in
        JournalRow.write(row, to: words, at: count)
        count += JournalRow.words
      }
    }
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
}
