/// One chunk of a CUT: rows, and nothing else.
public enum CutChunk {
  /// Calls `body` with the numbers of each row of the payload, and the stream that holds its names: equal ordinals and
  /// series of it are equal bytes within this payload. Returns how many rows there were.
  @discardableResult
  static func forEachRow(
    in payload: [UInt8], _ body: (_ row: CutNumbers, _ names: borrowing RowStreamReader) -> Void
  ) throws(LedgerCodecError) -> Int {
    var reader = ByteReader(payload)
    let count = try reader.count(ofAtLeast: 4)
    var stream = RowStreamReader()
    for _ in 0..<count {
      try stream.names(from: &reader)
      guard !stream.isUnmapped else { throw .malformed("a row of a cut is not mapped") }
      let slot = try stream.time(from: &reader)
      let greatest = slot &+ (try reader.signed())
      let quantity = try reader.quantity()
      body(
        CutNumbers(
          slotStartMilliseconds: slot, greatestTimeMilliseconds: greatest, quantity: quantity,
          events: try reader.signed()), stream)
    }
    guard reader.isAtEnd else { throw .trailingBytes }
    return count
  }

  /// The rows of a payload.
  public static func rows(in payload: [UInt8]) throws(LedgerCodecError) -> [CutRow] {
    var rows: [CutRow] = []
    try forEachRow(in: payload) { row, names in
      rows.append(
        CutRow(
          customer: names.customer, feature: names.feature, dimensions: names.dimensions,
          slotStartMilliseconds: row.slotStartMilliseconds, greatestTimeMilliseconds: row.greatestTimeMilliseconds,
          quantity: row.quantity, events: row.events))
    }
    return rows
  }

  /// The payloads of the rows, each at most `limit` bytes (more only where a single row is larger).
  public static func payloads(of rows: [CutRow], limit: Int = LedgerCodec.chunkLimit) -> [[UInt8]] {
    var payloads: [[UInt8]] = []
    var chunk = ChunkBody(limit: limit)
    for row in rows {
      let bound = RowStreamWriter.bound(customer: row.customer, feature: row.feature, dimensions: row.dimensions)
      if !chunk.hasRoom(for: bound) { payloads.append(chunk.take()) }
      chunk.stream.names(
        customer: row.customer, isUnmapped: false, feature: row.feature, dimensions: row.dimensions,
        into: &chunk.writer)
      chunk.stream.time(row.slotStartMilliseconds, into: &chunk.writer)
      chunk.writer.signed(row.greatestTimeMilliseconds &- row.slotStartMilliseconds)
      chunk.writer.quantity(row.quantity)
      chunk.writer.signed(row.events)
      chunk.count += 1
    }
    if chunk.count > 0 { payloads.append(chunk.take()) }
    return payloads
  }
}

/// A row of a cut without its names.
struct CutNumbers {
  var slotStartMilliseconds: Int64
  var greatestTimeMilliseconds: Int64
  var quantity: Quantity
  var events: Int64
}

/// A chunk while it is filled: the count of its rows is known, and written before them, when it is full.
struct ChunkBody {
  let limit: Int
  var writer: ByteWriter
  var stream = RowStreamWriter()
  var count = 0

  init(limit: Int) {
    self.limit = limit
    writer = ByteWriter(capacity: min(limit, 1 << 16))
  }

  func hasRoom(for bound: Int) -> Bool { count == 0 || writer.bytes.count + bound <= limit - 30 }

  /// The rows so far with their count, and an empty chunk after it.
  mutating func take() -> [UInt8] {
    var head = ByteWriter(capacity: writer.bytes.count + 10)
    head.varint(count)
    head.bytes.append(contentsOf: writer.bytes)
    self = ChunkBody(limit: limit)
    return head.bytes
  }
}
