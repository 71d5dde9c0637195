internal import Foundation

/// What librdkafka's statistics say that operators look at (its STATISTICS.md explains every field).
///
/// Counters count since the handle was made. Durations are microseconds, as there.
public struct Statistics: Sendable, Hashable {
  /// The handle's name, such as `rdkafka#consumer-1`.
  public var client: String
  /// Seconds since the handle was made.
  public var ageSeconds: Double
  /// Records waiting in the producer's queues.
  public var queuedMessages: Int64
  /// Bytes of those.
  public var queuedBytes: Int64
  /// Events waiting for the application to poll.
  public var waitingEvents: Int64
  /// Records sent.
  public var messagesSent: Int64
  /// Records received.
  public var messagesReceived: Int64
  /// Bytes sent, all requests.
  public var bytesSent: Int64
  /// Bytes received, all responses.
  public var bytesReceived: Int64
  /// The brokers that the handle knows by id, and the bootstrap servers (whose id is −1), by name.
  public var brokers: [Broker]
  /// The partitions that it knows, in the order of topic and number.
  public var partitions: [Partition]
  /// Its consumer group; `nil` where it is in none.
  public var group: Group?

  /// One broker, as this handle sees it.
  public struct Broker: Sendable, Hashable {
    /// `host:port/id`.
    public var name: String
    /// The broker's id; −1 for a bootstrap server.
    public var id: Int32
    /// `INIT`, `DOWN`, `CONNECT`, `AUTH_REQ`, `APIVERSION_QUERY`, `UP`, `UPDATE` and others.
    public var state: String
    /// Requests sent.
    public var requests: Int64
    /// Requests that could not be sent.
    public var requestErrors: Int64
    /// Requests sent again.
    public var requestRetries: Int64
    /// Requests that were not answered in time.
    public var requestTimeouts: Int64
    /// Responses received.
    public var responses: Int64
    /// Responses that could not be read.
    public var responseErrors: Int64
    /// Connections made.
    public var connects: Int64
    /// Connections lost.
    public var disconnects: Int64
    /// From a request to its response, over the last interval; for a reader mostly fetches, their wait included.
    public var roundTrip: Window
    /// How long the broker throttled this client, over the last interval (milliseconds, as it says).
    public var throttle: Window
  }

  /// A distribution over the last statistics interval.
  public struct Window: Sendable, Hashable {
    /// The mean; 0 where there was nothing.
    public var average: Int64
    /// The 99th percentile.
    public var p99: Int64
    /// The greatest.
    public var maximum: Int64
    /// How many.
    public var count: Int64

    /// A distribution.
    public init(average: Int64, p99: Int64, maximum: Int64, count: Int64) {
      self.average = average
      self.p99 = p99
      self.maximum = maximum
      self.count = count
    }
  }

  /// One partition, as this handle sees it.
  public struct Partition: Sendable, Hashable {
    /// The topic.
    public var topic: String
    /// The number.
    public var partition: Int32
    /// The leader's id; −1 where it is unknown.
    public var leader: Int32
    /// The first retained offset; negative where it is unknown.
    public var lowOffset: Int64
    /// The high watermark; negative where it is unknown.
    public var highOffset: Int64
    /// Where the oldest open transaction begins, or the high watermark; negative where it is unknown.
    public var lastStableOffset: Int64
    /// The next offset that the application takes; negative where it has taken none.
    public var applicationOffset: Int64
    /// librdkafka's own idea of the lag, against the last stable offset; −1 where it is unknown. Exact lag comes from
    /// the watermark and the position.
    public var consumerLag: Int64
    /// Records fetched, waiting to be taken.
    public var fetchQueueMessages: Int64
    /// Bytes of those.
    public var fetchQueueBytes: Int64
    /// `none`, `stopping`, `stopped`, `offset-query`, `offset-wait`, `active`.
    public var fetchState: String
    /// Records sent to it.
    public var messagesSent: Int64
    /// Records received from it.
    public var messagesReceived: Int64
  }

  /// The handle's consumer group.
  public struct Group: Sendable, Hashable {
    /// `init`, `query-coord`, `wait-broker`, `up`, `term`.
    public var state: String
    /// `init`, `wait-join`, `wait-assign-call`, `steady` and others.
    public var joinState: String
    /// Rebalances, assignments and revocations.
    public var rebalances: Int64
    /// Milliseconds since the last one.
    public var rebalanceAgeMilliseconds: Int64
    /// Why the last one was.
    public var rebalanceReason: String
    /// Partitions fetched through the group: 0 for a `GroupMember`, which fetches none.
    public var assignmentSize: Int64
  }

  /// Reads the JSON that a `ClientObserver` is given. A field that a version of librdkafka leaves out is 0, empty, or
  /// −1 for ids and offsets.
  ///
  /// - Throws: where it is no such JSON.
  public init(json: String) throws(KafkaError) {
    let raw: RawStatistics
    do {
      raw = try JSONDecoder().decode(RawStatistics.self, from: Data(json.utf8))
    } catch {
      throw KafkaError(.invalidArgument, doing: "read librdkafka's statistics", detail: "\(error)")
    }
    self.init(raw)
  }
}
