import Foundation
import Kafka
import Testing

@Suite struct ValueTests {
  @Test func versions() {
    #expect(KafkaVersion(2, 0, 2) < KafkaVersion(2, 6, 1))
    #expect(KafkaVersion(2, 0, 2) > KafkaVersion(1, 9, 9))
    #expect(KafkaVersion(2, 0, 2).description == "2.0.2")
    #expect(KafkaVersion.current >= KafkaVersion(2, 0, 2))
  }

  @Test func errorsSayWhatAndWhere() {
    let error = KafkaError(.unknownTopicOrPartition, doing: "read usage[3]")
    #expect(error.description == "UNKNOWN_TOPIC_OR_PART: read usage[3]: Broker: Unknown topic or partition")
    #expect(!error.isRetriable && !error.isFatal)
    #expect(KafkaError(.notLeader, doing: "x").isRetriable)
    #expect(KafkaError.Code(rawValue: 12345).description.contains("12345"))
  }

  @Test func propertiesAreCheckedByName() {
    let unknown = #expect(throws: KafkaError.self) { try ClientProperties(["no.such": "1"]).validate() }
    #expect(unknown?.property == "no.such")
    let invalid = #expect(throws: KafkaError.self) { try ReaderHandle(properties: ["fetch.wait.max.ms": "-5"]) }
    #expect(invalid?.property == "fetch.wait.max.ms")
    #expect(invalid?.message.contains("-5") == true)
    let secret = #expect(throws: KafkaError.self) { try ClientProperties(["no.secret": "hunter2"]).validate() }
    #expect(secret?.description.contains("hunter2") == false)
    #expect(ClientProperties.isSecret("sasl.password") && !ClientProperties.isSecret("sasl.username"))
    for defaults in [
      ReaderHandle.defaultProperties, GroupMember.defaultProperties, Producer.defaultProperties,
      Admin.defaultProperties,
    ] { #expect(throws: Never.self) { try defaults.validate() } }
  }

  @Test func statisticsAreRead() throws {
    let json = """
      {"name": "rdkafka#consumer-1", "age": 2500000, "replyq": 1, "msg_cnt": 2, "msg_size": 3, "txmsgs": 4, "rxmsgs": 5,
       "tx_bytes": 6, "rx_bytes": 7,
       "brokers": {"b:9092/1": {"name": "b:9092/1", "nodeid": 1, "state": "UP", "tx": 10, "txerrs": 1, "txretries": 2,
         "req_timeouts": 3, "rx": 9, "rxerrs": 4, "connects": 5, "disconnects": 6,
         "rtt": {"min": 1, "max": 900, "avg": 300, "cnt": 8, "p99": 880}}},
       "topics": {"usage": {"partitions": {
         "1": {"partition": 1, "leader": 1, "lo_offset": 2, "hi_offset": 9, "ls_offset": 8, "app_offset": 5,
               "consumer_lag": 3, "fetchq_cnt": 4, "fetchq_size": 40, "fetch_state": "active", "rxmsgs": 7},
         "-1": {"partition": -1}}}},
       "cgrp": {"state": "up", "join_state": "steady", "rebalance_cnt": 2, "rebalance_age": 77, "assignment_size": 0}}
      """
    let statistics = try Statistics(json: json)
    #expect(statistics.ageSeconds == 2.5)
    #expect(statistics.messagesReceived == 5 && statistics.messagesSent == 4)
    let broker = try #require(statistics.brokers.first)
    #expect(broker.id == 1 && broker.state == "UP" && broker.requestTimeouts == 3)
    #expect(broker.roundTrip == Statistics.Window(average: 300, p99: 880, maximum: 900, count: 8))
    #expect(statistics.partitions.count == 1)
    let partition = try #require(statistics.partitions.first)
    #expect(partition.highOffset == 9 && partition.lastStableOffset == 8 && partition.consumerLag == 3)
    #expect(statistics.group?.rebalances == 2 && statistics.group?.joinState == "steady")
    #expect(throws: KafkaError.self) { try Statistics(json: "{") }
  }
}
