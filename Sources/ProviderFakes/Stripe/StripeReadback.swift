internal import HTTP

/// Reading: the account, the meters, and what was booked.
extension StripeRules {
  func account() -> ServerResponse {
    stripeReply(
      200,
      .object([
        ("id", .string(options.accountID)), ("object", .string("account")), ("charges_enabled", .bool(true)),
        ("country", .string("US")), ("default_currency", .string("usd")), ("details_submitted", .bool(true)),
        ("payouts_enabled", .bool(true)), ("type", .string("standard")),
      ]))
  }

  /// Configured meters, or where none are, those that have had an event.
  private func allMeters() -> [StripeMeter] {
    guard options.meters.isEmpty else { return options.meters }
    return state.withLock { $0.booked.keys.sorted() }.map { StripeMeter(eventName: $0) }
  }

  func listMeters(_ request: ServerRequest) throws(StripeError) -> ServerResponse {
    let query = try StripeForm(
      request.query, allowed: ["limit", "starting_after", "ending_before", "status"], maps: [])
    let limit = query.value("limit").map { Int($0) ?? 0 } ?? 10
    guard (1...100).contains(limit) else {
      throw .parameter("parameter_invalid_integer", "limit", "Invalid limit: from 1 to 100")
    }
    var meters = allMeters()
    switch query.value("status") {
    case nil: break
    case "active": meters = meters.filter(\.isActive)
    case "inactive": meters = meters.filter { !$0.isActive }
    default: throw .parameter(nil, "status", "Invalid status: must be one of active or inactive")
    }
    if let after = query.value("starting_after") {
      guard let index = meters.firstIndex(where: { $0.id == after }) else {
        throw .parameter("resource_missing", "starting_after", "No such billing meter: '\(after)'")
      }
      meters = Array(meters[(index + 1)...])
    }
    let livemode = isLive(request)
    return list(meters.prefix(limit).map { describe($0, livemode) }, hasMore: meters.count > limit, StripePath.meters)
  }

  func readMeter(_ request: ServerRequest) throws(StripeError) -> ServerResponse {
    let rest = request.path.dropFirst(StripePath.meters.count + 1).split(separator: "/")
    guard let id = rest.first.map(String.init), let meter = knownMeter(id) else {
      throw StripeError(
        status: 404, code: "resource_missing", parameter: "id",
        message: "No such billing meter: '\(rest.first ?? "")'")
    }
    if rest.count == 1 { return stripeReply(200, describe(meter, isLive(request))) }
    guard rest.count == 2, rest[1] == "event_summaries" else {
      throw StripeError(status: 404, message: "Unrecognized request URL (GET: \(request.path)).")
    }
    return try summaries(request, meter)
  }

  private func knownMeter(_ id: String) -> StripeMeter? {
    if let meter = allMeters().first(where: { $0.id == id }) { return meter }
    // Where every name has a meter, so has one without events.
    let prefix = "mtr_fake_"
    guard options.meters.isEmpty, id.hasPrefix(prefix) else { return nil }
    return StripeMeter(eventName: String(id.dropFirst(prefix.count)))
  }

  private func summaries(_ request: ServerRequest, _ meter: StripeMeter) throws(StripeError) -> ServerResponse {
    let query = try StripeForm(
      request.query,
      allowed: [
        "customer", "start_time", "end_time", "value_grouping_window", "limit", "starting_after", "ending_before",
      ], maps: [])
    let customer = try query.required("customer")
    let start = try minute(query, "start_time")
    let end = try minute(query, "end_time")
    guard start < end else { throw .parameter(nil, "end_time", "end_time must be after start_time") }
    let step: Int64
    switch query.value("value_grouping_window") {
    case nil: step = end - start
    case "hour": step = 3600
    case "day": step = 86_400
    default: throw .parameter(nil, "value_grouping_window", "Invalid value_grouping_window: must be day or hour")
    }
    let visible = clock() - options.summaryLag.components.seconds * 1000
    let events = state.withLock { self.events(meter.eventName, customer, $0) }
      .filter { $0.arrived <= visible && $0.timestamp >= start && $0.timestamp < end }
    var groups: [Int64: ExactDecimal] = [:]
    for event in events {
      let group = start + (event.timestamp - start) / step * step
      groups[group] = (groups[group] ?? .zero) + event.delta
    }
    let livemode = isLive(request)
    let items = groups.sorted { $0.key > $1.key }.map { group, value in
      JSONText.object([
        ("id", .string("mtrusg_fake_\(group)")), ("object", .string("billing.meter_event_summary")),
        // Stripe answers with a float: a point is always there.
        ("aggregated_value", .number(value.description.contains(".") ? "\(value)" : "\(value).0")),
        ("end_time", .int(Int(min(group + step, end)))), ("livemode", .bool(livemode)), ("meter", .string(meter.id)),
        ("start_time", .int(Int(group))),
      ])
    }
    return list(items, hasMore: false, "\(StripePath.meters)/\(meter.id)/event_summaries")
  }

  private func minute(_ query: StripeForm, _ name: String) throws(StripeError) -> Int64 {
    let text = try query.required(name)
    guard let value = Int64(text) else {
      throw .parameter("parameter_invalid_integer", name, "Invalid integer: \(text)")
    }
    guard value % 60 == 0 else { throw .parameter(nil, name, "\(name) must be aligned with minute boundaries") }
    return value
  }

  private func list(_ items: [JSONText], hasMore: Bool, _ url: String) -> ServerResponse {
    stripeReply(
      200,
      .object([
        ("object", .string("list")), ("data", .array(items)), ("has_more", .bool(hasMore)), ("url", .string(url)),
      ]))
  }

  private func describe(_ meter: StripeMeter, _ livemode: Bool) -> JSONText {
    .object([
      ("id", .string(meter.id)), ("object", .string("billing.meter")), ("created", .int(1_700_000_000)),
      (
        "customer_mapping",
        .object([("event_payload_key", .string(meter.customerKey)), ("type", .string("by_id"))])
      ),
      ("default_aggregation", .object([("formula", .string(meter.formula.rawValue))])),
      ("display_name", .string(meter.eventName)), ("event_name", .string(meter.eventName)),
      ("event_time_window", meter.eventTimeWindow.map { .string($0.rawValue) } ?? .null),
      ("livemode", .bool(livemode)), ("status", .string(meter.isActive ? "active" : "inactive")),
      ("status_transitions", .object([("deactivated_at", .null)])), ("updated", .int(1_700_000_000)),
      ("value_settings", .object([("event_payload_key", .string(meter.valueKey))])),
    ])
  }
}
