public import Metering

/// A record that the partition appends for the sink, in the order asked for.
public enum SinkAppend: Hashable, Sendable {
  /// To be answered by `sendingStands` or `sendingVoid`.
  case sending(SendingToken, Sending)
  case unsent(Unsent)
  case done(Done)
  case park(Park)
}

/// What the sink's shell has to do.
public enum SinkAction: Sendable {
  case append(Int32, SinkAppend)
  /// Send this. Nothing of it may be written after `notAfter` (elapsed milliseconds): check the clock once more right
  /// before handing it over, and report `.notSent` where it is too late.
  case send(
    RequestID, ProviderRequest, timeoutMilliseconds: Int64, connectTimeoutMilliseconds: Int64,
    notAfter: Int64)
  /// Whether the sink takes a further claim of this partition. Told on each change; before the first: no.
  case readyForClaim(Int32, Bool)
  /// A draining partition has nothing in flight and has said all that it knows.
  case drained(Int32)
  /// Call with `.tick` at this elapsed time. Replaces the one before; nil: nothing to wake for.
  case wakeAt(Int64?)
  case event(SinkEvent)
}

/// What happened, for logs and metrics. Codes are bounded.
public enum SinkEvent: Hashable, Sendable {
  case circuitOpened(reason: String, untilElapsed: Int64)
  case circuitProbing(Int32, RowReference)
  case circuitClosed(openMilliseconds: Int64)
  /// The provider asked for a pause of the whole sink.
  case rateLimited(untilElapsed: Int64)
  case unauthorized(code: String)
  case requestFinished(status: String, milliseconds: Int64, rows: Int)
  case rowsSettled(Int32, RowOutcome, count: Int)
  case rowRejected(Int32, RowReference, code: String, detail: String)
  case rowUncertain(Int32, RowReference, code: String)
  /// Alarm: the provider knew a key that we never got through with.
  case foreignDuplicate(Int32, RowReference)
  case rowParked(Int32, RowReference, reason: String, detail: String)
  case rowDeferred(Int32, RowReference, failures: Int, code: String)
  /// A refused batch is tried in halves.
  case batchSplit(Int32, rows: Int, code: String)
  /// Granted rows were not sent in time or because the circuit opened: they go back without an attempt.
  case rowsVoided(Int32, count: Int, reason: String)
  case accountChanged(from: String, to: String)
  /// The shell could not learn the account; nothing is sent until it can. It asks again.
  case accountUnknown(String)
  /// The transport's own words about a request without a reply.
  case requestFailed(code: String, detail: String)
}
