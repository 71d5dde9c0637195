internal import HTTP

/// Stripe's replies: `{"error": {…}}` bodies, request ids, and the headers that clients go by.
struct StripeError: Error {
  var status = 400
  var type = "invalid_request_error"
  var code: String?
  var parameter: String?
  var message: String
  var headers: [(String, String)] = []
  /// Whether the ledger knows already: a duplicate is no refusal.
  var isBooked = false

  /// The outcome's word in the record.
  var outcome: String { code ?? (status == 401 ? "unauthorized" : type) }

  var response: ServerResponse {
    var members: [(String, JSONText)] = []
    if let code { members.append(("code", .string(code))) }
    members.append(("message", .string(message)))
    if let parameter { members.append(("param", .string(parameter))) }
    members.append(("type", .string(type)))
    return stripeReply(status, .object([("error", .object(members))]), headers)
  }

  static func parameter(_ code: String?, _ parameter: String, _ message: String) -> StripeError {
    StripeError(code: code, parameter: parameter, message: message)
  }
  static func missing(_ parameter: String) -> StripeError {
    .parameter("parameter_missing", parameter, "Missing required param: \(parameter).")
  }
  static func unknown(_ parameter: String) -> StripeError {
    .parameter("parameter_unknown", parameter, "Received unknown parameter: \(parameter)")
  }

  /// Too many requests. No `Stripe-Should-Retry`: none was seen, and the SDKs do not retry these by themselves.
  static func rateLimit(retryAfterSeconds: Int) -> StripeError {
    StripeError(
      status: 429, code: "rate_limit",
      message: "Request rate limit exceeded. Learn more about rate limits in the API documentation.",
      headers: [("Retry-After", String(retryAfterSeconds)), ("Stripe-Rate-Limited-Reason", "global-rate")])
  }

  /// Another call for the same customer and meter is under way.
  static var lockTimeout: StripeError {
    StripeError(
      status: 429, code: "lock_timeout",
      message: "This object cannot be accessed right now because another API request is accessing it.",
      headers: [("Stripe-Rate-Limited-Reason", "resource-specific"), ("Stripe-Should-Retry", "true")])
  }

  static func server(_ status: Int) -> StripeError {
    StripeError(
      status: status, type: "api_error", message: "An unknown error occurred (the fake was told so).",
      headers: [("Stripe-Should-Retry", "true")])
  }
}

/// A reply with what all of Stripe's have.
func stripeReply(_ status: Int, _ body: JSONText, _ headers: [(String, String)] = []) -> ServerResponse {
  var reply = ServerResponse.json(status, body.bytes)
  // Where the random source fails, an id without randomness is good enough for a fake.
  let id = (try? Crypto.randomBytes(7)).map(Crypto.hex) ?? "00000000000000"
  reply.headers.append(("Request-Id", "req_" + id))
  reply.headers.append(contentsOf: headers)
  return reply
}
