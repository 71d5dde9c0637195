/// What a claim says, before it is put into records.
public struct ClaimContent: Hashable, Sendable {
  /// Its rows and carries as the payloads of the CLAIM's chunks.
  public let payloads: [[UInt8]]
  /// How many rows these hold.
  public let rowCount: Int
  public var skipped: Quantity

  init(payloads: [[UInt8]], rowCount: Int, skipped: Quantity) {
    self.payloads = payloads
    self.rowCount = rowCount
    self.skipped = skipped
  }

  /// The same of rows that are put together already.
  ///
  /// - Parameters:
  ///   - rows: ordered by customer, meter, slot, dimensions.
  ///   - carries: ordered by customer, meter.
  public init(rows: [ClaimRow], carries: [CarryChange], skipped: Quantity) {
    self.init(payloads: ClaimChunk.payloads(rows: rows, carries: carries), rowCount: rows.count, skipped: skipped)
  }

  /// Ordered by customer, meter, slot, dimensions; put together anew at each call.
  public var rows: [ClaimRow] { chunks.flatMap(\.rows) }

  /// Ordered by customer, meter; put together anew at each call.
  public var carries: [CarryChange] { chunks.flatMap(\.carries) }

  private var chunks: [ClaimChunk] {
    do throws(LedgerCodecError) {
      var chunks: [ClaimChunk] = []
      for payload in payloads { chunks.append(try ClaimChunk(payload: payload)) }
      return chunks
    } catch {
      preconditionFailure("a claim that was just encoded cannot be read: \(error)")
    }
  }
}
