/// The idempotency keys of rows: what a provider knows a row by, the same for every re-send, never reused.
public enum IdempotencyKey {
  private static let alphabet = Array("0123456789abcdefghijklmnopqrstuv".utf8)

  /// `<incarnation>.<sink>.<partition>.<claim>.<row>`: GENESIS's incarnation in 26 characters of base 32 (five bits each,
  /// the highest first), the sink's name, and three numbers in the same digits.
  ///
  /// Unique by structure: the first field has a fixed length, the last three hold no dot. Only `[A-Za-z0-9_.-]`, at most
  /// 97 characters. A sink name that is longer than 40 bytes, holds other characters, or does not begin with a letter or
  /// a digit is spelled as a dot and its digest; no spelled-out name begins with a dot.
  public static func text(
    incarnation: [UInt8], sink: String, partition: Int32, reference: RowReference
  ) -> String {
    text(
      prefix: prefix(incarnation: incarnation, sink: sink, partition: partition, claim: reference.claim),
      row: reference.row)
  }

  /// All but the last field, which tells the rows of a claim apart.
  static func prefix(incarnation: [UInt8], sink: String, partition: Int32, claim: UInt64) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(100)
    base32(incarnation, into: &text)
    text.append(dot)
    name(sink, into: &text)
    for number in [UInt64(UInt32(bitPattern: partition)), claim] {
      text.append(dot)
      digits(number, into: &text)
    }
    text.append(dot)
    return text
  }

  /// The key of a row of the claim whose keys begin so.
  static func text(prefix: [UInt8], row: UInt32) -> String {
    String(unsafeUninitializedCapacity: prefix.count + digits(of: row)) { text in
      _ = text.initialize(from: prefix)
      if let base = text.baseAddress { write(row: row, to: base + prefix.count) }
      return prefix.count + digits(of: row)
    }
  }

  /// How many digits a row's number takes.
  static func digits(of row: UInt32) -> Int { row == 0 ? 1 : (36 - row.leadingZeroBitCount) / 5 }

  /// A key's last field, to where there is room for the digits of the row's number.
  static func write(row: UInt32, to text: UnsafeMutablePointer<UInt8>) {
    let count = digits(of: row)
    for place in 0..<count {
      let value = UInt8(truncatingIfNeeded: row >> UInt32(5 * (count - 1 - place)) & 31)
      (text + place).initialize(to: value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10)
    }
  }

  private static let dot = UInt8(ascii: ".")

  private static func name(_ sink: String, into text: inout [UInt8]) {
    let bytes = Array(sink.utf8)
    let isPlain =
      (1...40).contains(bytes.count) && isAlphanumeric(bytes[0])
      && bytes.allSatisfy { isAlphanumeric($0) || "-_.".utf8.contains($0) }
    if isPlain {
      text.append(contentsOf: bytes)
    } else {
      let digest = Digest(of: bytes)
      text.append(dot)
      var halves = ByteWriter()
      halves.digest(digest)
      base32(halves.bytes, into: &text)
    }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      true
    default: false
    }
  }

  private static func base32(_ bytes: [UInt8], into text: inout [UInt8]) {
    var held: UInt32 = 0
    var bits: UInt32 = 0
    for byte in bytes {
      held = held << 8 | UInt32(byte)
      bits += 8
      while bits >= 5 {
        bits -= 5
        text.append(alphabet[Int(held >> bits & 31)])
      }
      held &= (1 << bits) - 1
    }
    if bits > 0 { text.append(alphabet[Int(held << (5 - bits) & 31)]) }
  }

  private static func digits(_ number: UInt64, into text: inout [UInt8]) {
    var shift: UInt64 = 60
    while shift > 0, number >> shift == 0 { shift -= 5 }
    while true {
      text.append(alphabet[Int(number >> shift & 31)])
      if shift == 0 { return }
      shift -= 5
    }
  }
}
