internal import CHotPath

/// The frozen rows of one claim as one block of memory: the bytes of its customers, a table of its meters, and an entry of
/// fixed size for each row. Rows of value 0 have none: they are settled from birth.
///
/// Immutable, so that the fold and the claim's sink share it: a row is put together (``row(at:)``) where somebody keeps
/// it, and is read where it lies (``withBytes(at:_:)``) where a request is written.
public final class ClaimArena: Sendable {
  struct Entry: Sendable {
    var timestampMilliseconds: Int64
    var events: Int64
    /// Where the customer's bytes begin in `bytes`, and how many there are.
    var customerStart: UInt32
    var customerCount: UInt32
    /// The place in `series`, twice; plus 1 where the customer is not mapped.
    var seriesAndUnmapped: UInt32
    /// The row's index in its claim.
    var index: UInt32
  }
  struct Series: Sendable {
    var meter: [UInt8]
    var dimensions: [UInt8]
  }
  /// Where a series lies in `seriesBytes`: the meter, and behind it the dimensions.
  private struct Span {
    var meter: Int
    var dimensions: Int
    var end: Int
  }

  let entries: [Entry]
  /// By place, apart from the entries: outcomes need nothing else of a row.
  let values: [Quantity]
  /// Whether a row's place is its index: no row before it is missing.
  let isDense: Bool
  /// Whether all customers and meters are: then nobody has to ask whether they are valid UTF-8.
  let isASCII: Bool
  fileprivate let bytes: [UInt8]
  fileprivate let series: [Series]
  private let spans: [Span]
  private let seriesBytes: [UInt8]

  fileprivate init(entries: [Entry], values: [Quantity], bytes: [UInt8], series: [Series]) {
    self.entries = entries
    self.values = values
    // Indices ascend.
    isDense = entries.last.map { Int($0.index) == entries.count - 1 } ?? true
    isASCII = Self.isASCII(bytes) && series.allSatisfy { Self.isASCII($0.meter) }
    self.bytes = bytes
    self.series = series
    var seriesBytes: [UInt8] = []
    spans = series.map {
      let start = seriesBytes.count
      seriesBytes += $0.meter
      seriesBytes += $0.dimensions
      return Span(meter: start, dimensions: start + $0.meter.count, end: seriesBytes.count)
    }
    self.seriesBytes = seriesBytes
  }

  private static func isASCII(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBufferPointer { $0.reduce(0 as UInt8, |) < 0x80 }
  }

  /// Calls `body` with the row of that place, as it lies here.
  @inline(__always) func withBytes(at position: Int, _ body: (ClaimRowBytes) -> Void) {
    let entry = entries[position]
    let span = spans[Int(entry.seriesAndUnmapped / 2)]
    let value = values[position]
    bytes.withUnsafeBufferPointer { bytes in
      seriesBytes.withUnsafeBufferPointer { seriesBytes in
        body(
          ClaimRowBytes(
            customer: .init(rebasing: bytes[Int(entry.customerStart)..<Int(entry.customerStart + entry.customerCount)]),
            meter: .init(rebasing: seriesBytes[span.meter..<span.dimensions]),
            dimensions: .init(rebasing: seriesBytes[span.dimensions..<span.end]),
            value: value, timestampMilliseconds: entry.timestampMilliseconds, events: entry.events))
      }
    }
  }

  /// Asks for the memory of the row of that place, which will be read soon.
  @inline(__always) func prefetch(at position: Int) {
    entries.withUnsafeBufferPointer { if let base = $0.baseAddress { meterd_prefetch_read(base + position) } }
    values.withUnsafeBufferPointer { if let base = $0.baseAddress { meterd_prefetch_read(base + position) } }
  }

  /// The place of the row of that index; nil where there is none.
  func place(of index: UInt32) -> Int? {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low &+ high) / 2
      if entries[middle].index == index { return middle }
      if entries[middle].index < index { low = middle + 1 } else { high = middle }
    }
    return nil
  }

  /// The row of that place.
  func row(at position: Int) -> ClaimRow { row(at: position, customer: customer(of: entries[position])) }

  private func customer(of entry: Entry) -> [UInt8] {
    Array(bytes[Int(entry.customerStart)..<Int(entry.customerStart + entry.customerCount)])
  }

  private func row(at position: Int, customer: [UInt8]) -> ClaimRow {
    let entry = entries[position]
    let series = series[Int(entry.seriesAndUnmapped / 2)]
    return ClaimRow(
      customer: customer, meter: series.meter, dimensions: series.dimensions, value: values[position],
      timestampMilliseconds: entry.timestampMilliseconds, events: entry.events,
      isUnmapped: entry.seriesAndUnmapped & 1 == 1)
  }

  /// Rows in order: those of one customer share its bytes.
  struct Cursor {
    private var customer: [UInt8] = []
    private var start: UInt32?

    mutating func row(of arena: ClaimArena, at position: Int) -> ClaimRow {
      let entry = arena.entries[position]
      if entry.customerStart != start || Int(entry.customerCount) != customer.count {
        customer = arena.customer(of: entry)
        start = entry.customerStart
      }
      return arena.row(at: position, customer: customer)
    }
  }

  /// An arena of some of the rows, which are named in ascending order.
  func keeping(_ positions: some Sequence<Int>) -> ClaimArena {
    var kept: [Entry] = []
    var keptValues: [Quantity] = []
    var names: [UInt8] = []
    var last: (from: UInt32, count: UInt32, to: UInt32)?
    for position in positions {
      var entry = entries[position]
      if last?.from != entry.customerStart || last?.count != entry.customerCount {
        last = (entry.customerStart, entry.customerCount, UInt32(names.count))
        names.append(contentsOf: bytes[Int(entry.customerStart)..<Int(entry.customerStart + entry.customerCount)])
      }
      entry.customerStart = last?.to ?? 0
      kept.append(entry)
      keptValues.append(values[position])
    }
    return ClaimArena(entries: kept, values: keptValues, bytes: names, series: series)
  }
}

/// A row of a claim where it lies: its bytes are somebody else's, and there only during the call that hands them over.
public struct ClaimRowBytes {
  /// As the provider knows it, UTF-8.
  public let customer: UnsafeBufferPointer<UInt8>
  /// The provider's name of the feature, UTF-8.
  public let meter: UnsafeBufferPointer<UInt8>
  /// Names and values (``NamedDimensions``), empty for none.
  public let dimensions: UnsafeBufferPointer<UInt8>
  public let value: Quantity
  /// The greatest event time in it, Unix milliseconds.
  public let timestampMilliseconds: Int64
  public let events: Int64
}

/// Reads the rows of a CLAIM's payloads, or of a snapshot's claim, into an arena.
struct ClaimArenaBuilder {
  private var entries: [ClaimArena.Entry] = []
  private var values: [Quantity] = []
  private var bytes: [UInt8] = []
  private var series: [ClaimArena.Series] = []
  // The state of the row stream (LEDGER-FORMAT.md, "Row streams").
  private var firstSeries = 0
  private var lastSeries = 0
  private var lastTime: Int64 = 0
  private var customerStart = 0
  private var customerCount = 0
  private var hasCustomer = false
  private var isUnmapped = false

  var count: Int { entries.count }

  mutating func reserve(rows: Int) {
    entries.reserveCapacity(rows)
    values.reserveCapacity(rows)
  }

  /// What follows is a row stream of its own.
  mutating func beginStream() {
    firstSeries = series.count
    lastTime = 0
    customerCount = 0
    hasCustomer = false
    isUnmapped = false
  }

  /// Reads the next row. One of value 0 is passed over unless `keepsZero`.
  mutating func read(
    from reader: inout ByteReader, index: UInt32, keepsZero: Bool = false
  ) throws(LedgerCodecError) -> (value: Quantity, isUnmapped: Bool) {
    try readNames(from: &reader)
    lastTime = lastTime &+ (try reader.signed())
    let value = try reader.quantity()
    let events = try reader.signed()
    if value != .zero || keepsZero {
      entries.append(
        ClaimArena.Entry(
          timestampMilliseconds: lastTime, events: events, customerStart: UInt32(customerStart),
          customerCount: UInt32(customerCount), seriesAndUnmapped: UInt32(lastSeries) * 2 + (isUnmapped ? 1 : 0),
          index: index))
      values.append(value)
    }
    return (value, isUnmapped)
  }

  private mutating func readNames(from reader: inout ByteReader) throws(LedgerCodecError) {
    var tag = try reader.varint()
    if tag <= RowStreamWriter.unmappedCustomerTag {
      isUnmapped = tag == RowStreamWriter.unmappedCustomerTag
      let shared = try reader.varint()
      guard shared <= UInt64(customerCount) else { throw .malformed("a customer shares more than there is") }
      let former = customerStart
      customerStart = bytes.count
      // One by one: a slice of the array would make the append copy all of it.
      for place in former..<former + Int(shared) { bytes.append(bytes[place]) }
      try reader.appendString(to: &bytes)
      customerCount = bytes.count - customerStart
      guard bytes.count <= UInt32.max else { throw .malformed("more than 4 GiB of customers") }
      hasCustomer = true
      tag = try reader.varint()
    }
    guard hasCustomer else { throw .malformed("a row without a customer") }
    if tag == RowStreamWriter.newSeriesTag {
      let meter = try reader.string()
      lastSeries = series.count
      guard lastSeries < Int(UInt32.max / 2) else { throw .malformed("too many meters") }
      series.append(ClaimArena.Series(meter: meter, dimensions: try reader.string()))
      return
    }
    guard tag >= RowStreamWriter.firstSeriesTag,
      tag - RowStreamWriter.firstSeriesTag < UInt64(series.count - firstSeries)
    else {
      throw .malformed("a row of an unknown feature")
    }
    lastSeries = firstSeries + Int(tag - RowStreamWriter.firstSeriesTag)
  }

  consuming func finish() -> ClaimArena {
    ClaimArena(entries: entries, values: values, bytes: bytes, series: series)
  }
}
