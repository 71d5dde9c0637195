/// One event's values, all decided by the plan and the event's number.
struct Event {
  var number: UInt64
  var keyHigh: UInt64
  var keyLow: UInt64
  var customer: Int
  var feature: Int
  var quantity: UInt64
  var timeMilliseconds: Int64
  var region: Int
  var model: Int

  init(number: UInt64, plan: LoadPlan, spread: UInt64, customerBits: UInt64) {
    self.number = number
    // Bijections of the number: no two events of a plan share a key.
    keyHigh = mixed(number ^ spread)
    keyLow = mixed(number &+ spread &* 3)
    let first = mixed(keyHigh ^ 0x5bd1_e995)
    let second = mixed(first)
    // Each power of two of customers is as likely as any other: rank r has a share of some 1/r, as in a Zipf law of
    // exponent 1, without a logarithm and the same on every machine.
    // Swift's >> binds more tightly than its multiplication: the parentheses are needed.
    let bit = ((first & 0xffff_ffff) &* customerBits) >> 32
    let size = UInt64(1) << bit
    customer = Int((size - 1 + (first >> 32) % size) % UInt64(plan.customers))
    feature = Int(((second & 0xffff_ffff) &* UInt64(plan.features)) >> 32)
    quantity = 1 + (second >> 32) % 1_000
    timeMilliseconds = plan.startMilliseconds + Int64(number) * plan.spacingNanoseconds / 1_000_000
    region = Int(second >> 62)
    model = Int(first >> 61) & 1
  }
}

/// Appends to a buffer whose size the caller has checked.
///
/// Unsafe pointers, because this is the loader's inner loop: it runs a million times a second beside what it loads.
struct ByteWriter {
  private let base: UnsafeMutableRawPointer
  private let capacity: Int
  private(set) var count = 0

  init(_ buffer: UnsafeMutableRawBufferPointer) {
    precondition(buffer.baseAddress != nil, "an event needs a buffer")
    base = buffer.baseAddress.unsafelyUnwrapped
    capacity = buffer.count
  }

  @inline(__always)
  mutating func literal(_ text: StaticString) {
    precondition(count + text.utf8CodeUnitCount <= capacity, "an event is longer than UsageGenerator.longestValue")
    (base + count).copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
    count += text.utf8CodeUnitCount
  }

  mutating func bytes(_ bytes: [UInt8]) {
    precondition(count + bytes.count <= capacity, "an event is longer than UsageGenerator.longestValue")
    bytes.withUnsafeBytes { source in
      if let start = source.baseAddress { (base + count).copyMemory(from: start, byteCount: source.count) }
    }
    count += bytes.count
  }

  @inline(__always)
  mutating func byte(_ value: UInt8) {
    precondition(count < capacity, "an event is longer than UsageGenerator.longestValue")
    base.storeBytes(of: value, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  /// A decimal, with zeros in front up to `digits`.
  mutating func decimal(_ value: UInt64, digits: Int = 1) {
    var length = 1
    var rest = value / 10
    while rest > 0 {
      length += 1
      rest /= 10
    }
    length = max(length, digits)
    precondition(count + length <= capacity, "an event is longer than UsageGenerator.longestValue")
    rest = value
    for place in stride(from: count + length - 1, through: count, by: -1) {
      base.storeBytes(of: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10), toByteOffset: place, as: UInt8.self)
      rest /= 10
    }
    count += length
  }

  /// The highest `digits` hexadecimal digits of `value` after its first `skip`.
  mutating func hexadecimal(_ value: UInt64, skip: Int, digits: Int) {
    for place in skip..<(skip + digits) {
      let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * place)) & 0xf
      byte(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
    }
  }

  mutating func customer(_ customer: Int) {
    literal("cus_")
    decimal(UInt64(customer), digits: 8)
  }

  mutating func event(_ event: Event, feature: [UInt8]) {
    literal("{\"idempotencyKey\":\"")
    hexadecimal(event.keyHigh, skip: 0, digits: 8)
    literal("-")
    hexadecimal(event.keyHigh, skip: 8, digits: 4)
    literal("-")
    hexadecimal(event.keyHigh, skip: 12, digits: 4)
    literal("-")
    hexadecimal(event.keyLow, skip: 0, digits: 4)
    literal("-")
    hexadecimal(event.keyLow, skip: 4, digits: 12)
    literal("\",\"customerId\":\"")
    customer(event.customer)
    literal("\",\"featureId\":\"")
    bytes(feature)
    literal("\",\"amount\":")
    decimal(event.quantity)
    literal(",\"timestamp\":")
    decimal(UInt64(event.timeMilliseconds))
    literal(",\"dimensions\":{\"region\":\"")
    switch event.region {
    case 0: literal("eu-west-1")
    case 1: literal("us-east-1")
    case 2: literal("ap-south-1")
    default: literal("sa-east-1")
    }
    literal("\",\"model\":\"")
    if event.model == 0 { literal("large") } else { literal("small") }
    literal("\"}}")
  }
}
