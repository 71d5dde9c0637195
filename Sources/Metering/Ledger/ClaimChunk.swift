/// One chunk of a CLAIM: rows, then changes of what is carried; either may be none.
public struct ClaimChunk: Hashable, Sendable {
  public var rows: [ClaimRow]
  public var carries: [CarryChange]

  /// Decodes a payload.
  public init(payload: [UInt8]) throws(LedgerCodecError) {
    var reader = ByteReader(payload)
    let rowCount = try reader.count(ofAtLeast: 4)
    var stream = RowStreamReader()
    rows = []
    rows.reserveCapacity(rowCount)
    for _ in 0..<rowCount { rows.append(try ClaimRow(from: &reader, stream: &stream)) }
    carries = try Self.carries(from: &reader)
  }

  /// What follows the rows, to the payload's end.
  static func carries(from reader: inout ByteReader) throws(LedgerCodecError) -> [CarryChange] {
    let count = try reader.count(ofAtLeast: 4)
    var carries: [CarryChange] = []
    carries.reserveCapacity(count)
    for _ in 0..<count {
      let customer = try reader.string()
      let meter = try reader.string()
      let carriedIn = try reader.quantity()
      carries.append(
        CarryChange(customer: customer, meter: meter, carriedIn: carriedIn, carriedOut: try reader.quantity()))
    }
    guard reader.isAtEnd else { throw .trailingBytes }
    return carries
  }

  /// The payloads of a claim, each at most `limit` bytes (more only where a single row is larger).
  public static func payloads(
    rows: [ClaimRow], carries: [CarryChange], limit: Int = LedgerCodec.chunkLimit
  ) -> [[UInt8]] {
    var payloads: [[UInt8]] = []
    var chunk = ChunkBody(limit: limit)
    for row in rows {
      let bound = RowStreamWriter.bound(customer: row.customer, feature: row.meter, dimensions: row.dimensions)
      if !chunk.hasRoom(for: bound) { payloads.append(close(&chunk, carries: 0, [])) }
      row.write(to: &chunk.writer, stream: &chunk.stream)
      chunk.count += 1
    }
    var carried = ByteWriter()
    var carryCount = 0
    for carry in carries {
      let bound = carry.customer.count + carry.meter.count + 60
      if carryCount + chunk.count > 0, chunk.writer.bytes.count + carried.bytes.count + bound > limit - 20 {
        payloads.append(close(&chunk, carries: carryCount, carried.bytes))
        carried = ByteWriter()
        carryCount = 0
      }
      carry.write(to: &carried)
      carryCount += 1
    }
    if chunk.count + carryCount > 0 { payloads.append(close(&chunk, carries: carryCount, carried.bytes)) }
    return payloads
  }

  /// The payload of the rows in `chunk` and of carries that are encoded already.
  private static func close(_ chunk: inout ChunkBody, carries count: Int, _ carried: [UInt8]) -> [UInt8] {
    var payload = ByteWriter()
    payload.bytes = chunk.take()
    payload.varint(count)
    payload.bytes.append(contentsOf: carried)
    return payload.bytes
  }
}

extension ClaimRow {
  init(from reader: inout ByteReader, stream: inout RowStreamReader) throws(LedgerCodecError) {
    try stream.names(from: &reader)
    let time = try stream.time(from: &reader)
    let value = try reader.quantity()
    self.init(
      customer: stream.customer, meter: stream.feature, dimensions: stream.dimensions, value: value,
      timestampMilliseconds: time, events: try reader.signed(), isUnmapped: stream.isUnmapped)
  }

  func write(to writer: inout ByteWriter, stream: inout RowStreamWriter) {
    stream.names(
      customer: customer, isUnmapped: isUnmapped, feature: meter, dimensions: dimensions, into: &writer)
    stream.time(timestampMilliseconds, into: &writer)
    writer.quantity(value)
    writer.signed(events)
  }
}

extension CarryChange {
  func write(to writer: inout ByteWriter) {
    writer.string(customer)
    writer.string(meter)
    writer.quantity(carriedIn)
    writer.quantity(carriedOut)
  }
}
