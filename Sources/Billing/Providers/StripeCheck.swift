internal import Foundation

/// What `meterd check` asks Stripe before a run: whether every meter adds up what we send.
public enum StripeCheck {
  /// One meter as Stripe describes it.
  public struct Meter: Hashable, Sendable {
    public var id: String
    public var eventName: String
    /// `sum`, `count`, `last`, …
    public var formula: String
    /// Set where events of equal timestamp replace each other (pre-aggregated ingestion).
    public var eventTimeWindow: String?
    public var customerKey: String
    public var valueKey: String
    public var isActive: Bool

    public init(
      id: String, eventName: String, formula: String = "sum", eventTimeWindow: String? = nil,
      customerKey: String = "stripe_customer_id", valueKey: String = "value", isActive: Bool = true
    ) {
      self.id = id
      self.eventName = eventName
      self.formula = formula
      self.eventTimeWindow = eventTimeWindow
      self.customerKey = customerKey
      self.valueKey = valueKey
      self.isActive = isActive
    }
  }

  /// One page of meters.
  public struct Page: Hashable, Sendable {
    public var meters: [Meter]
    /// Ask again with ``metersRequest(baseURL:after:)`` of the last meter's id.
    public var hasMore: Bool
  }

  /// Stripe's reply could not be used.
  public struct Failure: Error, Hashable, CustomStringConvertible {
    public var description: String
    /// The reply's status; nil where there was none.
    public var status: Int?
  }

  /// To be authorized like any request of the adapter.
  public static func metersRequest(baseURL: String, after: String? = nil) -> ProviderRequest {
    ProviderRequest(
      method: "GET",
      url: baseURL + "/v1/billing/meters?limit=100" + (after.map { "&starting_after=" + $0 } ?? ""))
  }

  private struct Body: Decodable {
    struct Item: Decodable {
      struct Aggregation: Decodable { let formula: String }
      struct Mapping: Decodable { let event_payload_key: String }
      let id: String
      let event_name: String
      let default_aggregation: Aggregation
      let event_time_window: String?
      let customer_mapping: Mapping?
      let value_settings: Mapping?
      let status: String
    }
    let data: [Item]
    let has_more: Bool
  }

  public static func read(_ reply: ProviderReply) throws(Failure) -> Page {
    guard case .response(let response) = reply else {
      throw Failure(description: "Stripe could not be asked for its meters: no reply")
    }
    guard response.status == 200 else {
      throw Failure(
        description: "Stripe answered GET /v1/billing/meters with \(response.status)", status: response.status)
    }
    let body: Body
    do { body = try JSONDecoder().decode(Body.self, from: Data(response.body)) } catch {
      throw Failure(description: "Stripe's list of meters cannot be read: \(error)", status: response.status)
    }
    let meters = body.data.map {
      Meter(
        id: $0.id, eventName: $0.event_name, formula: $0.default_aggregation.formula,
        eventTimeWindow: $0.event_time_window,
        customerKey: $0.customer_mapping?.event_payload_key ?? "stripe_customer_id",
        valueKey: $0.value_settings?.event_payload_key ?? "value", isActive: $0.status == "active")
    }
    return Page(meters: meters, hasMore: body.has_more)
  }

  /// Names (those that features are mapped to) without an active meter: their rows would be refused, and parked.
  public static func missing(meters: [Meter], eventNames: [String]) -> [String] {
    Set(eventNames).sorted().filter { name in !meters.contains { $0.eventName == name && $0.isActive } }
  }

  /// What would bill something else than was sent. Empty where all is well.
  ///
  /// Rows are sums, of counts too, so every meter must add values up: a `count` meter would count our rows, a `last`
  /// meter would keep only one, and one with an event time window would replace.
  public static func problems(meters: [Meter], eventNames: [String]) -> [String] {
    Set(eventNames).sorted().flatMap { name in
      meters.first { $0.eventName == name && $0.isActive }.map(problems) ?? []
    }
  }

  private static func problems(_ meter: Meter) -> [String] {
    var problems: [String] = []
    let name = meter.eventName
    if meter.formula != "sum" {
      problems.append("the meter \(name) has the formula \(meter.formula): only sum adds up what is sent")
    }
    if let window = meter.eventTimeWindow {
      problems.append("the meter \(name) has event_time_window \(window): its events replace each other")
    }
    if meter.customerKey != "stripe_customer_id" {
      problems.append("the meter \(name) takes its customer from payload[\(meter.customerKey)], not stripe_customer_id")
    }
    if meter.valueKey != "value" {
      problems.append("the meter \(name) takes its value from payload[\(meter.valueKey)], not value")
    }
    return problems
  }
}
