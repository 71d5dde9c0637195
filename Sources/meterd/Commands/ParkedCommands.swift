internal import Daemon
internal import Metering
internal import Operations

/// `meterd parked list` and `meterd parked retry`: rows that a provider, or a rule of its contract, refused.
enum ParkedCommands {
  /// One parked row, as people name it.
  private struct ParkedRow {
    var sink: String
    var partition: Int32
    var reference: RowReference
    var row: ClaimRow
    var reason: String
    var record: Int64

    /// `sink/partition/claim.row`.
    var name: String { "\(sink)/\(partition)/\(LedgerRecordText.name(reference))" }
  }

  static func list(_ command: ParsedCommand) throws {
    let access = try LedgerAccess(command)
    defer { access.log.close() }
    let rows = try parked(access)
    guard !command.flag("--json") else {
      for row in rows { Terminal.out(json(row)) }
      return
    }
    for row in rows {
      Terminal.out(
        "\(row.name)  \(row.reason)  customer=\(LedgerRecordText.text(row.row.customer)) "
          + "meter=\(LedgerRecordText.text(row.row.meter)) value=\(row.row.value) "
          + "timestamp=\(Timestamp.rfc3339(milliseconds: row.row.timestampMilliseconds))")
    }
    Terminal.note(
      rows.isEmpty ? "no row is parked" : "\(rows.count) rows are parked; meterd parked retry ROW… --why TEXT")
  }

  static func retry(_ command: ParsedCommand) throws {
    let file = try loadConfiguration(command, needsSinks: false)
    let access = try LedgerAccess(command)
    defer { access.log.close() }
    let rows = try parked(access)
    let chosen = try command.argumentTexts.map { name in
      guard let row = rows.first(where: { $0.name == name }) else {
        throw CommandFailure(.usage, "no parked row is named \(name); meterd parked list names them")
      }
      return row
    }
    let maps = try CustomerMaps(file.configuration.sinks, log: Log(level: .warning))
    let decisions = try chosen.map { row in
      // An unmapped row is mapped afresh: without an entry it could only be parked again.
      var customer: [UInt8]?
      if row.row.isUnmapped {
        customer = maps.name(sink: row.sink, customer: row.row.customer)
        guard customer != nil else {
          throw CommandFailure(
            .data,
            "\(row.name): the customer map of sink \(row.sink) has no entry for "
              + "\(LedgerRecordText.text(row.row.customer)); add one first")
        }
      }
      return (
        row.partition,
        Resolve.Decision.retry(sink: row.sink, row: row.reference, state: row.record, customer: customer)
      )
    }
    for row in chosen { Terminal.note("\(row.name): \(row.reason), value \(row.row.value)") }
    try Resolution.confirm(
      command, "\(chosen.count) rows will be sent again, under the keys that they have always had.")
    for (partition, decision) in decisions {
      try Resolution.append(decision, why: command.text("--why"), partition: partition, access)
    }
    Terminal.note("asked for \(chosen.count) rows; the partition's owner sends them")
  }

  private static func parked(_ access: LedgerAccess) throws -> [ParkedRow] {
    var rows: [ParkedRow] = []
    for partition in 0..<access.partitions {
      let fold = try access.fold(partition)
      for sink in fold.sinks.values.sorted(by: { $0.name < $1.name }) {
        for claim in sink.claims {
          for row in claim.rows {
            guard case .parked(let reason, let record) = row.state else { continue }
            rows.append(
              ParkedRow(
                sink: sink.name, partition: partition, reference: RowReference(claim: claim.number, row: row.index),
                row: row.row, reason: reason, record: record))
          }
        }
      }
    }
    return rows
  }

  private static func json(_ row: ParkedRow) -> String {
    var json = JSONText()
    json.object { json in
      json.member("row", row.name)
      json.member("sink", row.sink)
      json.member("partition", Int64(row.partition))
      json.member("reason", row.reason)
      json.member("customer", LedgerRecordText.text(row.row.customer))
      json.member("meter", LedgerRecordText.text(row.row.meter))
      json.member("value", row.row.value.description)
      json.member("timestamp", Timestamp.rfc3339(milliseconds: row.row.timestampMilliseconds))
    }
    return json.string
  }
}
