public import Metering

/// What a provider promises, as data (DESIGN.md: contract). All durations are milliseconds.
///
/// Adapters declare it; the delivery machine obeys it; nothing in the machine knows a provider by name.
public struct Contract: Hashable, Sendable {
  /// The largest batch that one request may carry.
  public struct BatchLimits: Hashable, Sendable {
    /// Rows in one request, at least 1.
    public var records: Int
    /// Bytes of one request's body, by the adapter's estimate; nil for no limit.
    public var bytes: Int?

    public init(records: Int, bytes: Int? = nil) {
      self.records = records
      self.bytes = bytes
    }
  }

  /// What the provider makes of a row that it receives twice.
  public enum Idempotency: Hashable, Sendable {
    /// It books it twice: a row is never sent again after an ambiguous attempt.
    case none
    /// It recognizes the row's key for this long after it first saw it; nil: for ever.
    case key(windowMilliseconds: Int64?)
    /// It recognizes the key, but not while the first request is still being worked on: a row is sent again only when
    /// the earlier attempt must have ended.
    case racyKey(windowMilliseconds: Int64?)

    /// Whether an ambiguous attempt may be repeated at all.
    public var allowsRepetition: Bool { self != .none }
    /// Whether a row in doubt is left alone until its lease, its request and a minute of ledger time have passed.
    public var needsQuarantine: Bool {
      switch self {
      case .key: false
      case .none, .racyKey: true
      }
    }
    /// How long a key is remembered; nil for ever (or for no key at all).
    public var windowMilliseconds: Int64? {
      switch self {
      case .none: nil
      case .key(let window), .racyKey(let window): window
      }
    }
  }

  /// Which timestamps the provider takes, relative to its own present.
  public struct TimestampRules: Hashable, Sendable {
    /// Rows older than this are parked as `timestamp_too_old`; nil: any age.
    public var oldestMilliseconds: Int64?
    /// Rows further ahead than this wait; nil: any.
    public var newestAheadMilliseconds: Int64?

    public init(oldestMilliseconds: Int64? = nil, newestAheadMilliseconds: Int64? = nil) {
      self.oldestMilliseconds = oldestMilliseconds
      self.newestAheadMilliseconds = newestAheadMilliseconds
    }
  }

  /// What a refused request means for the rows that its reply does not name.
  public enum PartialFailure: Hashable, Sendable {
    /// Nothing of a refused request was booked.
    case atomic
    /// Some of it may have been booked.
    case partial
  }

  /// Where one request goes, for people: `POST /v1/billing/meter_events`.
  public var endpoint: String
  /// Raised when a change of this contract alters what is billed; part of the configuration's digest.
  public var version: UInt32
  public var batch: BatchLimits
  public var idempotency: Idempotency
  public var rowRules: RowRules
  public var timestamps: TimestampRules
  public var rates: [RateLimit]
  /// Requests in flight at once, for all instances together (``RateScope/account``).
  public var concurrency: Int
  /// One request at a time for each customer and meter.
  public var isSerialPerCustomerAndMeter: Bool
  /// From the first byte to the last of one exchange.
  public var requestTimeoutMilliseconds: Int64
  /// Resolving, connecting and the TLS handshake of one exchange.
  public var connectTimeoutMilliseconds: Int64
  /// A 2xx whose body cannot be read is ambiguous; otherwise any 2xx is delivered.
  public var bodyCarriesVerdict: Bool
  public var partialFailure: PartialFailure

  public init(
    endpoint: String, version: UInt32 = 1, batch: BatchLimits, idempotency: Idempotency, rowRules: RowRules,
    timestamps: TimestampRules = TimestampRules(), rates: [RateLimit] = [], concurrency: Int,
    isSerialPerCustomerAndMeter: Bool = false, requestTimeoutMilliseconds: Int64 = 30_000,
    connectTimeoutMilliseconds: Int64 = 10_000, bodyCarriesVerdict: Bool = false,
    partialFailure: PartialFailure = .atomic
  ) {
    precondition(batch.records > 0 && concurrency > 0 && requestTimeoutMilliseconds > 0)
    precondition(connectTimeoutMilliseconds > 0 && connectTimeoutMilliseconds < DeliveryLimits.leaseMilliseconds)
    self.endpoint = endpoint
    self.version = version
    self.batch = batch
    self.idempotency = idempotency
    self.rowRules = rowRules
    self.timestamps = timestamps
    self.rates = rates
    self.concurrency = concurrency
    self.isSerialPerCustomerAndMeter = isSerialPerCustomerAndMeter
    self.requestTimeoutMilliseconds = requestTimeoutMilliseconds
    self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    self.bodyCarriesVerdict = bodyCarriesVerdict
    self.partialFailure = partialFailure
  }
}

/// Who shares a rate limit.
public enum RateScope: Hashable, Sendable {
  /// All instances together: each has the part of the partitions that it owns.
  case account
  /// Each instance by itself: it is not divided.
  case clientAddress
}

/// One rate limit: `count` in each `perMilliseconds`, with at most `burst` at once. A token bucket meets it.
public struct RateLimit: Hashable, Sendable {
  public enum Unit: Hashable, Sendable { case requests, records }

  public var unit: Unit
  /// At least 1.
  public var count: Int64
  /// At least 1.
  public var perMilliseconds: Int64
  /// The bucket's depth, at least 1.
  public var burst: Int64
  public var scope: RateScope

  public init(
    _ unit: Unit = .requests, count: Int64, perMilliseconds: Int64 = 1_000, burst: Int64? = nil,
    scope: RateScope = .account
  ) {
    precondition(count > 0 && perMilliseconds > 0)
    self.unit = unit
    self.count = count
    self.perMilliseconds = perMilliseconds
    self.burst = max(1, burst ?? count)
    self.scope = scope
  }

  /// The slower of this limit and `count` in each second.
  public func limited(toPerSecond limit: Int64) -> RateLimit {
    guard limit * perMilliseconds < count * 1_000 else { return self }
    return RateLimit(unit, count: limit, perMilliseconds: 1_000, burst: min(burst, limit), scope: scope)
  }
}
