import HTTP
import Testing

@Suite struct CryptoTests {
  @Test func sha256OfTheStandardsExamples() {
    #expect(
      Crypto.hex(Crypto.sha256(Array("abc".utf8))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    #expect(Crypto.hex(Crypto.sha256([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  /// RFC 4231, test cases 1, 2 and 6.
  @Test func hmacOfTheStandardsExamples() {
    func code(_ key: [UInt8], _ message: String) -> String {
      Crypto.hex(Crypto.hmacSHA256(key: key, Array(message.utf8)))
    }
    #expect(
      code([UInt8](repeating: 0x0B, count: 20), "Hi There")
        == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
    #expect(
      code(Array("Jefe".utf8), "what do ya want for nothing?")
        == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    #expect(
      code([UInt8](repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First")
        == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    // An empty key is a key, not "the one of before".
    #expect(code([], "") == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
  }

  @Test func comparisonAndRandomness() throws {
    #expect(Crypto.constantTimeEqual([1, 2], [1, 2]))
    #expect(!Crypto.constantTimeEqual([1, 2], [1, 3]))
    #expect(!Crypto.constantTimeEqual([1], [1, 2]))
    #expect(Crypto.constantTimeEqual([], []))
    let first = try Crypto.randomBytes(32)
    let second = try Crypto.randomBytes(32)
    #expect(first.count == 32 && first != second)
    #expect(Crypto.hex([0, 0x0A, 0xFF]) == "000aff")
  }

  @Test func forms() throws {
    let pairs = [("a b", "c&d=é"), ("payload[value]", "1e+21"), ("empty", "")]
    let text = String(decoding: FormEncoding.encode(pairs), as: UTF8.self)
    #expect(text == "a+b=c%26d%3D%C3%A9&payload%5Bvalue%5D=1e%2B21&empty=")
    let bare = String(decoding: FormEncoding.encode(pairs, bareBrackets: true), as: UTF8.self)
    #expect(bare.contains("payload[value]=1e%2B21"))
    let decoded = try #require(FormEncoding.decode(Array(text.utf8)))
    #expect(decoded.map(\.0) == pairs.map(\.0) && decoded.map(\.1) == pairs.map(\.1))
    #expect(FormEncoding.decode(Array("a&b=c=d&&=e".utf8))?.map { "\($0.0)|\($0.1)" } == ["a|", "b|c=d", "|e"])
    for broken in ["a=%", "a=%4", "a=%zz", "a=%FF"] { #expect(FormEncoding.decode(Array(broken.utf8)) == nil) }
  }
}
