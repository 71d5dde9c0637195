/// A sink as the status page shows it.
public struct SinkStatus: Hashable, Sendable {
  public enum Circuit: String, Hashable, Sendable { case closed, open, probing }

  public var circuit: Circuit
  /// nil until the provider has told it.
  public var account: String?
  /// Rows that wait for their turn, or for a back-off.
  public var readyRows: Int
  /// Rows with a SENDING, asked for or standing, whose attempt has no outcome yet.
  public var rowsInFlight: Int
  public var deferredRows: Int
  /// Rows whose timestamp is further ahead than the provider takes.
  public var waitingRows: Int
  /// Rows in doubt that nobody may touch yet.
  public var heldRows: Int
  public var requestsInFlight: Int
  /// When the next request is expected to start, from now; nil where nothing waits to be sent.
  public var nextSendMilliseconds: Int64?
  /// The timestamp of the oldest row without an outcome, Unix milliseconds.
  public var oldestUnsettledTimestampMilliseconds: Int64?
  /// How long permitted requests have waited for a rate limit, since the start.
  public var rateLimitWaitMilliseconds: Int64
}
