internal import Kafka
internal import LMDB

/// What this binary is, and which libraries it found at run time.
enum Version {
  /// meterd's own.
  static let meterd = "0.1.0"

  /// librdkafka's, as loaded.
  static var librdkafka: String { "\(KafkaVersion.current)" }

  /// LMDB's, as loaded.
  static var lmdb: String { lmdbVersion }

  /// What `meterd --version` prints.
  static var text: String { "meterd \(meterd)\nlibrdkafka \(librdkafka)\nLMDB \(lmdb)\n" }
}
