internal import Daemon
internal import Kafka

/// What ends a command other than well: what the process exits with, and what it says.
struct CommandFailure: Error, CustomStringConvertible {
  var exitCode: ExitCode
  var description: String

  init(_ exitCode: ExitCode, _ description: String) {
    self.exitCode = exitCode
    self.description = description
  }

  init(_ error: StartError) {
    self.init(ExitCode(rawValue: error.exitCode.rawValue) ?? .internal, error.description)
  }

  /// What an error of a room below means for the command line.
  init(_ error: any Error) {
    switch error {
    case let failure as CommandFailure: self = failure
    case let error as StartError: self.init(error)
    case let error as KafkaError:
      switch error.code {
      case .authentication, .saslAuthenticationFailed, .topicAuthorizationFailed, .groupAuthorizationFailed,
        .clusterAuthorizationFailed, .unknownTopicOrPartition, .unknownTopic, .unknownPartition, .invalidArgument:
        self.init(.configuration, error.description)
      default: self.init(.unavailable, error.description)
      }
    default: self.init(.internal, "\(error)")
    }
  }
}
