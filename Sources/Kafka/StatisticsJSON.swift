/// The fields of librdkafka's statistics, under its names; each may be missing.
struct RawStatistics: Decodable {
  struct Window: Decodable {
    var avg: Int64?
    var p99: Int64?
    var max: Int64?
    var cnt: Int64?
  }
  struct Broker: Decodable {
    var name: String?
    var nodeid: Int32?
    var state: String?
    var tx: Int64?
    var txerrs: Int64?
    var txretries: Int64?
    var req_timeouts: Int64?
    var rx: Int64?
    var rxerrs: Int64?
    var connects: Int64?
    var disconnects: Int64?
    var rtt: Window?
    var throttle: Window?
  }
  struct Partition: Decodable {
    var partition: Int32?
    var leader: Int32?
    var lo_offset: Int64?
    var hi_offset: Int64?
    var ls_offset: Int64?
    var app_offset: Int64?
    var consumer_lag: Int64?
    var fetchq_cnt: Int64?
    var fetchq_size: Int64?
    var fetch_state: String?
    var txmsgs: Int64?
    var rxmsgs: Int64?
  }
  struct Topic: Decodable { var partitions: [String: Partition]? }
  struct Group: Decodable {
    var state: String?
    var join_state: String?
    var rebalance_cnt: Int64?
    var rebalance_age: Int64?
    var rebalance_reason: String?
    var assignment_size: Int64?
  }
  var name: String
  var age: Int64?
  var replyq: Int64?
  var msg_cnt: Int64?
  var msg_size: Int64?
  var tx_bytes: Int64?
  var rx_bytes: Int64?
  var txmsgs: Int64?
  var rxmsgs: Int64?
  var brokers: [String: Broker]?
  var topics: [String: Topic]?
  var cgrp: Group?
}

extension Statistics {
  init(_ raw: RawStatistics) {
    client = raw.name
    ageSeconds = Double(raw.age ?? 0) / 1_000_000
    queuedMessages = raw.msg_cnt ?? 0
    queuedBytes = raw.msg_size ?? 0
    waitingEvents = raw.replyq ?? 0
    messagesSent = raw.txmsgs ?? 0
    messagesReceived = raw.rxmsgs ?? 0
    bytesSent = raw.tx_bytes ?? 0
    bytesReceived = raw.rx_bytes ?? 0
    brokers = (raw.brokers ?? [:]).map { Broker(name: $0.key, $0.value) }.sorted { $0.name < $1.name }
    var partitions: [Partition] = []
    for (topic, entry) in raw.topics ?? [:] {
      // −1 is librdkafka's "unassigned": where records without a partition wait.
      for partition in (entry.partitions ?? [:]).values where (partition.partition ?? -1) >= 0 {
        partitions.append(Partition(topic: topic, partition))
      }
    }
    self.partitions = partitions.sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
    group = raw.cgrp.map { Group($0) }
  }
}

extension Statistics.Broker {
  init(name: String, _ raw: RawStatistics.Broker) {
    self.name = raw.name ?? name
    id = raw.nodeid ?? -1
    state = raw.state ?? ""
    requests = raw.tx ?? 0
    requestErrors = raw.txerrs ?? 0
    requestRetries = raw.txretries ?? 0
    requestTimeouts = raw.req_timeouts ?? 0
    responses = raw.rx ?? 0
    responseErrors = raw.rxerrs ?? 0
    connects = raw.connects ?? 0
    disconnects = raw.disconnects ?? 0
    roundTrip = Statistics.Window(raw.rtt)
    throttle = Statistics.Window(raw.throttle)
  }
}

extension Statistics.Window {
  init(_ raw: RawStatistics.Window?) {
    average = raw?.avg ?? 0
    p99 = raw?.p99 ?? 0
    maximum = raw?.max ?? 0
    count = raw?.cnt ?? 0
  }
}

extension Statistics.Partition {
  init(topic: String, _ raw: RawStatistics.Partition) {
    self.topic = topic
    partition = raw.partition ?? -1
    leader = raw.leader ?? -1
    lowOffset = raw.lo_offset ?? -1
    highOffset = raw.hi_offset ?? -1
    lastStableOffset = raw.ls_offset ?? -1
    applicationOffset = raw.app_offset ?? -1
    consumerLag = raw.consumer_lag ?? -1
    fetchQueueMessages = raw.fetchq_cnt ?? 0
    fetchQueueBytes = raw.fetchq_size ?? 0
    fetchState = raw.fetch_state ?? ""
    messagesSent = raw.txmsgs ?? 0
    messagesReceived = raw.rxmsgs ?? 0
  }
}

extension Statistics.Group {
  init(_ raw: RawStatistics.Group) {
    state = raw.state ?? ""
    joinState = raw.join_state ?? ""
    rebalances = raw.rebalance_cnt ?? 0
    rebalanceAgeMilliseconds = raw.rebalance_age ?? 0
    rebalanceReason = raw.rebalance_reason ?? ""
    assignmentSize = raw.assignment_size ?? 0
  }
}
