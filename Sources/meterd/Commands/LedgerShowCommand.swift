internal import Daemon
internal import Metering

/// `meterd ledger show`: every record of the ledger, decoded, and what they come to.
enum LedgerShowCommand {
  static func run(_ command: ParsedCommand) throws {
    let access = try LedgerAccess(command)
    defer { access.log.close() }
    let isJSON = command.flag("--json")
    for partition in 0..<access.partitions {
      var fold = FoldedLedger(partition: partition)
      if !isJSON { Terminal.out("partition \(partition)") }
      try access.log.scan(partition: partition) { entry in
        let judgement = fold.take(entry)
        Terminal.out(isJSON ? json(entry, partition, judgement) : text(entry, judgement))
      }
      Terminal.out(isJSON ? json(fold) : summary(fold))
    }
  }

  private static func decode(_ entry: LedgerEntry) -> Result<(RecordIdentity, LedgerRecordText), LedgerCodecError> {
    do throws(LedgerCodecError) {
      let (identity, record) = try LedgerCodec.decode(entry.bytes)
      return .success((identity, LedgerRecordText(record)))
    } catch {
      return .failure(error)
    }
  }

  private static func text(_ entry: LedgerEntry, _ judgement: String?) -> String {
    let place = "  \(entry.offset)  \(Timestamp.rfc3339(milliseconds: entry.appendMilliseconds))  "
    let note = judgement.map { "  [\($0)]" } ?? ""
    switch decode(entry) {
    case .failure(let error): return place + "unreadable: \(error)" + note
    case .success((let identity, let record)):
      var lines = [place + "\(record.type) \(plain(record.fields)) by=\(LedgerRecordText.name(identity))" + note]
      // Rows of usage are many, and for programs; a configuration's few are what a person looks for.
      if record.holdsRules { lines += record.rows.map { "      \(plain($0))" } }
      return lines.joined(separator: "\n")
    }
  }

  private static func plain(_ fields: [(name: String, value: LedgerRecordText.Value)]) -> String {
    fields.map { "\($0.name)=\(plain($0.value))" }.joined(separator: " ")
  }

  private static func plain(_ value: LedgerRecordText.Value) -> String {
    switch value {
    case .text(let text): text.isEmpty || text.contains(" ") ? "\"\(text)\"" : text
    case .number(let number): String(number)
    case .flag(let flag): String(flag)
    }
  }

  private static func json(_ entry: LedgerEntry, _ partition: Int32, _ judgement: String?) -> String {
    var json = JSONText()
    json.object { json in
      json.member("partition", Int64(partition))
      json.member("offset", entry.offset)
      json.member("appended", Timestamp.rfc3339(milliseconds: entry.appendMilliseconds))
      switch decode(entry) {
      case .failure(let error): json.member("unreadable", error.description)
      case .success((let identity, let record)):
        json.member("type", record.type)
        json.member("by", LedgerRecordText.name(identity))
        write(record.fields, to: &json)
        guard !record.rows.isEmpty else { break }
        json.name("content")
        json.array { json in
          for row in record.rows { json.object { write(row, to: &$0) } }
        }
      }
      if let judgement { json.member("judgement", judgement) }
    }
    return json.string
  }

  private static func write(_ fields: [(name: String, value: LedgerRecordText.Value)], to json: inout JSONText) {
    for (name, value) in fields {
      switch value {
      case .text(let text): json.member(name, text)
      case .number(let number): json.member(name, number)
      case .flag(let flag): json.member(name, flag)
      }
    }
  }

  // MARK: The state

  private static func summary(_ folded: FoldedLedger) -> String {
    if let why = folded.unusable { return "  state: \(why)" }
    let fold = folded.fold
    guard let head = fold.head, fold.genesis != nil else { return "  state: no GENESIS yet" }
    var lines = [
      "  state: head \(head.offset), owner \(fold.owner?.instance ?? "-"), consumed \(fold.counters.consumed)"
        + " = counted \(fold.counters.counted) + duplicate \(fold.counters.duplicate)"
        + " + quarantined \(fold.counters.quarantinedTotal), imbalance \(fold.eventsImbalance)"
    ]
    for sink in fold.sinks.values.sorted(by: { $0.name < $1.name }) {
      let totals = sink.totals
      lines.append(
        "  sink \(sink.name): settled \(totals.settled), in flight \(totals.inFlight) (\(totals.inFlightRows) rows), "
          + "uncertain \(totals.uncertain) (\(totals.uncertainRows)), parked \(totals.parked) (\(totals.parkedRows)), "
          + "carried \(totals.carried), dropped \(totals.dropped), skipped \(totals.skipped), unclaimed "
          + "\(fold.unclaimedQuantity(of: sink.name)?.description ?? "-"), imbalance "
          + "\(fold.conservation(sink: sink.name)?.description ?? "-")")
    }
    return lines.joined(separator: "\n")
  }

  private static func json(_ folded: FoldedLedger) -> String {
    var json = JSONText()
    json.object { json in
      let fold = folded.fold
      json.member("partition", Int64(fold.partition))
      json.member("type", "STATE")
      if let why = folded.unusable { return json.member("unusable", why) }
      json.member("head", fold.head?.offset ?? 0)
      json.member("owner", fold.owner?.instance ?? "")
      json.member("consumed", fold.counters.consumed)
      json.member("counted", fold.counters.counted)
      json.member("duplicate", fold.counters.duplicate)
      json.member("quarantined", fold.counters.quarantinedTotal)
      json.member("imbalance", fold.eventsImbalance)
      json.name("sinks")
      json.array { json in
        for sink in fold.sinks.values.sorted(by: { $0.name < $1.name }) {
          json.object { json in
            let totals = sink.totals
            json.member("name", sink.name)
            json.member("settled", totals.settled.description)
            json.member("in_flight", totals.inFlight.description)
            json.member("uncertain", totals.uncertain.description)
            json.member("parked", totals.parked.description)
            json.member("carried", totals.carried.description)
            json.member("dropped", totals.dropped.description)
            json.member("skipped", totals.skipped.description)
            json.member("unclaimed", fold.unclaimedQuantity(of: sink.name)?.description ?? "0")
            json.member("imbalance", fold.conservation(sink: sink.name)?.description ?? "0")
          }
        }
      }
    }
    return json.string
  }
}
