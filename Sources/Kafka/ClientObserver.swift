/// A line of librdkafka's own log.
public struct LogLine: Sendable, Hashable {
  /// syslog's level: 0 emergency … 3 error, 4 warning, 6 info, 7 debug.
  public var level: Int32
  /// Which part of the library speaks, such as `FAIL` or `GETSUBSCRIPTIONS`.
  public var facility: String
  /// The text; it starts with the client's name.
  public var message: String

  /// A line.
  public init(level: Int32, facility: String, message: String) {
    self.level = level
    self.facility = facility
    self.message = message
  }
}

/// Where a client handle reports what happens to it besides its calls.
///
/// `log` is called by any of librdkafka's threads, the others by the handle's poll thread. None may call the handle's
/// `close`, or block for long.
public struct ClientObserver: Sendable {
  /// Takes librdkafka's log lines; without one they are dropped (every error also comes through `error`).
  public var log: (@Sendable (LogLine) -> Void)?
  /// Takes errors that belong to no call: a broker is down, credentials are refused, the handle is fatally broken.
  public var error: (@Sendable (KafkaError) -> Void)?
  /// Takes librdkafka's statistics (JSON; `Statistics.init(json:)` reads it), every `statistics.interval.ms`.
  public var statistics: (@Sendable (String) -> Void)?

  /// An observer; what is left out is dropped.
  public init(
    log: (@Sendable (LogLine) -> Void)? = nil, error: (@Sendable (KafkaError) -> Void)? = nil,
    statistics: (@Sendable (String) -> Void)? = nil
  ) {
    self.log = log
    self.error = error
    self.statistics = statistics
  }
}
