internal import Foundation

/// What Stripe's replies mean.
enum StripeReply {
  private struct Body: Decodable {
    struct Failure: Decodable {
      let type: String?
      let code: String?
      let message: String?
    }
    let error: Failure
  }

  static func verdict(_ reply: ProviderReply) -> Verdict {
    switch reply {
    case .notSent(let code):
      .retryLater(code: code, waitMilliseconds: nil, provenWithoutEffect: true, scope: .sink)
    case .ambiguous(let code): .ambiguous(code: code)
    case .response(let response):
      // Any 2xx is accepted, whatever became of its body.
      (200..<300).contains(response.status) ? .delivered : refusal(response)
    }
  }

  private static func refusal(_ response: ProviderReply.Response) -> Verdict {
    let failure = try? JSONDecoder().decode(Body.self, from: Data(response.body)).error
    let status = response.status
    let code = "http_\(status)"
    let wait = RetryAfter.milliseconds(response)
    let shouldRetry = response.header("Stripe-Should-Retry")?.lowercased()
    if status == 429 || (status == 400 && failure?.code == "rate_limit") {
      return .rateLimited(waitMilliseconds: wait, scope: limitScope(response, failure?.code))
    }
    switch status {
    case 401: return .unauthorized(code: code, provenWithoutEffect: true)
    case 403: return .unauthorized(code: code, provenWithoutEffect: false)
    case 400, 402, 404, 413, 422:
      // Without Stripe's error object it is not Stripe that answers: a wrong base_url must not park every row.
      guard let failure else { break }
      if isDuplicate(failure.message) { return .alreadyDelivered }
      if shouldRetry == "true" || failure.code == "timestamp_in_future" {
        return .retryLater(
          code: failure.code ?? code, waitMilliseconds: wait, provenWithoutEffect: false, scope: .row)
      }
      let name = ReplyText.code(failure.code ?? failure.type ?? code, otherwise: code)
      return .rejected(code: name, detail: String((failure.message ?? "").prefix(300)))
    case 409: return .retryLater(code: code, waitMilliseconds: wait, provenWithoutEffect: false, scope: .row)
    default: break
    }
    // Told not to retry, we wait long: the identifier keeps a later attempt safe, giving up would lose the row.
    let least: Int64? = shouldRetry == "false" ? 60_000 : nil
    return .retryLater(
      code: code, waitMilliseconds: [wait, least].compactMap { $0 }.max(), provenWithoutEffect: false, scope: .sink)
  }

  private static func isDuplicate(_ message: String?) -> Bool {
    message?.contains("An event already exists with identifier") ?? false
  }

  /// Whether only this customer's and meter's calls are too many, or all of ours.
  private static func limitScope(_ response: ProviderReply.Response, _ code: String?) -> Verdict.Scope {
    if code == "lock_timeout" { return .row }
    return response.header("Stripe-Rate-Limited-Reason") == "resource-specific" ? .row : .sink
  }

  private struct Account: Decodable { let id: String }

  /// The account's id of `GET /v1/account`.
  static func account(_ reply: ProviderReply) throws(AccountUnknown) -> String {
    guard case .response(let response) = reply else {
      throw AccountUnknown("Stripe could not be asked for its account: no reply", isTransient: true)
    }
    switch response.status {
    case 200..<300:
      guard let account = try? JSONDecoder().decode(Account.self, from: Data(response.body)), !account.id.isEmpty else {
        throw AccountUnknown("Stripe's reply to GET /v1/account holds no id", isTransient: true)
      }
      return account.id
    case 401:
      throw AccountUnknown("Stripe refuses the key (401): check the sink's secret_key", isTransient: true)
    case 403:
      throw AccountUnknown(
        "the key may not read its account (403): give the sink's account in the configuration", isTransient: false)
    default:
      throw AccountUnknown(
        "Stripe answered GET /v1/account with \(response.status)",
        isTransient: response.status == 429 || response.status >= 500)
    }
  }
}
