internal import Metering

/// The `log` sink: one JSON line for each row, for trying and for pipes.
///
/// At least once: a row in doubt after a crash is printed again under the same key. Whoever adds the lines up drops
/// repeats by `key`. A line that could not be written is tried again.
public struct LogAdapter: ProviderAdapter {
  public let contract: Contract
  public let transport: ProviderTransport
  public let accountSource = AccountSource.fixed("log")
  private let name: String

  /// - Parameters:
  ///   - name: the sink's name, in each line.
  ///   - write: takes whole lines, each with its line feed; false where they could not be written.
  public init(name: String, write: @escaping @Sendable ([UInt8]) -> Bool) {
    self.name = name
    contract = Contract(
      endpoint: "log", batch: .init(records: 1_000), idempotency: .key(windowMilliseconds: nil),
      rowRules: RowRules(stepUnits: 1, greatestUnits: nil, allowsNegative: true), concurrency: 4)
    transport = .local { request in
      write(request.body) ? .response(.init(status: 200)) : .ambiguous(code: "write_failed")
    }
  }

  public func refusal(of row: SinkRow) -> RowRefusal? { TextRefusal.judge(row) }
  public func bodyBytes(of row: SinkRow) -> Int { 0 }

  public func request(for rows: [SinkRow], account: String) -> ProviderRequest {
    var writer = JSONWriter(reserving: rows.count * 256 + 1_024)
    for (index, row) in rows.enumerated() {
      SinkRow.prefetch(behind: index, of: rows)
      writer.raw("{\"sink\":")
      writer.string(name)
      writer.raw(",")
      writer.rowMembers(row)
      writer.raw("}\n")
    }
    return ProviderRequest(method: "LOG", url: "", body: writer.bytes)
  }

  public func interpret(_ reply: ProviderReply, rows: [SinkRow]) -> BatchVerdict {
    switch reply {
    case .response: .all(.delivered)
    case .notSent(let code):
      .all(.retryLater(code: code, waitMilliseconds: nil, provenWithoutEffect: true, scope: .sink))
    case .ambiguous(let code): .all(.ambiguous(code: code))
    }
  }

  public func authorize(_ request: ProviderRequest, unixSeconds: Int64) -> ProviderRequest { request }
}
