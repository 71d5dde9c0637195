internal import CLMDB
internal import CRdkafka

/// What this binary is, and which libraries it found at run time.
enum Version {
  /// meterd's own.
  static let meterd = "0.1.0"

  /// librdkafka's, as loaded.
  static var librdkafka: String { String(cString: rd_kafka_version_str()) }

  /// LMDB's, as loaded: `0.9.24`.
  static var lmdb: String {
    var major: Int32 = 0
    var minor: Int32 = 0
    var patch: Int32 = 0
    _ = mdb_version(&major, &minor, &patch)
    return "\(major).\(minor).\(patch)"
  }

  /// What `meterd --version` prints.
  static var text: String { "meterd \(meterd)\nlibrdkafka \(librdkafka)\nLMDB \(lmdb)\n" }
}
