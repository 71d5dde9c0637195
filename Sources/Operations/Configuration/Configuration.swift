public import Daemon

/// meterd's configuration: every key of the file, in the types of its meaning. It is made by ``ConfigurationFile``.
public struct Configuration: Sendable, Hashable {
  public var version: Int64
  public var kafka: Kafka
  public var storage: Storage
  public var events: Events
  public var dedup: Dedup
  public var flush: Flush
  /// In the file's order.
  public var features: [Feature]
  public var ledger: Ledger
  public var http: HTTP
  /// In the file's order; names are unique.
  public var sinks: [Sink]
  public var log: Logging

  public struct Kafka: Sendable, Hashable {
    /// `host:port` pairs, or ``isEmbedded``.
    public var bootstrapServers: String
    public var topic: String
    public var group: String
    /// `nil`: one for every two cores, at most one a partition.
    public var consumers: Int?
    public var start: Start
    public var startTimeout: Duration
    /// In the file's order.
    public var properties: [Property]

    /// The mock cluster in this process.
    public var isEmbedded: Bool { bootstrapServers == "embedded" }
    /// `<group>.ledger`.
    public var ledgerTopic: String { "\(group).ledger" }
    /// `<group>.quarantine`.
    public var quarantineTopic: String { "\(group).quarantine" }
  }

  /// Where a partition without a ledger starts.
  public enum Start: Sendable, Hashable {
    case earliest
    case latest
    case instant(unixMilliseconds: Int64)
  }

  /// One librdkafka property.
  public struct Property: Sendable, Hashable {
    public enum Value: Sendable, Hashable {
      case plain(String)
      case secret(Secret)
    }
    public var name: String
    public var value: Value

    public init(name: String, value: Value) {
      self.name = name
      self.value = value
    }

    /// The value in the clear, for librdkafka alone.
    public func reveal() -> String {
      switch value {
      case .plain(let text): text
      case .secret(let secret): secret.reveal()
      }
    }
  }

  public struct Storage: Sendable, Hashable {
    public var path: String
  }

  public struct Events: Sendable, Hashable {
    public enum MissingKey: String, Sendable { case quarantine, offset }
    public enum UnknownFeature: String, Sendable { case count, quarantine }
    public enum KeyCheck: String, Sendable { case off, warn, strict }

    /// Replacements of the alias table; `nil` keeps it.
    public struct Fields: Sendable, Hashable {
      public var key: [String]?
      public var source: [String]?
      public var customer: [String]?
      public var feature: [String]?
      public var quantity: [String]?
      public var time: [String]?
      public var dimensions: [String]?

      /// No replacement at all.
      public init() {}
    }

    public var maxAge: Duration
    public var maxAhead: Duration
    public var missingKey: MissingKey
    public var unknownFeature: UnknownFeature
    public var keyCheck: KeyCheck
    public var fields: Fields
  }

  public struct Dedup: Sendable, Hashable {
    public var window: Duration
    public var maxMemoryBytes: Int64
    public var allowPartialRebuild: Bool
  }

  public struct Flush: Sendable, Hashable {
    public var interval: Duration
    public var timeSlot: Duration
    public var maxRows: Int
  }

  public struct Feature: Sendable, Hashable {
    public enum Aggregate: String, Sendable { case sum, count }
    public var name: String
    public var aggregate: Aggregate
    public var dimensions: [String]
    public var allowNegative: Bool
  }

  public struct Ledger: Sendable, Hashable {
    public var keep: Duration
  }

  public struct HTTP: Sendable, Hashable {
    public var listen: String
  }

  public struct Logging: Sendable, Hashable {
    public var level: LogLevel
    public var format: Log.Format
  }

  /// Every credential in it, for the log to hide.
  public var secrets: [Secret] {
    kafka.properties.compactMap { property in
      if case .secret(let secret) = property.value { return secret }
      return nil
    } + sinks.compactMap(\.secret)
  }
}

extension Configuration {
  /// One configured billing provider account.
  public struct Sink: Sendable, Hashable {
    /// Part of every idempotency key: `[a-z0-9][a-z0-9_-]{0,39}`.
    public var name: String
    public var target: Target
    /// `nil`: the contract's.
    public var requestsPerSecond: Int64?
    /// Names at the provider of the features listed.
    public var features: [FeatureName]
    public var otherFeatures: OtherFeatures
    public var customers: Customers
    /// As configured; the provider's own answer goes before it.
    public var account: String?
    public var fromCut: FromCut
    public var isRetired: Bool

    /// A provider and what only it needs.
    public enum Target: Sendable, Hashable {
      case stripe(secretKey: Secret, baseURL: String)
      /// `idempotencyWindow` is `nil` where the receiver keeps no keys: each row is sent once.
      case webhook(url: String, secret: Secret, idempotencyWindow: Duration?)
      case log
    }

    public enum OtherFeatures: String, Sendable {
      case sameName = "same_name"
      case skip
    }

    public enum Customers: Sendable, Hashable {
      case identity
      case map(file: String)
      /// Holds `{customer}` exactly once.
      case template(String)
    }

    public enum FromCut: Sendable, Hashable {
      case present
      case earliest
      case instant(unixMilliseconds: Int64)
    }

    public struct FeatureName: Sendable, Hashable {
      public var feature: String
      public var eventName: String
    }

    public var provider: SinkProvider {
      switch target {
      case .stripe: .stripe
      case .webhook: .webhook
      case .log: .log
      }
    }

    /// Its credential, where it has one.
    public var secret: Secret? {
      switch target {
      case .stripe(let secretKey, _): secretKey
      case .webhook(_, let secret, _): secret
      case .log: nil
      }
    }

    /// The feature's name at the provider, or `nil` where the sink does not take it.
    public func eventName(of feature: String) -> String? {
      if let listed = features.first(where: { $0.feature == feature }) { return listed.eventName }
      return otherFeatures == .sameName ? feature : nil
    }
  }
}
