internal import Foundation
internal import HTTP
internal import Metering

/// The generic signed webhook (WEBHOOK.md): batches of rows as JSON with exact decimal strings and a key for each row.
public struct WebhookAdapter: ProviderAdapter {
  public let contract: Contract
  public let transport = ProviderTransport.http
  public let accountSource: AccountSource
  private let url: String
  private let secret: Secret

  /// - Parameters:
  ///   - url: where rows are posted to; it is the account, too.
  ///   - secret: its UTF-8 bytes are the HMAC key.
  ///   - idempotencyWindowMilliseconds: how long the receiver keeps the rows' keys; nil: it keeps none, and a row in
  ///     doubt becomes uncertain.
  ///   - requestsPerSecond: at most ``mostRequestsPerSecond``.
  public init(
    url: String, secret: Secret, account: String? = nil, idempotencyWindowMilliseconds: Int64?,
    requestsPerSecond: Int64? = nil
  ) {
    self.url = url
    self.secret = secret
    accountSource = .fixed(account ?? url)
    let rate = RateLimit(count: Self.mostRequestsPerSecond, burst: Self.mostRequestsPerSecond / 10)
    contract = Contract(
      endpoint: "POST " + url, batch: .init(records: 1_000, bytes: 1 << 20),
      idempotency: idempotencyWindowMilliseconds.map { .key(windowMilliseconds: $0) } ?? .none,
      rowRules: RowRules(stepUnits: 1, greatestUnits: nil, allowsNegative: true),
      rates: [requestsPerSecond.map(rate.limited(toPerSecond:)) ?? rate], concurrency: 8,
      requestTimeoutMilliseconds: 30_000, partialFailure: .atomic)
  }

  /// The contract's rate: requests of up to 1,000 rows.
  public static let mostRequestsPerSecond: Int64 = 500

  public func refusal(of row: SinkRow) -> RowRefusal? { TextRefusal.judge(row) }

  public func bodyBytes(of row: SinkRow) -> Int {
    // Names, punctuation, value and times; text grows at most sixfold by escapes, and customers rarely need any.
    var bytes = 220 + row.keyCount
    row.withBytes { row in
      bytes += (row.customer.count + row.meter.count) * 2
      switch row.dimensions {
      case .encoded(let dimensions): bytes += dimensions.count * 4
      case .made(let dimensions):
        for dimension in dimensions { bytes += (dimension.name.utf8.count + dimension.text.utf8.count) * 2 + 8 }
      }
    }
    return bytes
  }

  public func request(for rows: [SinkRow], account: String) -> ProviderRequest {
    var writer = JSONWriter(reserving: rows.count * 256 + 1_024)
    writer.raw("{\"meterd\":1,\"account\":")
    writer.string(account)
    writer.raw(",\"rows\":[")
    for (index, row) in rows.enumerated() {
      SinkRow.prefetch(behind: index, of: rows)
      if index > 0 { writer.raw(",") }
      writer.raw("{")
      writer.rowMembers(row)
      writer.raw("}")
    }
    writer.raw("]}")
    return ProviderRequest(
      method: "POST", url: url, headers: [.init("Content-Type", "application/json")], body: writer.bytes)
  }

  public func authorize(_ request: ProviderRequest, unixSeconds: Int64) -> ProviderRequest {
    var signed = request
    let code = Crypto.hmacSHA256(key: Array(secret.reveal().utf8), Array("\(unixSeconds).".utf8) + request.body)
    signed.headers.append(.init("Meterd-Signature", "t=\(unixSeconds),v1=\(Crypto.hex(code))"))
    return signed
  }

  public func interpret(_ reply: ProviderReply, rows: [SinkRow]) -> BatchVerdict {
    switch reply {
    case .notSent(let code):
      return .all(.retryLater(code: code, waitMilliseconds: nil, provenWithoutEffect: true, scope: .sink))
    case .ambiguous(let code): return .all(.ambiguous(code: code))
    case .response(let response):
      let code = "http_\(response.status)"
      switch response.status {
      case 200..<300: return .all(.delivered)
      case 400, 422: return refused(response, rows)
      case 413: return .all(.split(code: code, detail: "the receiver finds the body too large"))
      case 401: return .all(.unauthorized(code: code, provenWithoutEffect: true))
      case 403: return .all(.unauthorized(code: code, provenWithoutEffect: false))
      case 429: return .all(.rateLimited(waitMilliseconds: RetryAfter.milliseconds(response), scope: .sink))
      default:
        // 5xx, and what says that this is not the receiver at all (redirects, 404, 405, …).
        let wait = RetryAfter.milliseconds(response)
        return .all(.retryLater(code: code, waitMilliseconds: wait, provenWithoutEffect: false, scope: .sink))
      }
    }
  }

  private struct Refusal: Decodable {
    struct Row: Decodable {
      let key: String
      let reason: String?
    }
    let rejected: [Row]
  }

  /// 400 and 422: nothing of the request was booked. The rows that the reply names are refused for good, the others are
  /// sent again without them; where it names none of ours, the batch is halved to find the one at fault.
  private func refused(_ response: ProviderReply.Response, _ rows: [SinkRow]) -> BatchVerdict {
    let code = "http_\(response.status)"
    let named = (try? JSONDecoder().decode(Refusal.self, from: Data(response.body)))?.rejected ?? []
    let reasons = Dictionary(named.map { ($0.key, $0.reason ?? code) }) { first, _ in first }
    guard rows.contains(where: { reasons[$0.key] != nil }) else {
      return .all(.split(code: code, detail: ReplyText.excerpt(response.body)))
    }
    return .each(
      rows.map { row in
        guard let reason = reasons[row.key] else { return .sendAgain(provenWithoutEffect: true) }
        return .rejected(code: ReplyText.code(reason, otherwise: code), detail: reason)
      })
  }
}

/// Text of replies, cut to what a ledger record and a log line can bear.
enum ReplyText {
  /// A code of letters, digits, `_`, `-`, `.`, at most 64 bytes; `otherwise` where the text is no such code.
  static func code(_ text: String, otherwise: String) -> String {
    let isCode =
      (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
          true
        default: false
        }
      }
    return isCode ? text : otherwise
  }

  /// The beginning of a body, for people: at most 300 bytes.
  static func excerpt(_ body: [UInt8]) -> String { String(decoding: body.prefix(300), as: UTF8.self) }
}
