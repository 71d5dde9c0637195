internal import CRdkafka

/// librdkafka configuration properties by name, as its CONFIGURATION.md lists them.
public struct ClientProperties: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  /// Name → value.
  public private(set) var values: [String: String]

  /// Properties from a dictionary.
  public init(_ values: [String: String] = [:]) { self.values = values }
  /// The same; a name that is given twice has its last value.
  public init(dictionaryLiteral elements: (String, String)...) {
    values = Dictionary(elements, uniquingKeysWith: { $1 })
  }

  /// The value of one property, `nil` where librdkafka's default holds.
  public subscript(name: String) -> String? {
    get { values[name] }
    set { values[name] = newValue }
  }

  /// These properties, with those of `other` where both have one.
  public func overridden(by other: ClientProperties) -> ClientProperties {
    ClientProperties(values.merging(other.values) { $1 })
  }

  /// Checks names and values against the loaded librdkafka, without connecting.
  ///
  /// - Throws: an error whose `property` names the one that is to blame.
  public func validate() throws(KafkaError) { rd_kafka_conf_destroy(try makeConfiguration()) }

  /// Properties that only newer versions know, and that are left out where the loaded one does not.
  static let optionalNames: Set<String> = ["fetch.queue.backoff.ms"]

  /// A librdkafka configuration object; the caller owns it until `rd_kafka_new` takes it.
  func makeConfiguration() throws(KafkaError) -> OpaquePointer {
    guard let configuration = rd_kafka_conf_new() else {
      throw KafkaError(.invalidArgument, doing: "make a configuration", detail: "out of memory")
    }
    for (name, value) in values.sorted(by: { $0.key < $1.key }) {
      var text = [CChar](repeating: 0, count: 512)
      let result = rd_kafka_conf_set(configuration, name, value, &text, text.count)
      if result == RD_KAFKA_CONF_OK { continue }
      if result == RD_KAFKA_CONF_UNKNOWN && Self.optionalNames.contains(name) { continue }
      rd_kafka_conf_destroy(configuration)
      let detail =
        if result == RD_KAFKA_CONF_UNKNOWN {
          "librdkafka \(KafkaVersion.current) knows no such property"
        } else if Self.isSecret(name) {
          "the value is not valid (it is a secret, and not shown)"
        } else {
          string(text)
        }
      throw KafkaError(.invalidArgument, doing: "set property \(name)", detail: detail, property: name)
    }
    return configuration
  }

  /// Whether a property's value must not appear in logs and errors.
  public static func isSecret(_ name: String) -> Bool {
    ["password", "secret", ".pem", "jaas", "oauthbearer.config"].contains { name.contains($0) }
  }
}

extension String {
  /// Whether this contains `part`; a plain search, so that this file needs no Foundation.
  fileprivate func contains(_ part: String) -> Bool {
    let text = Array(utf8)
    let wanted = Array(part.utf8)
    guard text.count >= wanted.count else { return false }
    return (0...(text.count - wanted.count)).contains { text[$0..<($0 + wanted.count)].elementsEqual(wanted) }
  }
}

/// A C string in an array of characters, up to its terminating zero.
func string(_ characters: [CChar]) -> String {
  String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
