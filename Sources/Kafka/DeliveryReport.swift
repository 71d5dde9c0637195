internal import CRdkafka

/// What became of one record that was handed to a producer.
public struct DeliveryReport: Sendable, Hashable {
  /// The answer to the question that decides whether it may be sent again.
  public enum Outcome: Sendable, Hashable {
    /// It is in the log, acknowledged by all in-sync replicas, at this offset. (`nil` where the broker's answer to a
    /// repeated request does not say.)
    case delivered(offset: Int64?)
    /// It is proven not to be in the log, and never will be.
    case notSent
    /// It may be in the log, now or later, or may not.
    case unknown
  }

  /// The token given to `produce`.
  public var token: UInt64
  /// The partition it was for; −1 where none had been chosen.
  public var partition: Int32
  /// What became of it.
  public var outcome: Outcome
  /// Why it was not delivered; `nil` where it was.
  public var error: KafkaError?

  /// A report.
  public init(token: UInt64, partition: Int32, outcome: Outcome, error: KafkaError?) {
    self.token = token
    self.partition = partition
    self.outcome = outcome
    self.error = error
  }
}

extension DeliveryReport {
  init(_ message: UnsafePointer<rd_kafka_message_t>) {
    token = UInt64(UInt(bitPattern: message.pointee._private))
    partition = message.pointee.partition
    guard message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR else {
      let offset = message.pointee.offset
      outcome = .delivered(offset: offset >= 0 ? offset : nil)
      return
    }
    let topic = message.pointee.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) } ?? "?"
    let code = KafkaError.Code(rawValue: message.pointee.err.rawValue)
    error = KafkaError(code, doing: "append to \(topic)[\(partition)]", isFatal: code == .fatal)
    outcome =
      switch rd_kafka_message_status(message) {
      case RD_KAFKA_MSG_STATUS_NOT_PERSISTED: .notSent
      // An error, and persisted: a later request failed after an earlier one was seen to have worked.
      case RD_KAFKA_MSG_STATUS_PERSISTED: .delivered(offset: nil)
      default: .unknown
      }
    if case .delivered = outcome { error = nil }
  }
}
