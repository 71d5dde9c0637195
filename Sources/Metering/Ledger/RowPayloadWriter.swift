/// Writes the row streams of a set's payloads (LEDGER-FORMAT.md, "Row streams") for whoever knows rows by numbers: which
/// customer a row has, and which series, is said by small integers, so that no row needs bytes of its own. What it writes
/// is what ``CutChunk/payloads(of:limit:)`` and ``ClaimChunk/payloads(rows:carries:limit:)`` write of the same rows.
///
/// Lifecycle: for each row ``begin(customer:isUnmapped:bytes:series:feature:dimensions:)`` and its numbers, in the stream's
/// order; ``take(_:)`` ends a payload.
struct RowPayloadWriter: ~Copyable {
  /// The most that a row can take beside its names.
  private static let mostNumberBytes = 120

  private let limit: Int
  /// What follows the rows of a payload that is full.
  private let afterRows: [UInt8]
  // Unsafe for speed only: room is made once a row, and a row's numbers then are stores.
  private var base: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private(set) var byteCount = 0
  /// Rows in the payload that is being filled.
  private(set) var rowCount = 0
  private(set) var payloads: [[UInt8]] = []
  /// For each series its number in this payload's stream plus 1; 0: the stream has not named it.
  private var seriesNumbers: [UInt32] = []
  private var seriesCount: UInt32 = 0
  private var customer = -1
  private var isUnmapped = false
  /// Where the last customer's bytes lie; nil before the stream's first.
  private var customerBytes: UnsafeRawBufferPointer?
  private var lastTime: Int64 = 0

  /// - Parameters:
  ///   - limit: of a payload, in bytes (more only where a single row is larger).
  ///   - afterRows: what follows the rows of each payload but the last.
  init(limit: Int, afterRows: [UInt8] = []) {
    self.limit = limit
    self.afterRows = afterRows
    capacity = min(limit, 1 << 16)
    base = .allocate(capacity: capacity)
  }

  deinit { base.deallocate() }

  /// The names of the next row. The bytes of the customer must stay where they are until the next row's names; equal
  /// numbers are equal bytes.
  mutating func begin(
    customer next: Int, isUnmapped unmapped: Bool, bytes: UnsafeRawBufferPointer, series: Int,
    feature: UnsafeRawBufferPointer, dimensions: UnsafeRawBufferPointer
  ) {
    let bound = bytes.count + feature.count + dimensions.count + Self.mostNumberBytes
    if rowCount > 0, byteCount + bound > limit - 30 { take(afterRows) }
    if byteCount + bound > capacity { grow(for: bound) }
    rowCount += 1
    if customerBytes == nil || next != customer || unmapped != isUnmapped {
      put(unmapped ? RowStreamWriter.unmappedCustomerTag : RowStreamWriter.customerTag)
      let shared = Self.shared(customerBytes, bytes)
      put(UInt64(shared))
      put(UInt64(bytes.count - shared))
      put(UnsafeRawBufferPointer(rebasing: bytes[shared...]))
      customer = next
      isUnmapped = unmapped
      customerBytes = bytes
    }
    while series >= seriesNumbers.count {
      seriesNumbers.append(contentsOf: repeatElement(0, count: max(64, seriesNumbers.count)))
    }
    let known = seriesNumbers[series]
    if known > 0 { return put(RowStreamWriter.firstSeriesTag + UInt64(known - 1)) }
    seriesCount += 1
    seriesNumbers[series] = seriesCount
    put(RowStreamWriter.newSeriesTag)
    put(UInt64(feature.count))
    put(feature)
    put(UInt64(dimensions.count))
    put(dimensions)
  }

  /// A time as the difference from the one before it in the stream.
  @inline(__always) mutating func time(_ milliseconds: Int64) {
    signed(milliseconds &- lastTime)
    lastTime = milliseconds
  }

  @inline(__always) mutating func signed(_ value: Int64) { put(UInt64(bitPattern: (value << 1) ^ (value >> 63))) }

  /// As ``ByteWriter/quantity(_:)``.
  @inline(__always) mutating func quantity(_ value: Quantity) {
    guard let small = Int64(exactly: value.units) else { return large(value) }
    let (whole, fraction) = small.quotientAndRemainder(dividingBy: 1_000_000_000)
    let isWhole = fraction == 0
    let number = isWhole ? whole : small
    let zigzag = UInt64(bitPattern: (number << 1) ^ (number >> 63))
    let first = (zigzag & 0x3f) << 1 | (isWhole ? 1 : 0)
    if zigzag < 0x40 { return put(first) }
    put(byte: UInt8(truncatingIfNeeded: first) | 0x80)
    put(zigzag >> 6)
  }

  private mutating func large(_ value: Quantity) {
    var writer = ByteWriter()
    writer.quantity(value)
    writer.bytes.withUnsafeBytes { put($0) }
  }

  /// Ends the payload: the count of its rows, the rows, and what comes after them.
  mutating func take(_ rest: [UInt8]) {
    var head = ByteWriter(capacity: byteCount + rest.count + 10)
    head.varint(rowCount)
    head.bytes.append(contentsOf: UnsafeBufferPointer(start: base, count: byteCount))
    head.bytes.append(contentsOf: rest)
    payloads.append(head.bytes)
    byteCount = 0
    rowCount = 0
    for series in seriesNumbers.indices { seriesNumbers[series] = 0 }
    seriesCount = 0
    customerBytes = nil
    lastTime = 0
  }

  // MARK: Bytes

  private static func shared(_ last: UnsafeRawBufferPointer?, _ next: UnsafeRawBufferPointer) -> Int {
    guard let last else { return 0 }
    let limit = min(last.count, next.count)
    var shared = 0
    while shared < limit, last[shared] == next[shared] { shared += 1 }
    return shared
  }

  private mutating func grow(for bound: Int) {
    let larger = max(capacity * 2, byteCount + bound)
    let room = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
    room.update(from: base, count: byteCount)
    base.deallocate()
    base = room
    capacity = larger
  }

  @inline(__always) private mutating func put(byte: UInt8) {
    assert(byteCount < capacity)
    base[byteCount] = byte
    byteCount &+= 1
  }

  @inline(__always) private mutating func put(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      put(byte: UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    put(byte: UInt8(truncatingIfNeeded: rest))
  }

  @inline(__always) private mutating func put(_ bytes: UnsafeRawBufferPointer) {
    assert(byteCount + bytes.count <= capacity)
    guard let start = bytes.baseAddress else { return }
    UnsafeMutableRawPointer(base + byteCount).copyMemory(from: start, byteCount: bytes.count)
    byteCount &+= bytes.count
  }
}
