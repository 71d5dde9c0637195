public import Metering

extension CommittedHint {
  /// The text that stands beside the group's committed offset: format, incarnation in hexadecimal, and the ledger
  /// offset of the last SNAPSHOT's first chunk, or `-`.
  ///
  /// An advisory offset that names its GENESIS: after the loss of the ledger topic nobody bills everything anew.
  public var metadata: String {
    let digits = incarnation.map { byte in
      let text = String(byte, radix: 16)
      return text.utf8.count == 1 ? "0" + text : text
    }
    return "meterd1 \(digits.joined()) \(snapshotOffset.map(String.init) ?? "-")"
  }

  /// Reads a committed offset back.
  ///
  /// - Returns: nil where the text is not ours. The caller decides: an offset that somebody else committed for this
  ///   group is not evidence of a lost ledger.
  public init?(offset: Int64, metadata: String) {
    let parts = metadata.split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "meterd1", parts[1].utf8.count == 32 else { return nil }
    var bytes: [UInt8] = []
    var rest = parts[1]
    while !rest.isEmpty {
      guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    var snapshot: Int64?
    if parts[2] != "-" {
      guard let value = Int64(parts[2]), value >= 0 else { return nil }
      snapshot = value
    }
    self.init(offset: offset, incarnation: bytes, snapshotOffset: snapshot)
  }
}
