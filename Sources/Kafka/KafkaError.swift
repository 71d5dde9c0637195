internal import CRdkafka

/// What went wrong in librdkafka or at the broker: what was being done, where, and why.
public struct KafkaError: Error, Hashable, Sendable, CustomStringConvertible {
  /// librdkafka's error code. Open: a newer library or broker may give others than those named here.
  public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The value of `rd_kafka_resp_err_t`: negative for the library's own, positive for the protocol's, 0 for none.
    public let rawValue: Int32
    /// Any value is a code.
    @inlinable public init(rawValue: Int32) { self.rawValue = rawValue }
  }

  /// The code.
  public let code: Code
  /// What was tried, on what, and what the library or the broker says about it.
  public let message: String
  /// The handle can no longer be used: it has to be closed and made anew.
  public let isFatal: Bool
  /// The same call may succeed when it is repeated later.
  public let isRetriable: Bool
  /// The broker has said no, and will say it again: rights, sizes, topics. What was not sent in time is no refusal.
  public var isRefusal: Bool { code.isRefusal }
  /// The configuration property that is to blame, where there is one.
  public let property: String?

  /// "UNKNOWN_TOPIC_OR_PART: metadata of topic usage: Broker: Unknown topic or partition".
  public var description: String { "\(code.name): \(message)" }
  /// The code's symbol as in librdkafka's header, without `RD_KAFKA_RESP_ERR_`.
  public var name: String { code.name }

  /// An error of `doing`; `detail` replaces the library's text for the code.
  public init(
    _ code: Code, doing: String, detail: String? = nil, isFatal: Bool = false, isRetriable: Bool? = nil,
    property: String? = nil
  ) {
    self.code = code
    self.message = "\(doing): \(detail ?? code.text)"
    self.isFatal = isFatal
    self.isRetriable = isRetriable ?? code.isUsuallyRetriable
    self.property = property
  }

  init(_ raw: rd_kafka_resp_err_t, doing: String, detail: String? = nil) {
    self.init(Code(rawValue: raw.rawValue), doing: doing, detail: detail)
  }

  /// Takes over and frees an error object.
  init(consuming error: OpaquePointer, doing: String) {
    defer { rd_kafka_error_destroy(error) }
    let code = Code(rawValue: rd_kafka_error_code(error).rawValue)
    self.init(
      code, doing: doing, detail: rd_kafka_error_string(error).map { String(cString: $0) },
      isFatal: rd_kafka_error_is_fatal(error) != 0,
      // Only the transactional calls set librdkafka's own flag.
      isRetriable: rd_kafka_error_is_retriable(error) != 0 || code.isUsuallyRetriable)
  }

  /// Throws unless `raw` says that all is well.
  static func check(_ raw: rd_kafka_resp_err_t, doing: @autoclosure () -> String) throws(KafkaError) {
    if raw != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(raw, doing: doing()) }
  }
}

extension KafkaError.Code {
  /// The code's symbol as in librdkafka's header, without `RD_KAFKA_RESP_ERR_`.
  public var name: String {
    guard let name = rd_kafka_err2name(raw) else { return "ERR_\(rawValue)" }
    return String(cString: name)
  }
  /// The library's text for it.
  public var text: String {
    guard let text = rd_kafka_err2str(raw) else { return "error \(rawValue)" }
    return String(cString: text)
  }
  /// The same as `name`.
  public var description: String { name }

  var isRefusal: Bool {
    [
      .topicAuthorizationFailed, .clusterAuthorizationFailed, .groupAuthorizationFailed, .authentication,
      .saslAuthenticationFailed, .messageTooLarge, .invalidTimestamp, .invalidConfiguration, .unknownTopic,
      .unknownPartition, .unknownTopicOrPartition,
    ].contains(self)
  }

  var raw: rd_kafka_resp_err_t { rd_kafka_resp_err_t(rawValue) }

  /// Codes that pass by themselves: connections, elections, coordinators on the move.
  var isUsuallyRetriable: Bool {
    switch self {
    case .timedOut, .transport, .allBrokersDown, .queueFull, .leaderNotAvailable, .notLeader, .requestTimedOut,
      .networkException, .coordinatorLoading, .coordinatorNotAvailable, .notCoordinator, .notEnoughReplicas,
      .notEnoughReplicasAfterAppend, .rebalanceInProgress, .waitingForCoordinator, .kafkaStorageError,
      .unstableOffsetCommit:
      true
    default: false
    }
  }

  /// No error.
  public static let none = Self(rawValue: 0)
  // The library's own.
  public static let invalidArgument = Self(rawValue: -186)
  public static let timedOut = Self(rawValue: -185)
  public static let queueFull = Self(rawValue: -184)
  public static let resolve = Self(rawValue: -193)
  public static let transport = Self(rawValue: -195)
  public static let allBrokersDown = Self(rawValue: -187)
  public static let partitionEOF = Self(rawValue: -191)
  public static let unknownPartition = Self(rawValue: -190)
  public static let unknownTopic = Self(rawValue: -188)
  public static let waitingForCoordinator = Self(rawValue: -180)
  public static let wrongState = Self(rawValue: -172)
  public static let authentication = Self(rawValue: -169)
  public static let noOffset = Self(rawValue: -168)
  public static let messageTimedOut = Self(rawValue: -192)
  public static let autoOffsetReset = Self(rawValue: -140)
  public static let purgedFromQueue = Self(rawValue: -152)
  public static let purgedInFlight = Self(rawValue: -151)
  public static let fatal = Self(rawValue: -150)
  public static let gaplessGuarantee = Self(rawValue: -148)
  public static let maxPollExceeded = Self(rawValue: -147)
  public static let unsupportedFeature = Self(rawValue: -165)
  public static let ssl = Self(rawValue: -181)
  public static let destroyed = Self(rawValue: -197)
  // The protocol's.
  public static let offsetOutOfRange = Self(rawValue: 1)
  public static let unknownTopicOrPartition = Self(rawValue: 3)
  public static let leaderNotAvailable = Self(rawValue: 5)
  public static let notLeader = Self(rawValue: 6)
  public static let requestTimedOut = Self(rawValue: 7)
  public static let messageTooLarge = Self(rawValue: 10)
  public static let networkException = Self(rawValue: 13)
  public static let coordinatorLoading = Self(rawValue: 14)
  public static let coordinatorNotAvailable = Self(rawValue: 15)
  public static let notCoordinator = Self(rawValue: 16)
  public static let notEnoughReplicas = Self(rawValue: 19)
  public static let notEnoughReplicasAfterAppend = Self(rawValue: 20)
  public static let illegalGeneration = Self(rawValue: 22)
  public static let unknownMember = Self(rawValue: 25)
  public static let rebalanceInProgress = Self(rawValue: 27)
  public static let topicAuthorizationFailed = Self(rawValue: 29)
  public static let groupAuthorizationFailed = Self(rawValue: 30)
  public static let clusterAuthorizationFailed = Self(rawValue: 31)
  public static let invalidTimestamp = Self(rawValue: 32)
  public static let topicAlreadyExists = Self(rawValue: 36)
  public static let invalidReplicationFactor = Self(rawValue: 38)
  public static let invalidConfiguration = Self(rawValue: 40)
  public static let kafkaStorageError = Self(rawValue: 56)
  public static let saslAuthenticationFailed = Self(rawValue: 58)
  public static let fencedInstanceID = Self(rawValue: 82)
  public static let unstableOffsetCommit = Self(rawValue: 88)
}
