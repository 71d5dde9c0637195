internal import CCrypto

/// What signing and identifiers need from libcrypto.
public enum Crypto {
  /// The operating system's random source did not deliver: nothing that needs secrecy can go on.
  public struct RandomSourceFailed: Error, CustomStringConvertible {
    public var description: String { "libcrypto could not provide random bytes (code \(code))" }
    public let code: UInt
  }

  /// SHA-256 (FIPS 180-4): 32 bytes.
  public static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    // One-shot hashing of memory has no failure that the caller could meet.
    precondition(SHA256(bytes, bytes.count, &digest) != nil, "SHA-256 is part of every libcrypto")
    return digest
  }

  /// HMAC-SHA-256 (RFC 2104): 32 bytes. Any key length is fine, an empty one too.
  public static func hmacSHA256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    var code = [UInt8](repeating: 0, count: 32)
    var length: UInt32 = 0
    // libcrypto takes a null key as "the key of before": an empty key needs an address.
    let keyBytes = key.isEmpty ? [0] : key
    let result = HMAC(EVP_sha256(), keyBytes, Int32(key.count), message, message.count, &code, &length)
    precondition(result != nil && length == 32, "HMAC-SHA-256 is part of every libcrypto")
    return code
  }

  /// Random bytes from the operating system, fit for keys and nonces.
  public static func randomBytes(_ count: Int) throws(RandomSourceFailed) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard RAND_bytes(&bytes, Int32(count)) == 1 else { throw RandomSourceFailed(code: UInt(ERR_get_error())) }
    return bytes
  }

  /// Compares in a time that depends on the lengths only.
  public static func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
  }

  /// Lower-case hexadecimal.
  public static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
      for (index, byte) in bytes.enumerated() {
        buffer[index * 2] = digits[Int(byte >> 4)]
        buffer[index * 2 + 1] = digits[Int(byte & 15)]
      }
      return bytes.count * 2
    }
  }
}
