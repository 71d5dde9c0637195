import Billing
import Metering

/// A billing provider as its contract says: idempotent by key within a window, or not at all. It remembers every effect.
final class SimulatedProvider {
  struct Effect {
    var key: String
    var customer: String
    var meter: String
    var units: Int128
    var time: Int64
  }

  let isIdempotent: Bool
  let windowMilliseconds: Int64
  private(set) var effects: [Effect] = []
  private var known: [String: Int64] = [:]
  private(set) var values: [String: Set<String>] = [:]

  init(isIdempotent: Bool, windowMilliseconds: Int64) {
    self.isIdempotent = isIdempotent
    self.windowMilliseconds = windowMilliseconds
  }

  /// Books the rows of a request; returns which of them were known already.
  func take(_ body: [UInt8], at now: Int64) -> [Bool] {
    String(decoding: body, as: UTF8.self).split(separator: "\n").map { line in
      let fields = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
      values[fields[0], default: []].insert(String(line))
      if isIdempotent, let last = known[fields[0]], now - last < windowMilliseconds { return true }
      known[fields[0]] = now
      effects.append(
        Effect(key: fields[0], customer: fields[1], meter: fields[2], units: Int128(fields[3]) ?? 0, time: now))
      return false
    }
  }
}

/// Writes rows so that the provider can read them; everything else is the contract's.
struct SimulatedAdapter: ProviderAdapter {
  var contract: Contract
  var transport: ProviderTransport { .http }
  var accountSource: AccountSource { .fixed("account-1") }

  func refusal(of row: SinkRow) -> RowRefusal? { nil }
  func bodyBytes(of row: SinkRow) -> Int { 200 }
  func authorize(_ request: ProviderRequest, unixSeconds: Int64) -> ProviderRequest { request }

  func request(for rows: [SinkRow], account: String) -> ProviderRequest {
    let lines = rows.map { row in
      let customer = String(decoding: row.customer, as: UTF8.self)
      let meter = String(decoding: row.meter, as: UTF8.self)
      return "\(row.key)|\(customer)|\(meter)|\(row.value.units)|\(row.timestampMilliseconds)"
    }
    return ProviderRequest(method: "POST", url: "sim:", body: Array(lines.joined(separator: "\n").utf8))
  }

  func interpret(_ reply: ProviderReply, rows: [SinkRow]) -> BatchVerdict {
    switch reply {
    case .response(let response) where response.status == 200:
      return .each(response.body.map { $0 == 1 ? .alreadyDelivered : .delivered })
    case .response(let response) where response.status == 429:
      return .all(.rateLimited(waitMilliseconds: 1_000, scope: .sink))
    case .response(let response): return .all(.ambiguous(code: "http_\(response.status)"))
    case .notSent(let code):
      return .all(.retryLater(code: code, waitMilliseconds: nil, provenWithoutEffect: true, scope: .sink))
    case .ambiguous(let code): return .all(.ambiguous(code: code))
    }
  }
}
