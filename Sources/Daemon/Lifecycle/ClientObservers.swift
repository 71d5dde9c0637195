internal import Kafka

/// What the daemon's Kafka clients report beside their calls: errors as log lines, statistics as metrics, each under the
/// name of what the client is for.
struct ClientObservers: Sendable {
  var log: Log
  var metrics: MeterdMetrics

  /// How often each client sends its statistics, milliseconds (`statistics.interval.ms`).
  static let statisticsMilliseconds = 5_000

  /// The observer of the clients that are for `role`; of those at most one produces and one consumes.
  func observer(_ role: String) -> ClientObserver {
    ClientObserver(
      error: { [log] error in
        if error.isFatal {
          log.emit(.kafkaFatal(client: role, code: error.name, message: error.description))
        } else {
          log.emit(.kafkaError(client: role, code: error.name, message: error.description))
        }
      },
      statistics: { [log, kafka = metrics.kafka] json in
        do throws(KafkaError) {
          kafka.update(KafkaStatisticsSample(try Statistics(json: json), role: role))
        } catch {
          log.emit(.kafkaError(client: role, code: error.name, message: error.description))
        }
      })
  }
}

extension KafkaStatisticsSample {
  /// One client's statistics. Bootstrap servers and logical brokers, whose id is below 0, are left out: each is a broker
  /// that is there under its own id as well.
  init(_ statistics: Statistics, role: String) {
    let produces = statistics.client.contains("#producer-")
    self.init(
      client: role + (produces ? "-producer" : ""),
      brokers: statistics.brokers.filter { $0.id >= 0 }.map { broker in
        Broker(
          id: String(broker.id), isUp: broker.state == "UP",
          latencyAverage: .microseconds(broker.roundTrip.average), latency99th: .microseconds(broker.roundTrip.p99),
          errors: UInt64(max(0, broker.requestErrors + broker.responseErrors)),
          requestTimeouts: UInt64(max(0, broker.requestTimeouts)), retries: UInt64(max(0, broker.requestRetries)))
      },
      rebalances: UInt64(max(0, statistics.group?.rebalances ?? 0)),
      receivedBytes: UInt64(max(0, statistics.bytesReceived)), sentBytes: UInt64(max(0, statistics.bytesSent)),
      fetchQueueRecords: statistics.partitions.reduce(0) { $0 + $1.fetchQueueMessages },
      fetchQueueBytes: statistics.partitions.reduce(0) { $0 + $1.fetchQueueBytes })
  }
}
