public import Daemon

extension DaemonStatus {
  /// The JSON of `GET /v1/status`, members in the documented order.
  public var json: [UInt8] {
    var text = JSONText()
    text.object { text in
      text.member("version", version)
      text.member("instance", instance)
      text.member("started_at", startedAt)
      text.member("ready", ready)
      text.name("reasons")
      text.array { text in for reason in reasons { text.value(reason) } }
      text.name("kafka")
      text.object { text in
        text.member("cluster_id", kafka.clusterID)
        text.member("topic", kafka.topic)
        text.member("group", kafka.group)
      }
      text.name("partitions")
      text.array { text in for partition in partitions { partition.write(to: &text) } }
      text.name("sinks")
      text.array { text in for sink in sinks { sink.write(to: &text) } }
      text.name("conservation")
      text.object { text in
        text.member("events", conservation.events)
        text.name("quantity")
        text.object { text in
          for (sink, quantity) in conservation.quantity.sorted(by: { $0.key < $1.key }) { text.member(sink, quantity) }
        }
      }
    }
    return text.bytes
  }
}

extension PartitionStatus {
  fileprivate func write(to text: inout JSONText) {
    text.object { text in
      text.member("partition", Int64(partition))
      text.member("state", state.rawValue)
      text.member("position", position)
      text.member("head", head)
      text.member("lag_records", lagRecords)
      text.member("open_rows", openRows)
      if let progress { text.member("progress", progress) }
      if let stop {
        text.name("stop")
        text.object { text in
          text.member("reason", stop.reason)
          text.member("offset", stop.offset)
          text.member("detail", stop.detail)
          text.member("remedy", stop.remedy)
        }
      }
    }
  }
}

extension SinkStatus {
  fileprivate func write(to text: inout JSONText) {
    text.object { text in
      text.member("name", name)
      text.member("provider", provider)
      text.member("account", account)
      text.member("circuit", circuit.rawValue)
      text.name("rows")
      text.object { text in
        text.member("in_flight", rows.inFlight)
        text.member("parked", rows.parked)
        text.member("uncertain", rows.uncertain)
        text.member("deferred", rows.deferred)
      }
      text.member("oldest_unsettled_age_seconds", oldestUnsettledAgeSeconds)
      text.member("next_send_in_seconds", nextSendInSeconds)
    }
  }
}
