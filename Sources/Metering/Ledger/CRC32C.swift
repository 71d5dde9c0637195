/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), eight bytes at a time.
package enum CRC32C {
  /// Eight tables of 256: table k advances a byte that stands k bytes before the end of the step.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for index in 0..<256 {
      var value = UInt32(index)
      for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0x82F6_3B78 : value >> 1 }
      tables[index] = value
    }
    for table in 1..<8 {
      for index in 0..<256 {
        let previous = tables[(table - 1) * 256 + index]
        tables[table * 256 + index] = (previous >> 8) ^ tables[Int(previous & 0xff)]
      }
    }
    return tables
  }()

  /// The checksum of the first `count` bytes (all of them by default).
  package static func checksum(_ bytes: [UInt8], count: Int? = nil) -> UInt32 {
    let count = count ?? bytes.count
    // Unsafe for speed only: both buffers are this function's own for the length of the closures.
    return tables.withUnsafeBufferPointer { table in
      bytes.withUnsafeBytes { buffer in
        var crc = ~UInt32(0)
        var index = 0
        while index + 8 <= count {
          let word = UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ UInt64(crc)
          crc =
            table[7 * 256 + Int(word & 0xff)] ^ table[6 * 256 + Int(word >> 8 & 0xff)]
            ^ table[5 * 256 + Int(word >> 16 & 0xff)] ^ table[4 * 256 + Int(word >> 24 & 0xff)]
            ^ table[3 * 256 + Int(word >> 32 & 0xff)] ^ table[2 * 256 + Int(word >> 40 & 0xff)]
            ^ table[256 + Int(word >> 48 & 0xff)] ^ table[Int(word >> 56)]
          index += 8
        }
        while index < count {
          crc = (crc >> 8) ^ table[Int((crc ^ UInt32(buffer[index])) & 0xff)]
          index += 1
        }
        return ~crc
      }
    }
  }
}
