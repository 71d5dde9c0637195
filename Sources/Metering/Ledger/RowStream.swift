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
    let key = Series(feature: feature, dimensions: dimensions)
    if let known = series[key] {
      writer.varint(Self.firstSeriesTag + known)
    } else {
      writer.varint(Self.newSeriesTag)
      writer.string(feature)
      writer.string(dimensions)
      series[key] = UInt64(series.count)
    }
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
  private(set) var feature: [UInt8] = []
  private(set) var dimensions: [UInt8] = []
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
      let rest = try reader.string()
      customer = customer[..<Int(shared)] + rest
      customerOrdinal += 1
      tag = try reader.varint()
    }
    guard customerOrdinal > 0 else { throw .malformed("a row without a customer") }
    if tag == RowStreamWriter.newSeriesTag {
      feature = try reader.string()
      dimensions = try reader.string()
      seriesIndex = series.count
      series.append((feature, dimensions))
      return
    }
    guard tag >= RowStreamWriter.firstSeriesTag, tag - RowStreamWriter.firstSeriesTag < UInt64(series.count) else {
      throw .malformed("a row of an unknown feature")
    }
    seriesIndex = Int(tag - RowStreamWriter.firstSeriesTag)
    (feature, dimensions) = series[seriesIndex]
  }

  mutating func time(from reader: inout ByteReader) throws(LedgerCodecError) -> Int64 {
    lastTime = lastTime &+ (try reader.signed())
    return lastTime
  }
}
