// The events that the whole daemon shares, each named once. An area with a story of its own (a provider, the ledger's
// records) adds its factories in an extension of LogEvent beside its code, with names `area.what_happened`.

// MARK: The process

extension LogEvent {
  public static func daemonStarted(version: String, instance: String, topic: String, group: String) -> LogEvent {
    LogEvent(
      "daemon.started", .info, "meterd \(version) started",
      [
        ("version", .string(version)), ("instance", .string(instance)), ("topic", .string(topic)),
        ("group", .string(group)),
      ])
  }

  public static func daemonStopping(signal: String, graceSeconds: Double) -> LogEvent {
    LogEvent(
      "daemon.stopping", .info, "stopping: taking no more events, flushing what the limits allow",
      [("signal", .string(signal)), ("grace_seconds", .number(graceSeconds))])
  }

  public static func daemonStopped(seconds: Double) -> LogEvent {
    LogEvent("daemon.stopped", .info, "stopped", [("seconds", .number(seconds))])
  }

  public static func embeddedBroker() -> LogEvent {
    LogEvent(
      "kafka.embedded_broker", .warning,
      "the broker runs inside this process: for trying, never for money; nothing survives the end of the process")
  }

  public static func httpListening(address: String) -> LogEvent {
    LogEvent(
      "http.listening", .info, "status page at http://\(address)/, metrics at /metrics", [("address", .string(address))]
    )
  }

  /// A configuration that is valid and yet not what a careful person would run.
  public static func configurationWarning(_ what: String) -> LogEvent {
    LogEvent("configuration.warning", .warning, what)
  }
}

// MARK: Kafka

extension LogEvent {
  public static func kafkaError(client: String, code: String, message: String) -> LogEvent {
    // It will not pass by itself, and without the group nothing is counted.
    if code == "GROUP_AUTHORIZATION_FAILED" {
      return LogEvent(
        "kafka.error", .error, "the broker refuses kafka.group: give meterd's user the right to read it: \(message)",
        [("client", .string(client)), ("code", .string(code))], story: "\(client) \(code)")
    }
    return LogEvent(
      "kafka.error", .warning, "the Kafka client reported an error; it tries again by itself: \(message)",
      [("client", .string(client)), ("code", .string(code))], story: "\(client) \(code)")
  }

  public static func kafkaFatal(client: String, code: String, message: String) -> LogEvent {
    LogEvent(
      "kafka.fatal", .error, "the Kafka client cannot go on: \(message)",
      [("client", .string(client)), ("code", .string(code))])
  }

  static func memberRejoins(client: String, why: String) -> LogEvent {
    LogEvent(
      "kafka.member_rejoins", .warning, "the group has another member of this name, and this one joins again: \(why)",
      [("client", .string(client))])
  }

  public static func partitionsAssigned(_ partitions: [Int32], client: String) -> LogEvent {
    LogEvent(
      "kafka.partitions_assigned", .info, "partitions assigned",
      [("client", .string(client)), ("partitions", .string(partitions.map(String.init).joined(separator: ",")))])
  }

  public static func partitionsRevoked(_ partitions: [Int32], client: String, lost: Bool) -> LogEvent {
    LogEvent(
      "kafka.partitions_revoked", lost ? .warning : .info,
      lost ? "partitions lost to another member" : "partitions revoked",
      [
        ("client", .string(client)), ("partitions", .string(partitions.map(String.init).joined(separator: ","))),
        ("lost", .boolean(lost)),
      ])
  }
}

// MARK: Partitions

extension LogEvent {
  public static func partitionRecovering(partition: Int32, ledgerRecords: Int64) -> LogEvent {
    LogEvent(
      "partition.recovering", .info, "folding the ledger",
      [("partition", .integer(Int64(partition))), ("ledger_records", .integer(ledgerRecords))])
  }

  public static func partitionRebuilding(partition: Int32, fromOffset: Int64, toOffset: Int64, why: String) -> LogEvent
  {
    LogEvent(
      "partition.rebuilding", .warning, "reading the dedup window again from Kafka: \(why)",
      [
        ("partition", .integer(Int64(partition))), ("from_offset", .integer(fromOffset)),
        ("to_offset", .integer(toOffset)),
      ])
  }

  public static func partitionRecovered(partition: Int32, position: Int64, head: Int64, seconds: Double) -> LogEvent {
    LogEvent(
      "partition.recovered", .info, "counting goes on",
      [
        ("partition", .integer(Int64(partition))), ("position", .integer(position)), ("head", .integer(head)),
        ("seconds", .number(seconds)),
      ])
  }

  /// A person has accepted that the usage topic is another one.
  public static func partitionSettlesOnly(partition: Int32, head: Int64) -> LogEvent {
    LogEvent(
      "partition.settles_only", .warning,
      "nothing is counted: the usage topic is not the one of this ledger; what was counted is billed",
      [("partition", .integer(Int64(partition))), ("head", .integer(head))])
  }

  /// The partition fails closed. `remedy` is the command that resolves it.
  public static func partitionStopped(partition: Int32, reason: String, offset: Int64, detail: String, remedy: String)
    -> LogEvent
  {
    LogEvent(
      "partition.stopped", .error, "the partition stopped and waits for a person: \(detail)",
      [
        ("partition", .integer(Int64(partition))), ("reason", .string(reason)), ("offset", .integer(offset)),
        ("remedy", .string(remedy)),
      ])
  }

  public static func blockedByTransaction(partition: Int32, offset: Int64) -> LogEvent {
    LogEvent(
      "partition.blocked_by_transaction", .warning,
      "a producer's transaction is open: nothing behind it can be counted until it ends",
      [("partition", .integer(Int64(partition))), ("offset", .integer(offset))])
  }

  public static func conservationBroken(
    partition: Int32, equation: String, sink: String?, imbalance: String
  ) -> LogEvent {
    LogEvent(
      "conservation.broken", .error,
      "the conservation equation leaves something over: usage was lost or invented; keep the storage folder and the ledger",
      [
        ("partition", .integer(Int64(partition))), ("equation", .string(equation)), ("sink", .string(sink ?? "")),
        ("imbalance", .string(imbalance)),
      ])
  }
}

// MARK: The ledger

extension LogEvent {
  public static func ownershipGained(partition: Int32, ledgerOffset: Int64) -> LogEvent {
    LogEvent(
      "ledger.ownership_gained", .info, "this instance owns the partition",
      [("partition", .integer(Int64(partition))), ("ledger_offset", .integer(ledgerOffset))])
  }

  public static func ownershipLost(partition: Int32, why: String) -> LogEvent {
    LogEvent(
      "ledger.ownership_lost", .warning, "this instance no longer owns the partition: \(why)",
      [("partition", .integer(Int64(partition)))])
  }

  public static func cutSealed(partition: Int32, from: Int64, to: Int64, rows: Int64) -> LogEvent {
    LogEvent(
      "ledger.cut_sealed", .debug, "cut read back",
      [
        ("partition", .integer(Int64(partition))), ("from_offset", .integer(from)), ("to_offset", .integer(to)),
        ("rows", .integer(rows)),
      ])
  }

  public static func claimSealed(partition: Int32, sink: String, claim: Int64, rows: Int64) -> LogEvent {
    LogEvent(
      "ledger.claim_sealed", .debug, "claim read back",
      [
        ("partition", .integer(Int64(partition))), ("sink", .string(sink)), ("claim", .integer(claim)),
        ("rows", .integer(rows)),
      ])
  }
}

// MARK: Sinks

extension LogEvent {
  public static func circuitOpened(sink: String, why: String, retrySeconds: Double) -> LogEvent {
    LogEvent(
      "sink.circuit_opened", .warning,
      "the provider does not answer as it should; one row is tried now and then: \(why)",
      [("sink", .string(sink)), ("retry_seconds", .number(retrySeconds))])
  }

  public static func circuitClosed(sink: String, openSeconds: Double) -> LogEvent {
    LogEvent(
      "sink.circuit_closed", .info, "the provider answers again",
      [("sink", .string(sink)), ("open_seconds", .number(openSeconds))])
  }

  /// A row was refused and waits for `meterd parked retry`. The customer is not named: a log is not the ledger.
  /// - Parameter detail: what the provider, or the rule of its contract, said; may be empty.
  public static func rowParked(sink: String, partition: Int32, row: String, reason: String, detail: String) -> LogEvent
  {
    LogEvent(
      "sink.row_parked", .error,
      "a row was refused and waits for a person: meterd parked list" + (detail.isEmpty ? "" : ": \(detail)"),
      [
        ("sink", .string(sink)), ("partition", .integer(Int64(partition))), ("row", .string(row)),
        ("reason", .string(reason)),
      ])
  }

  public static func rowUncertain(sink: String, partition: Int32, row: String, why: String) -> LogEvent {
    LogEvent(
      "sink.row_uncertain", .error,
      "a row was sent and nobody knows whether it had effect; it is not sent again: \(why)",
      [("sink", .string(sink)), ("partition", .integer(Int64(partition))), ("row", .string(row))])
  }

  public static func credentialsRefused(sink: String, status: Int64) -> LogEvent {
    LogEvent(
      "sink.credentials_refused", .error, "the provider refuses the credentials: put right the sink's key and restart",
      [("sink", .string(sink)), ("status", .integer(status))])
  }
}

// MARK: Storage

extension LogEvent {
  public static func storageFailed(partition: Int32, operation: String, error: String) -> LogEvent {
    LogEvent(
      "storage.failed", .error, "local storage failed (\(operation): \(error)); the partition stops; nothing is lost",
      [("partition", .integer(Int64(partition))), ("operation", .string(operation)), ("error", .string(error))])
  }
}
