internal import CRdkafka

/// Asks a partition's leader for its watermarks, on any kind of handle.
func watermarks(
  of client: ClientHandle, _ topic: String, _ partition: Int32, _ timeout: Int32
) throws(KafkaError) -> Watermarks {
  var low: Int64 = 0
  var high: Int64 = 0
  try KafkaError.check(
    rd_kafka_query_watermark_offsets(client.raw, topic, partition, &low, &high, timeout),
    doing: "ask for the watermarks of \(topic)[\(partition)]")
  return Watermarks(low: low, high: high)
}

/// Asks the leaders for the first offsets at a time or later; `nil` where there is none.
func offsetsForTime(
  _ client: ClientHandle, _ topic: String, _ partitions: [Int32], _ time: Int64, _ timeout: Int32
) throws(KafkaError) -> [Int32: Int64?] {
  let list = PartitionList(topic: topic, partitions: partitions.map { ($0, time) })
  let doing = "ask for offsets of \(topic) at time \(time)"
  try KafkaError.check(rd_kafka_offsets_for_times(client.raw, list.raw, timeout), doing: doing)
  var offsets: [Int32: Int64?] = [:]
  for entry in list.entries {
    try KafkaError.check(entry.err, doing: "\(doing), partition \(entry.partition)")
    // Updated, since a dictionary takes an assigned nil for a removal.
    offsets.updateValue(entry.offset >= 0 ? entry.offset : nil, forKey: entry.partition)
  }
  return offsets
}
