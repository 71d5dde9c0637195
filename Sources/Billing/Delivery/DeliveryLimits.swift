/// The fixed limits of delivery, in one table. Durations are milliseconds.
public enum DeliveryLimits {
  /// How long a SENDING permits its rows to be sent, counted from before its own append. No byte starts after it.
  public static let leaseMilliseconds: Int64 = 60_000
  /// What is added to lease and request time-out before a row in doubt of a sink that is not idempotent is touched.
  public static let leaseMarginMilliseconds: Int64 = 60_000
  /// A SENDING covers at most what is sent in so long.
  public static let planMilliseconds: Int64 = 1_000
  /// A SENDING that has not been read back after so long no longer holds up the planning of other partitions.
  public static let slowAppendMilliseconds: Int64 = 5_000
  /// Rows in one SENDING, so that its record stays far below Kafka's limit of 1 MB.
  public static let sendingRows = 20_000
  /// So many rows that come together are sorted once; fewer go through a heap.
  static let sortedRows = 64
  /// Rows in one DONE.
  public static let doneRows = 1_000
  /// How long an outcome may wait for others to share its DONE.
  public static let doneDelayMilliseconds: Int64 = 100
  /// A row that failed transiently so often is deferred …
  public static let failuresUntilDeferred = 5
  /// … or for so long.
  public static let failingUntilDeferredMilliseconds: Int64 = 600_000
  /// Deferred rows of one sink and partition; with so many its claims wait.
  public static let deferredRows = 10_000
  /// Failed requests of different first rows in a row that open the circuit.
  public static let failuresUntilOpen = 3
  /// How long a sink that is not idempotent is left alone after a probe of unknown outcome, which costs a row.
  public static let riskMilliseconds: Int64 = 3_600_000
  /// The least that is kept from a provider's idempotency window beside the request time-out.
  public static let windowMarginMilliseconds: Int64 = 300_000
}
