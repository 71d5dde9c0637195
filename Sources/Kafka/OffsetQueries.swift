internal import CRdkafka

/// Asks a partition's leader for its ends, on any kind of handle.
///
/// Not by `rd_kafka_query_watermark_offsets`: in librdkafka 2.0.2 its time-out ends only the search for the leader. A
/// broker that goes away after that leaves it waiting for ever, even while the handle is destroyed (seen, in a
/// debugger). The offsets for times −1 (latest) and −2 (earliest) are the same request, and that call keeps its time.
func watermarks(
  of client: ClientHandle, _ topic: String, _ partition: Int32, _ timeout: Int32
) throws(KafkaError) -> Watermarks {
  let low = try end(of: client, topic, partition, Int64(RD_KAFKA_OFFSET_BEGINNING), timeout)
  let high = try end(of: client, topic, partition, Int64(RD_KAFKA_OFFSET_END), timeout)
  return Watermarks(low: low, high: high)
}

/// One end of a partition: `which` is librdkafka's logical offset.
func end(
  of client: ClientHandle, _ topic: String, _ partition: Int32, _ which: Int64, _ timeout: Int32
) throws(KafkaError) -> Int64 {
  let list = PartitionList(topic: topic, partitions: [(partition, which)])
  let doing = "ask for the ends of \(topic)[\(partition)]"
  try KafkaError.check(rd_kafka_offsets_for_times(client.raw, list.raw, timeout), doing: doing)
  guard let entry = list.entries.first else { throw KafkaError(.invalidArgument, doing: doing, detail: "no answer") }
  try KafkaError.check(entry.err, doing: doing)
  guard entry.offset >= 0 else { throw KafkaError(.noOffset, doing: doing) }
  return entry.offset
}

/// Asks the leaders for the first offsets at a time or later; `nil` where there is none.
func offsetsForTime(
  _ client: ClientHandle, _ topic: String, _ partitions: [Int32], _ time: Int64, _ timeout: Int32
) throws(KafkaError) -> [Int32: Int64?] {
  let doing = "ask for offsets of \(topic) at time \(time)"
  // −1 and −2 would ask for the ends.
  guard time >= 0 else { throw KafkaError(.invalidArgument, doing: doing, detail: "times begin in 1970") }
  if partitions.isEmpty { return [:] }
  let list = PartitionList(topic: topic, partitions: partitions.map { ($0, time) })
  try KafkaError.check(rd_kafka_offsets_for_times(client.raw, list.raw, timeout), doing: doing)
  var offsets: [Int32: Int64?] = [:]
  for entry in list.entries {
    try KafkaError.check(entry.err, doing: "\(doing), partition \(entry.partition)")
    // Updated, since a dictionary takes an assigned nil for a removal.
    offsets.updateValue(entry.offset >= 0 ? entry.offset : nil, forKey: entry.partition)
  }
  return offsets
}

/// Asks for the offsets that are committed for the handle's group; partitions without one are absent.
func committedOffsets(
  _ client: ClientHandle, of topic: String, group: String, _ partitions: [Int32], _ timeout: Int32
) throws(KafkaError) -> [Int32: CommittedOffset] {
  let list = PartitionList(topic: topic, partitions: partitions.map { ($0, Int64(RD_KAFKA_OFFSET_INVALID)) })
  let doing = "ask for the committed offsets of \(topic) for group \(group)"
  try KafkaError.check(rd_kafka_committed(client.raw, list.raw, timeout), doing: doing)
  var committed: [Int32: CommittedOffset] = [:]
  for entry in list.entries {
    try KafkaError.check(entry.err, doing: doing)
    guard entry.offset >= 0 else { continue }
    let metadata = UnsafeRawBufferPointer(start: entry.metadata, count: entry.metadata_size)
    committed[entry.partition] = CommittedOffset(
      partition: entry.partition, offset: entry.offset, metadata: String(decoding: metadata, as: UTF8.self))
  }
  return committed
}
