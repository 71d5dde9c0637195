internal import Billing
internal import Metering

/// Makes log lines and metrics of what a sink does.
struct SinkTelling: Sendable {
  var name: String
  var log: Log
  var metrics: SinkMetrics

  func tell(_ event: SinkEvent) {
    switch event {
    case .circuitOpened(let reason, let until):
      let wait = Double(max(0, until - Clock.elapsedMilliseconds())) / 1_000
      log.emit(.circuitOpened(sink: name, why: reason, retrySeconds: wait))
    case .circuitClosed(let milliseconds):
      log.emit(.circuitClosed(sink: name, openSeconds: Double(milliseconds) / 1_000))
    case .circuitProbing, .rowsVoided, .batchSplit: log.emit(.sinkDetail(name, "\(event)"))
    case .rateLimited(let until):
      log.emit(.sinkRateLimited(name, seconds: Double(max(0, until - Clock.elapsedMilliseconds())) / 1_000))
    case .unauthorized(let code): log.emit(.sinkUnauthorized(name, code: code))
    case .requestFinished(let status, let milliseconds, _):
      metrics.requests(Self.status(status)).add(1)
      metrics.requestDurationSeconds.observe(Double(milliseconds) / 1_000)
    case .rowsSettled(_, let outcome, let count):
      switch outcome {
      case .delivered: metrics.rowsDelivered.add(UInt64(count))
      case .alreadyDelivered: metrics.rowsAlreadyDelivered.add(UInt64(count))
      case .rejected: metrics.rowsRejected.add(UInt64(count))
      case .uncertain: metrics.rowsUncertainTotal.add(UInt64(count))
      }
    case .rowRejected(let partition, let row, let code, let detail):
      log.emit(.rowParked(sink: name, partition: partition, row: Self.name(row), reason: code, detail: detail))
    case .rowUncertain(let partition, let row, let code):
      log.emit(.rowUncertain(sink: name, partition: partition, row: Self.name(row), why: code))
    case .foreignDuplicate(let partition, let row):
      log.emit(
        .rowParked(sink: name, partition: partition, row: Self.name(row), reason: "foreign_duplicate", detail: ""))
    case .rowParked(let partition, let row, let reason, let detail):
      log.emit(.rowParked(sink: name, partition: partition, row: Self.name(row), reason: reason, detail: detail))
    case .rowDeferred(let partition, let row, let failures, let code):
      log.emit(.rowDeferred(name, partition: partition, row: Self.name(row), failures: failures, code: code))
    case .accountChanged(let from, let to): log.emit(.sinkAccountChanged(name, from: from, to: to))
    case .accountUnknown(let why): log.emit(.sinkAccountUnknown(name, why: why))
    case .requestFailed(let code, let detail): log.emit(.sinkRequestFailed(name, code: code, detail: detail))
    }
  }

  private static func name(_ row: RowReference) -> String { "\(row.claim).\(row.row)" }

  private static func status(_ text: String) -> SinkStatusLabels.Status {
    if let code = Int(text) { return SinkStatusLabels.Status(httpStatus: code) }
    switch text {
    case "2xx": return .success
    case "3xx": return .redirect
    case "4xx": return .clientError
    case "5xx": return .serverError
    case "timeout": return .timeout
    // To the one who sends, a connection that was closed before the reply and one that was reset are the same.
    case "reset", "closed": return .reset
    case "connect": return .refused
    case "dns": return .unresolved
    case "tls": return .tls
    case "malformed_reply": return .garbage
    default: return .other
    }
  }
}

extension LogEvent {
  static func sinkDetail(_ sink: String, _ what: String) -> LogEvent {
    LogEvent("sink.detail", .debug, what, [("sink", .string(sink))])
  }
  static func sinkRateLimited(_ sink: String, seconds: Double) -> LogEvent {
    LogEvent(
      "sink.rate_limited", .info, "the provider asks for a pause",
      [("sink", .string(sink)), ("seconds", .number(seconds))], story: sink)
  }
  static func sinkUnauthorized(_ sink: String, code: String) -> LogEvent {
    LogEvent(
      "sink.unauthorized", .error,
      "the provider refuses the credentials (\(code)): put right the sink's key and restart",
      [("sink", .string(sink)), ("code", .string(code))], story: "\(sink) \(code)")
  }
  static func rowDeferred(_ sink: String, partition: Int32, row: String, failures: Int, code: String) -> LogEvent {
    LogEvent(
      "sink.row_deferred", .warning, "a row keeps failing; it is tried again apart from the others: \(code)",
      [
        ("sink", .string(sink)), ("partition", .integer(Int64(partition))), ("row", .string(row)),
        ("failures", .integer(Int64(failures))),
      ], story: "\(sink) \(partition) \(code)")
  }
  static func sinkAccountChanged(_ sink: String, from: String, to: String) -> LogEvent {
    LogEvent(
      "sink.account_changed", .warning, "the credentials belong to another account: rows in doubt become uncertain",
      [("sink", .string(sink)), ("from", .string(from)), ("to", .string(to))])
  }
  static func sinkAccountUnknown(_ sink: String, why: String) -> LogEvent {
    LogEvent(
      "sink.account_unknown", .warning, "the account cannot be learned, and nothing is sent until it can: \(why)",
      [("sink", .string(sink))])
  }
  static func sinkRequestFailed(_ sink: String, code: String, detail: String) -> LogEvent {
    LogEvent(
      "sink.request_failed", .info, "a request had no reply: \(detail)",
      [("sink", .string(sink)), ("code", .string(code))], story: "\(sink) \(code)")
  }
}
