import Foundation
import Kafka

/// One record for each reason of the quarantine, by the contract's page on usage events.
struct BadEvents {
  /// Each reason code with a way to make such a record; `n` makes keys differ.
  static let makers: [(reason: String, make: @Sendable (_ n: Int) -> BadRecord)] = [
    ("empty_value", { _ in BadRecord("") }),
    ("record_too_large", { n in good(n, more: ",\"filler\":\"\(String(repeating: "x", count: 70_000))\"") }),
    ("malformed_json", { n in BadRecord("{\"idempotencyKey\":\"bad\(n)\",") }),
    ("not_an_object", { n in BadRecord("[\(n)]") }),
    ("missing_key", { _ in BadRecord("{\"customerId\":\"cus_1\",\"featureId\":\"api_calls\",\"amount\":1}") }),
    ("missing_customer", { n in BadRecord("{\"idempotencyKey\":\"bad\(n)\",\"featureId\":\"f\",\"amount\":1}") }),
    ("missing_feature", { n in BadRecord("{\"idempotencyKey\":\"bad\(n)\",\"customerId\":\"cus_1\",\"amount\":1}") }),
    ("missing_quantity", { n in good(n, amount: nil) }),
    ("wrong_type", { n in good(n, amount: "[1]") }),
    ("field_too_long", { n in good(n, feature: String(repeating: "f", count: 257)) }),
    ("field_empty", { n in good(n, feature: "") }),
    ("ambiguous_field", { n in good(n, more: ",\"customer_id\":\"another\"") }),
    ("quantity_not_exact", { n in good(n, amount: "0.0000000001") }),
    ("quantity_out_of_range", { n in good(n, amount: "1e18") }),
    ("quantity_negative", { n in good(n, amount: "-1") }),
    ("time_invalid", { n in good(n, more: ",\"timestamp\":\"yesterday\"") }),
    ("time_too_old", { n in good(n, more: ",\"timestamp\":\"2001-02-03T04:05:06Z\"") }),
    ("time_too_new", { n in good(n, more: ",\"timestamp\":\"2201-02-03T04:05:06Z\"") }),
    ("unknown_feature", { n in good(n, feature: "never_listed") }),
    ("key_mismatch", { n in good(n, key: "cus_2") }),
  ]

  private static func good(
    _ n: Int, feature: String = "api_calls", amount: String? = "1", more: String = "", key: String = "cus_1"
  ) -> BadRecord {
    let quantity = amount.map { ",\"amount\":\($0)" } ?? ""
    return BadRecord(
      "{\"idempotencyKey\":\"bad\(n)\",\"customerId\":\"cus_1\",\"featureId\":\"\(feature)\"\(quantity)\(more)}",
      key: key)
  }
}

struct BadRecord {
  var value: String
  var key: String
  init(_ value: String, key: String = "cus_1") {
    self.value = value
    self.key = key
  }
}

/// One record of the quarantine topic: where it came from, why it is there, and what it is.
struct QuarantinedRecord: Hashable {
  var partition: Int32
  var offset: Int64
  var reason: String
  var key: String
  var value: String
  /// The record's own, Unix milliseconds: it may be the event's time.
  var timestamp: Int64
  /// A header of the producer's own.
  var origin: String
}

extension DaemonRig {
  /// Everything in the quarantine, repeats dropped as its readers must: by topic, partition and offset.
  func quarantined() throws -> [QuarantinedRecord] {
    var found: [TopicPartition: [Int64: QuarantinedRecord]] = [:]
    try read("\(group).quarantine") { _, message in
      var headers: [String: String] = [:]
      for header in try message.headers() {
        headers[header.name] = header.value.map { String(decoding: $0, as: UTF8.self) }
      }
      guard let reason = headers["meterd_reason"], let source = headers["meterd_topic"],
        headers["meterd_detail"] != nil, let from = headers["meterd_partition"].flatMap({ Int32($0) }),
        let offset = headers["meterd_offset"].flatMap({ Int64($0) })
      else { throw EndToEndFailure(description: "a quarantined record lacks headers: \(headers)") }
      let place = TopicPartition(topic: source, partition: from)
      let record = QuarantinedRecord(
        partition: from, offset: offset, reason: reason, key: String(decoding: message.key, as: UTF8.self),
        value: String(decoding: message.value, as: UTF8.self), timestamp: message.timestampMilliseconds,
        origin: headers["origin"] ?? "")
      if let earlier = found[place]?[offset], earlier != record {
        throw EndToEndFailure(description: "two different quarantined records of \(place) at \(offset)")
      }
      found[place, default: [:]][offset] = record
    }
    return found.values.flatMap(\.values)
  }
}
