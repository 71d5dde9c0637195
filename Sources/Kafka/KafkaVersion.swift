internal import CRdkafka

/// The version of the librdkafka that is loaded, which may differ from the one that was compiled against.
public struct KafkaVersion: Comparable, Sendable, CustomStringConvertible {
  /// librdkafka's own encoding, `0xMMmmrrpp`: major, minor, revision, pre-release (0xff is final).
  public let number: UInt32

  /// The version that the process runs with.
  public static var current: KafkaVersion { KafkaVersion(number: UInt32(bitPattern: rd_kafka_version())) }

  /// A final release, to compare with: `KafkaVersion(2, 6, 1) <= .current`.
  public init(_ major: UInt8, _ minor: UInt8, _ revision: UInt8) {
    number = UInt32(major) << 24 | UInt32(minor) << 16 | UInt32(revision) << 8 | 0xff
  }

  init(number: UInt32) { self.number = number }

  /// "2.0.2", followed by the pre-release's number where it is one.
  public var description: String {
    let release = "\(number >> 24).\(number >> 16 & 0xff).\(number >> 8 & 0xff)"
    return number & 0xff == 0xff ? release : "\(release)-pre\(number & 0xff)"
  }

  /// Older is less.
  public static func < (left: KafkaVersion, right: KafkaVersion) -> Bool { left.number < right.number }
}
