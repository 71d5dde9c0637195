/// The names of a row, spelled against the rows before it: consecutive rows of a customer, and rows of a known feature,
/// cost one byte (LEDGER-FORMAT.md, "Row streams"). One writer per chunk; each chunk can be read alone.
struct RowStreamWriter {
  private struct Series: Hashable {
    var feature: [UInt8]
    var dimensions: [UInt8]
  }
  static let customerTag: UInt64 = 0
  static let unmappedCustomerTag: UInt64 = 1
  static let newSeriesTag: UInt64 = 2
  static let firstSeriesTag: UInt64 = 3

  private var customer: [UInt8] = []
  private var isUnmapped = false
  private var hasCustomer = false
  private var series: [Series: UInt64] = [:]
  /// Series by where their bytes lie. Rows share their names' bytes, so one of these mostly spares a hash; it holds what it
  /// compares with, so equal places are equal bytes.
  private var recent = [Recent?](repeating: nil, count: recentCount)
  private struct Recent {
    var series: Series
    var number: UInt64
  }
  private static let recentCount = 64
  private var lastTime: Int64 = 0

  /// The greatest number of bytes that ``names(customer:isUnmapped:feature:dimensions:into:)`` and the numbers of a row
  /// can take.
  static func bound(customer: [UInt8], feature: [UInt8], dimensions: [UInt8]) -> Int {
    customer.count + feature.count + dimensions.count + 120
  }

  mutating func names(
    customer next: [UInt8], isUnmapped unmapped: Bool, feature: [UInt8], dimensions: [UInt8],
    into writer: inout ByteWriter
  ) {
    if !hasCustomer || unmapped != isUnmapped || next != customer {
      writer.varint(unmapped ? Self.unmappedCustomerTag : Self.customerTag)
      var shared = 0
      let limit = min(customer.count, next.count)
      while shared < limit, customer[shared] == next[shared] { shared += 1 }
      writer.varint(shared)
      writer.varint(next.count - shared)
      writer.bytes.append(contentsOf: next[shared...])
      customer = next
      isUnmapped = unmapped
      hasCustomer = true
    }
    let places = (Self.place(feature), Self.place(dimensions))
    let slot = (places.0 >> 4 ^ places.1 >> 5) & (Self.recentCount - 1)
    if let known = recent[slot], Self.place(known.series.feature) == places.0,
      Self.place(known.series.dimensions) == places.1
    {
      return writer.varint(Self.firstSeriesTag + known.number)
    }
    let key = Series(feature: feature, dimensions: dimensions)
    if let known = series[key] {
      writer.varint(Self.firstSeriesTag + known)
      recent[slot] = Recent(series: key, number: known)
    } else {
      writer.varint(Self.newSeriesTag)
      writer.string(feature)
      writer.string(dimensions)
      recent[slot] = Recent(series: key, number: UInt64(series.count))
      series[key] = UInt64(series.count)
    }
  }

  /// Where an array's bytes lie: arrays that are there at the same time and lie at the same place are equal.
  @inline(__always) private static func place(_ bytes: [UInt8]) -> Int {
    bytes.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
  }

  /// A time as the difference from the one before it in the stream.
  mutating func time(_ milliseconds: Int64, into writer: inout ByteWriter) {
    writer.signed(milliseconds &- lastTime)
    lastTime = milliseconds
  }
}

/// Reads what ``RowStreamWriter`` wrote.
struct RowStreamReader {
  private(set) var customer: [UInt8] = []
  private(set) var isUnmapped = false
  var feature: [UInt8] { series[seriesIndex].feature }
  var dimensions: [UInt8] { series[seriesIndex].dimensions }
  /// Counts the changes of the customer: rows of equal ordinal have the same one.
  private(set) var customerOrdinal = 0
  /// The index of (feature, dimensions) in the stream's table.
  private(set) var seriesIndex = 0
  private var series: [(feature: [UInt8], dimensions: [UInt8])] = []
  private var lastTime: Int64 = 0

  /// The names of the next row, into the properties.
  mutating func names(from reader: inout ByteReader) throws(LedgerCodecError) {
    var tag = try reader.varint()
    if tag <= RowStreamWriter.unmappedCustomerTag {
      isUnmapped = tag == RowStreamWriter.unmappedCustomerTag
      let shared = try reader.varint()
      guard shared <= UInt64(customer.count) else { throw .malformed("a customer shares more than there is") }
      customer.removeSubrange(Int(shared)...)
      try reader.appendString(to: &customer)
      customerOrdinal += 1
      tag = try reader.varint()
    }
    guard customerOrdinal > 0 else { throw .malformed("a row without a customer") }
    if tag == RowStreamWriter.newSeriesTag {
      let feature = try reader.string()
      let dimensions = try reader.string()
      seriesIndex = series.count
      series.append((feature, dimensions))
      return
    }
    guard tag >= RowStreamWriter.firstSeriesTag, tag - RowStreamWriter.firstSeriesTag < UInt64(series.count) else {
      throw .malformed("a row of an unknown feature")
    }
    seriesIndex = Int(tag - RowStreamWriter.firstSeriesTag)
  }

  mutating func time(from reader: inout ByteReader) throws(LedgerCodecError) -> Int64 {
    lastTime = lastTime &+ (try reader.signed())
    return lastTime
  }
}
