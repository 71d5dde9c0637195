internal import CRdkafka
internal import Glibc

/// Owns one of librdkafka's lists of partitions.
struct PartitionList: ~Copyable {
  let raw: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

  /// An empty list.
  init() { raw = rd_kafka_topic_partition_list_new(0) }

  /// Partitions of one topic, each with an offset (or what the call takes in its place).
  init(topic: String, partitions: [(Int32, Int64)]) {
    self.init()
    for (partition, offset) in partitions {
      rd_kafka_topic_partition_list_add(raw, topic, partition).pointee.offset = offset
    }
  }

  /// Borrows the entries.
  var entries: UnsafeBufferPointer<rd_kafka_topic_partition_t> {
    UnsafeBufferPointer(start: raw.pointee.elems, count: Int(raw.pointee.cnt))
  }

  /// Sets what is committed beside entry `index`'s offset.
  func setMetadata(_ text: String, at index: Int) {
    let bytes = Array(text.utf8)
    // librdkafka frees it with the list, so it has to come from malloc.
    guard !bytes.isEmpty, let copy = malloc(bytes.count) else { return }
    copy.copyMemory(from: bytes, byteCount: bytes.count)
    raw.pointee.elems[index].metadata = copy
    raw.pointee.elems[index].metadata_size = bytes.count
  }

  deinit { rd_kafka_topic_partition_list_destroy(raw) }
}

extension UnsafeMutablePointer<rd_kafka_topic_partition_list_t> {
  /// The partitions' numbers, ascending; all are of one topic.
  var partitionNumbers: [Int32] {
    UnsafeBufferPointer(start: pointee.elems, count: Int(pointee.cnt)).map(\.partition).sorted()
  }
}
