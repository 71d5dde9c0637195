import CHotPath
import Metering
import TestSupport
import Testing

struct DecodeDecimalTests {
  @Test(
    arguments: [
      ("0", 0), ("-12.5", -12_500_000_000), ("0.000000001", 1), ("-0.000000001", -1), ("1000", 1_000_000_000_000),
      ("170141183460469231731687303715.884105727", Int128.max),
      ("-170141183460469231731687303715.884105728", Int128.min),
    ] as [(String, Int128)]) func textIsExactBothWays(text: String, units: Int128)
  {
    #expect(Quantity(units: units).description == text)
    #expect(Quantity(parsing: text) == Quantity(units: units))
  }

  @Test(arguments: [
    ("1e3", "1000"), ("-0", "0"), ("1.0000000000", "1"), ("25E-1", "2.5"), ("0e99999999999999999999", "0"),
  ])
  func otherSpellings(text: String, same: String) {
    #expect(Quantity(parsing: text)?.description == same)
  }

  @Test(arguments: [
    "", " 1", "1 ", "+1", ".5", "1.", "01", "1e", "x", "1e-10", "170141183460469231731687303715.884105728", "1e30",
    "1e99999999999",
    "-170141183460469231731687303715.884105729", "NaN", "1_000", "--1", "٣",
  ]) func whatIsNoQuantity(text: String) {
    #expect(Quantity(parsing: text) == nil)
  }

  @Test func randomQuantitiesComeBack() {
    var random = SeededRandom(seed: 5)
    for _ in 0..<2000 {
      let wide = Int128(truncatingIfNeeded: random.next()) << 64 | Int128(random.next())
      let quantity = Quantity(units: wide >> Int128(random.below(127)))
      #expect(Quantity(parsing: quantity.description) == quantity)
    }
  }

  /// The ways of finding quotation marks are one: vectors of two kinds, words, and looking at each byte.
  @Test func scannersAgree() {
    var random = SeededRandom(seed: 9)
    for _ in 0..<3000 {
      let count = 16 + random.below(random.chance(10) ? 4081 : 200)
      var bytes = (0..<count).map { _ in UInt8(0x20 + random.below(0x3c)) }  // no backslash
      if random.chance(50) {
        let odd: [UInt8] = [0x00, 0x1f, 0x5c, 0x7f, 0x80, 0xff, 0x0a, 0x5b, 0x5d]
        bytes[random.below(count)] = random.pick(odd)
      }
      var expected = [UInt64](repeating: 0, count: 64)
      for (at, byte) in bytes.enumerated() where byte == 0x22 { expected[at / 64] |= 1 << UInt64(at % 64) }
      let isSimple = bytes.allSatisfy { $0 >= 0x20 && $0 < 0x80 && $0 != 0x5c }
      for scan in [meterd_quote_masks, meterd_quote_masks_baseline, meterd_quote_masks_portable] {
        var masks = [UInt64](repeating: 0, count: 64)
        #expect(scan(bytes, count, &masks) == isSimple)
        #expect(masks == expected)
      }
    }
  }
}
