/// SplitMix64: the same seed, the same records.
public struct Random {
  private var state: UInt64

  public init(state: UInt64) { self.state = state }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

/// The last `digits` hexadecimal digits of a number.
public func hex(_ value: UInt64, _ digits: Int) -> String {
  String((String(repeating: "0", count: 16) + String(value, radix: 16)).suffix(digits))
}

/// The last `digits` decimal digits of a number.
public func padded(_ value: UInt64, _ digits: Int) -> String {
  String((String(repeating: "0", count: digits) + String(value)).suffix(digits))
}

/// Text in the form of a UUID.
public func uuid(_ random: inout Random) -> String {
  let (a, b) = (random.next(), random.next())
  return "\(hex(a >> 32, 8))-\(hex(a >> 16, 4))-\(hex(a, 4))-\(hex(b >> 48, 4))-\(hex(b, 12))"
}
