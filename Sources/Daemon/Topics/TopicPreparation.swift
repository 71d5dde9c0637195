internal import Kafka

extension Admin {
  /// A topic as the policy judges it; nil where there is none.
  func describe(_ name: String, withSettings: Bool) throws(KafkaError) -> TopicDescription? {
    guard let metadata = try topic(name) else { return nil }
    var settings: [String: String] = [:]
    if withSettings {
      do throws(KafkaError) {
        for (key, entry) in try topicConfiguration(name) { settings[key] = entry.value }
      } catch {
        // Of several brokers, one may not have heard of a topic that another has just made.
        if error.code == .unknownTopicOrPartition { return nil }
        throw error
      }
    }
    return TopicDescription(
      name: name, partitionCount: Int32(metadata.partitions.count), replicationFactor: metadata.replicationFactor,
      settings: settings)
  }
}

/// Makes a topic of ours before anything is written to it, or describes the one that is there.
struct TopicPreparation {
  var admin: Admin
  var usage: TopicDescription
  var changesNothing: Bool

  /// - Returns: the topic as it is; nil where it would have to be made and nothing may be changed.
  func prepare(
    _ name: String, settings: [String: String], created: inout [String]
  ) throws(StartError) -> TopicDescription? {
    do throws(KafkaError) {
      if let found = try admin.describe(name, withSettings: true) { return found }
      created.append(name)
      try create(name, settings: settings)
      if changesNothing { return nil }
      // The broker that answers may not have heard of it yet.
      let deadline = Clock.elapsedMilliseconds() + 15_000
      while Clock.elapsedMilliseconds() < deadline {
        if let found = try admin.describe(name, withSettings: true), found.partitionCount > 0 { return found }
        Clock.sleep(milliseconds: 100)
      }
      throw KafkaError(.timedOut, doing: "wait for topic \(name), which was created")
    } catch {
      throw StartError(
        exitCode: error.isRetriable ? .unavailable : .configuration, code: "kafka_topic_not_created",
        setting: "kafka.group", what: "topic \(name) cannot be made or described: \(error)",
        remedy: "Give meterd's user the rights to create and describe it, or create it with "
          + "\(usage.partitionCount) partitions and "
          + settings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ") + ".")
    }
  }

  private func create(_ name: String, settings: [String: String]) throws(KafkaError) {
    do throws(KafkaError) {
      try admin.createTopic(
        name, partitions: usage.partitionCount, replicationFactor: Int32(usage.replicationFactor),
        configuration: settings, validateOnly: changesNothing)
    } catch {
      // Another instance was faster; what it made is described and checked like any other.
      if error.code != .topicAlreadyExists { throw error }
    }
  }
}
