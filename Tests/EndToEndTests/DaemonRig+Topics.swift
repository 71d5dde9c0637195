import Foundation
import Kafka

/// What tests do to topics behind the daemon's back.
extension DaemonRig {
  func withAdmin<Result>(_ body: (Admin) throws -> Result) throws -> Result {
    let admin = try Admin(properties: properties)
    defer { admin.close() }
    return try body(admin)
  }

  /// Reads a topic from its beginning to the end that it has now, one partition after the other.
  func read(_ topic: String, _ body: (Int32, Message) throws -> Void) throws {
    try withAdmin { admin in
      guard let metadata = try admin.topic(topic) else { return }
      let reader = try ReaderHandle(properties: properties)
      defer { reader.close() }
      for partition in metadata.partitions.map(\.partition) {
        let marks = try admin.watermarks(topic: topic, partition: partition)
        var position = marks.low
        let stream = try reader.start(topic: topic, partition: partition, offset: .offset(position))
        defer { stream.stop() }
        var batch = MessageBatch(capacity: 1_000)
        let deadline = ContinuousClock.now + .seconds(20)
        while position < marks.high, ContinuousClock.now < deadline {
          try stream.read(into: &batch, timeoutMilliseconds: 200)
          for index in 0..<batch.count {
            if let error = batch[index].error { throw error }
            position = batch[index].offset + 1
            try body(partition, batch[index])
          }
        }
        guard position >= marks.high else {
          throw EndToEndFailure(
            description: "\(topic)[\(partition)] could be read up to \(position) of \(marks.high) only")
        }
      }
    }
  }

  /// Deletes a topic, and waits until it is gone.
  func delete(_ topic: String) throws {
    try withAdmin { admin in
      try admin.deleteTopic(topic)
      guard try poll(seconds: 10, { try admin.topic(topic) == nil }) else {
        throw EndToEndFailure(description: "topic \(topic) is still there 10 s after it was deleted")
      }
    }
  }

  /// Puts these records in the place of a topic's own, under the topic's settings: by partition, in order.
  func replace(_ topic: String, with records: [Int32: [[UInt8]]]) throws {
    let settings = try withAdmin { admin in
      try admin.topicConfiguration(topic).filter { !$0.value.isDefault }.compactMapValues(\.value)
    }
    try delete(topic)
    try withAdmin {
      try $0.createTopic(topic, partitions: Self.partitions, replicationFactor: 1, configuration: settings)
    }
    let failures = Failures()
    let producer = try Producer(properties: properties.overridden(by: ["enable.idempotence": "true"])) {
      failures.take($0)
    }
    defer { producer.close() }
    for (partition, values) in records {
      for value in values { try producer.produce(topic: topic, partition: partition, key: nil, value: value) }
    }
    try producer.flush(timeoutMilliseconds: 30_000)
    guard failures.all.isEmpty else { throw EndToEndFailure(description: "not replaced: \(failures.all)") }
  }
}
