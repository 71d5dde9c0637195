import GeneratedText
import Metering

/// Records as the loader writes them, one behind the other, as a fetched batch holds them.
struct Records {
  private let bytes: [UInt8]
  private let places: [(key: Range<Int>, value: Range<Int>)]
  /// What the records are counted under: the first event's time.
  static let start: Int64 = 1_795_255_200_000  // 2026-11-21T10:00:00Z

  /// - Parameters:
  ///   - duplicates: of 10,000 records so many repeat one of the last 65,536.
  ///   - bad: of 10,000 records so many cannot be counted, for one reason after another.
  init(count: Int, customers: UInt64, duplicates: UInt64, bad: UInt64) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count * 220)
    var places: [(key: Range<Int>, value: Range<Int>)] = []
    places.reserveCapacity(count)
    var random = Random(state: 1)
    let bits = UInt64(64 - customers.leadingZeroBitCount)
    for index in 0..<count {
      if random.next() % 10_000 < duplicates, index > 0 {
        places.append(places[index - 1 - Int(random.next() % UInt64(min(index, 65_536)))])
        continue
      }
      let size = UInt64(1) << (random.next() % bits)
      let customer = "cus_" + padded((size - 1 + random.next() % size) % customers, 8)
      let first = bytes.count
      bytes += customer.utf8
      let second = bytes.count
      let event = Self.event(index, customer, &random)
      bytes += (random.next() % 10_000 < bad ? Self.spoiled(event, index) : event).utf8
      places.append((first..<second, second..<bytes.count))
    }
    self.bytes = bytes
    self.places = places
  }

  private static func event(_ index: Int, _ customer: String, _ random: inout Random) -> String {
    let names = ["api_calls", "tokens", "storage_gb_hours", "emails_sent", "compute_seconds"]
    let feature = random.next() % 10
    let name = feature < 5 ? names[Int(feature)] : "feature_\(feature)"
    let region = ["eu-west-1", "us-east-1", "ap-south-1", "sa-east-1"][Int(random.next() % 4)]
    return "{\"idempotencyKey\":\"\(uuid(&random))\",\"customerId\":\"\(customer)\",\"featureId\":\"\(name)\","
      + "\"amount\":\(1 + random.next() % 1000),\"timestamp\":\(start + Int64(index / 1000)),"
      + "\"dimensions\":{\"region\":\"\(region)\",\"model\":\"\(random.next() % 2 == 0 ? "large" : "small")\"}}"
  }

  /// The same event with a fault in it.
  private static func spoiled(_ event: String, _ index: Int) -> String {
    switch index % 8 {
    case 0: String(event.dropLast(2))
    case 1: event.replacing("customerId", with: "customerID")
    case 2: event.replacing("\"amount\":", with: "\"amount\":-")
    case 3: event.replacing("\"amount\":", with: "\"amount\":0.00000000001")
    case 4: event.replacing("\"timestamp\":", with: "\"timestamp\":1")
    case 5: event.replacing("featureId", with: "customer_id")
    case 6: "[\(event)]"
    default: event.replacing("idempotencyKey", with: "idempotency")
    }
  }

  var averageBytes: Int { places.reduce(0) { $0 + $1.value.count } / places.count }

  /// Calls `body` with views of all records; their offsets begin at 0.
  func withViews<R>(_ body: (UnsafeBufferPointer<RecordView>) -> R) -> R {
    bytes.withUnsafeBytes { bytes in
      let views = places.enumerated().map { index, place in
        RecordView(
          value: UnsafeRawBufferPointer(rebasing: bytes[place.value]),
          key: UnsafeRawBufferPointer(rebasing: bytes[place.key]), offset: Int64(index),
          timestampMilliseconds: Self.start + Int64(index / 1000))
      }
      return views.withUnsafeBufferPointer(body)
    }
  }
}
