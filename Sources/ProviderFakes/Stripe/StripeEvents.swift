internal import Foundation
internal import HTTP

/// Writing: meter events and their adjustments.
extension StripeRules {
  func createEvent(_ request: ServerRequest) throws(StripeError) -> ServerResponse {
    let form = try StripeForm(request, allowed: ["event_name", "identifier", "timestamp"], maps: ["payload"])
    let now = clock()
    let name = try form.required("event_name")
    guard !form.map("payload").isEmpty else { throw .missing("payload") }
    let meter = meter(named: name)
    let customerKey = meter?.customerKey ?? "stripe_customer_id"
    let valueKey = meter?.valueKey ?? "value"
    guard let customer = form.map("payload")[customerKey] else { throw .missing("payload[\(customerKey)]") }
    if customer.isEmpty {
      throw .parameter("parameter_invalid_empty", "payload[\(customerKey)]", "You passed an empty string.")
    }
    guard let text = form.map("payload")[valueKey] else { throw .missing("payload[\(valueKey)]") }
    let value = try parseValue(text, "payload[\(valueKey)]")
    let timestamp = try parseTimestamp(form.value("timestamp"), now)
    let identifier: String
    if let given = form.value("identifier") { identifier = given } else { identifier = try generatedIdentifier() }
    if identifier.isEmpty { throw .parameter("parameter_invalid_empty", "identifier", "You passed an empty string.") }
    if identifier.count > 100 {
      throw .parameter(nil, "identifier", "Invalid string: identifier must be at most 100 characters.")
    }
    let payload = form.map("payload").sorted { $0.key < $1.key }.map { ($0.key, JSONText.string($0.value)) }
    let reply = JSONText.object([
      ("object", .string("billing.meter_event")), ("created", .int(Int(now / 1000))), ("event_name", .string(name)),
      ("identifier", .string(identifier)), ("livemode", .bool(isLive(request))), ("payload", .object(payload)),
      ("timestamp", .int(Int(timestamp))),
    ])
    // A time of arrival is not content: the same event without a timestamp may come again later.
    let sentTimestamp = form.value("timestamp") == nil ? nil : timestamp * 1000
    let row = FakeRow(key: identifier, customer: customer, meter: name, value: text, timestamp: sentTimestamp)
    var event = Event(
      row: row, meter: meter ?? StripeMeter(eventName: name), value: value, timestamp: timestamp, delta: .zero,
      arrived: now, reply: reply)

    let window = options.identifierWindow.components.seconds * 1000
    return try state.withLock { state throws(StripeError) in
      if let first = state.identifiers[identifier].map({ state.events[$0] }), now - first.arrived < window {
        effects.duplicate(row, at: now)
        switch options.duplicateReply {
        case .silent: return stripeReply(200, first.reply)
        case .error: throw .duplicate(identifier)
        }
      }
      if let code = asynchronousError(meter, customer) {
        // Accepted all the same: Stripe tells later.
        state.asyncErrors.append(StripeAsyncError(code: code, identifier: identifier))
        state.identifiers[identifier] = state.events.count
        state.events.append(event)
        effects.refuse(row, at: now, outcome: code)
        return stripeReply(200, reply)
      }
      event.delta = delta(of: event, state)
      state.identifiers[identifier] = state.events.count
      state.booked[name, default: [:]][customer, default: []].append(state.events.count)
      state.events.append(event)
      effects.book(row, delta: event.delta, at: now)
      return stripeReply(200, reply)
    }
  }

  /// What an event adds: its value, 1 where the meter counts, or the difference to the event that it replaces.
  private func delta(of event: Event, _ state: State) -> ExactDecimal {
    let value = event.meter.formula == .count ? ExactDecimal(units: 1_000_000_000) : event.value
    let earlier: [Event]
    if event.meter.eventTimeWindow != nil {
      earlier = events(event.row.meter, event.row.customer, state).filter { $0.timestamp == event.timestamp }
    } else if event.meter.formula == .last {
      let all = events(event.row.meter, event.row.customer, state)
      // One that is older than another changes nothing.
      if all.contains(where: { $0.timestamp > event.timestamp }) { return .zero }
      earlier = all
    } else {
      return value
    }
    return value - earlier.reduce(ExactDecimal.zero) { $0 + $1.delta }
  }

  /// Booked and not cancelled, in order of arrival.
  func events(_ name: String, _ customer: String, _ state: State) -> [Event] {
    (state.booked[name]?[customer] ?? []).map { state.events[$0] }.filter { !$0.isCancelled }
  }

  private func asynchronousError(_ meter: StripeMeter?, _ customer: String) -> String? {
    guard let meter, meter.isActive else { return "no_meter_found" }
    if let customers = options.customers, !customers.contains(customer) { return "meter_event_customer_not_found" }
    return nil
  }

  /// Whole numbers of at most 15 significant digits, never in exponent form; negative ones are fine.
  private func parseValue(_ text: String, _ parameter: String) throws(StripeError) -> ExactDecimal {
    guard let value = ExactDecimal(text) else {
      throw .parameter("meter_event_invalid_value", parameter, "Invalid value: \(text) is not a decimal number.")
    }
    if text.contains("."), !options.allowsFractions {
      throw .parameter("meter_event_invalid_value", parameter, "Invalid value: \(text) is not a whole number.")
    }
    // Leading zeros do not count; trailing ones are digits that were sent.
    let digits = text.filter(\.isNumber).drop { $0 == "0" }.count
    if digits > 15 {
      throw .parameter(
        "meter_event_invalid_value", parameter, "Invalid value: \(text) has more than 15 significant digits.")
    }
    return value
  }

  private func parseTimestamp(_ text: String?, _ now: Int64) throws(StripeError) -> Int64 {
    guard let text else { return now / 1000 }
    guard !text.isEmpty, text.utf8.count <= 18, let timestamp = Int64(text) else {
      throw .parameter("parameter_invalid_integer", "timestamp", "Invalid integer: \(text)")
    }
    if timestamp * 1000 < now - 35 * 86_400_000 {
      throw .parameter(
        "timestamp_too_far_in_past", "timestamp", "The timestamp must be within the past 35 calendar days.")
    }
    if timestamp * 1000 > now + 5 * 60_000 {
      throw .parameter(
        "timestamp_in_future", "timestamp", "The timestamp must not be more than 5 minutes in the future.")
    }
    return timestamp
  }

  private func generatedIdentifier() throws(StripeError) -> String {
    do { return Crypto.hex(try Crypto.randomBytes(16)) } catch { throw .server(500) }
  }

  func createAdjustment(_ request: ServerRequest) throws(StripeError) -> ServerResponse {
    let form = try StripeForm(request, allowed: ["event_name", "type"], maps: ["cancel"])
    let name = try form.required("event_name")
    guard try form.required("type") == "cancel" else {
      throw .parameter(nil, "type", "Invalid type: must be cancel")
    }
    guard let identifier = form.map("cancel")["identifier"] else { throw .missing("cancel[identifier]") }
    let now = clock()
    return try state.withLock { state throws(StripeError) in
      guard let index = state.identifiers[identifier], state.events[index].row.meter == name,
        !state.events[index].isCancelled, now - state.events[index].arrived <= 86_400_000
      else {
        throw .parameter(
          "resource_missing", "cancel[identifier]",
          "No event of the last 24 hours to cancel: \(identifier) (event_name \(name))")
      }
      let event = state.events[index]
      let wasBooked = state.booked[name]?[event.row.customer]?.contains(index) ?? false
      state.events[index].isCancelled = true
      if wasBooked { effects.cancel(event.row, delta: event.delta, at: now) }
      return stripeReply(
        200,
        .object([
          ("object", .string("billing.meter_event_adjustment")),
          ("cancel", .object([("identifier", .string(identifier))])), ("event_name", .string(name)),
          ("livemode", .bool(isLive(request))), ("status", .string("pending")), ("type", .string("cancel")),
        ]))
    }
  }
}

extension StripeError {
  static func duplicate(_ identifier: String) -> StripeError {
    StripeError(
      parameter: "identifier", message: "An event already exists with identifier \(identifier).", isBooked: true)
  }
}

/// A form body with Stripe's bracketed names, checked against what a path takes.
struct StripeForm {
  private var values: [String: String] = [:]
  private var maps: [String: [String: String]] = [:]

  init(_ request: ServerRequest, allowed: Set<String>, maps allowedMaps: Set<String>) throws(StripeError) {
    if let type = request.header("Content-Type"), !type.lowercased().hasPrefix("application/x-www-form-urlencoded") {
      throw StripeError(
        message: "Invalid request (check that your POST content type is application/x-www-form-urlencoded).")
    }
    guard let pairs = FormEncoding.decode(request.body) else {
      throw StripeError(message: "Invalid request: the body is not a form in UTF-8.")
    }
    try self.init(pairs, allowed: allowed, maps: allowedMaps)
  }

  init(_ pairs: [(String, String)], allowed: Set<String>, maps allowedMaps: Set<String>) throws(StripeError) {
    for (name, value) in pairs {
      // `expand[]` is taken everywhere, and changes nothing here.
      if name.hasPrefix("expand[") { continue }
      if let open = name.firstIndex(of: "["), name.last == "]", allowedMaps.contains(String(name[..<open])) {
        maps[String(name[..<open]), default: [:]][String(name[name.index(after: open)...].dropLast())] = value
      } else if allowed.contains(name) {
        values[name] = value
      } else if allowedMaps.contains(name) {
        throw .parameter("parameter_invalid_hash", name, "Invalid hash: \(name)")
      } else {
        throw .unknown(name)
      }
    }
  }

  func value(_ name: String) -> String? { values[name] }
  func map(_ name: String) -> [String: String] { maps[name] ?? [:] }
  func required(_ name: String) throws(StripeError) -> String {
    guard let value = values[name] else { throw .missing(name) }
    if value.isEmpty { throw .parameter("parameter_invalid_empty", name, "You passed an empty string for '\(name)'.") }
    return value
  }
}

/// Base64 as Basic authentication has it; nil where it is not UTF-8 beneath.
func decodeBase64(_ text: String) -> String? {
  Data(base64Encoded: text).flatMap { String(data: $0, encoding: .utf8) }
}
