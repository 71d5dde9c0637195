internal import Daemon
internal import Metering

/// A ledger record as a list of named values: what `ledger show` prints as a line, or as JSON.
struct LedgerRecordText {
  enum Value {
    case text(String)
    case number(Int64)
    case flag(Bool)
  }

  private(set) var type = ""
  private(set) var fields: [(name: String, value: Value)] = []
  /// One list for each row of a CUT or CLAIM chunk, and for each feature and sink of a configuration.
  private(set) var rows: [[(name: String, value: Value)]] = []
  /// Whether the rows are those of a configuration: few, and for people.
  private(set) var holdsRules = false

  init(_ record: LedgerRecord) {
    switch record {
    case .genesis(let genesis, let rules): set(genesis, rules)
    case .owner(let owner):
      type = "OWNER"
      add("instance", owner.instance)
    case .config(let config):
      type = "CONFIG"
      add("digest", Self.hexadecimal(config.digest))
      set(rules: config.bytes)
    case .chunk(let chunk): set(chunk)
    case .cut(let cut): set(cut)
    case .claim(let claim): set(claim)
    case .sending(let sending):
      type = "SENDING"
      add("sink", sending.sink)
      add("account", sending.account)
      add("lease_ms", sending.leaseMilliseconds)
      add("rows", Self.list(sending.rows))
    case .unsent(let unsent):
      type = "UNSENT"
      add("sink", unsent.sink)
      add("sending", Self.name(unsent.sending))
      add("rows", Self.list(unsent.rows))
    case .done(let done): set(done)
    case .park(let park):
      type = "PARK"
      add("sink", park.sink)
      add("reason", park.reason)
      add("detail", park.detail)
      add("rows", Self.list(park.rows))
    case .resolve(let resolve): set(resolve)
    case .snapshot(let snapshot):
      type = "SNAPSHOT"
      add("through", snapshot.through)
      add("chunks", Int64(snapshot.summary.chunks))
    }
  }

  // MARK: Records with much to say

  private mutating func set(_ genesis: Genesis, _ rules: [UInt8]) {
    type = "GENESIS"
    add("cluster", genesis.clusterID)
    add("topic", genesis.topic)
    add("group", genesis.group)
    add("partition", Int64(genesis.partition))
    add("partitions", Int64(genesis.partitionCount))
    add("start", genesis.startOffset)
    add("dedup_from", genesis.dedupFromOffset)
    add("incarnation", Self.hexadecimal(genesis.incarnation))
    add("configuration", Self.hexadecimal(genesis.configuration))
    set(rules: rules)
  }

  private mutating func set(rules bytes: [UInt8]) {
    holdsRules = true
    do throws(LedgerCodecError) {
      let rules = ConfigurationText(try BillingRules(decoding: bytes))
      fields += rules.fields
      rows = rules.rows
    } catch {
      add("unreadable", "\(error)")
    }
  }

  private mutating func set(_ chunk: SetChunk) {
    type = "CHUNK"
    add("kind", "\(chunk.kind)")
    add("set", Int64(clamping: chunk.set))
    add("index", Int64(chunk.index))
    add("bytes", Int64(chunk.payload.count))
    switch chunk.kind {
    case .cut:
      guard let rows = try? CutChunk.rows(in: chunk.payload) else { return }
      self.rows = rows.map { row in
        [
          ("customer", .text(Self.text(row.customer))), ("feature", .text(Self.text(row.feature))),
          ("quantity", .text(row.quantity.description)), ("events", .number(row.events)),
          ("time", .text(Timestamp.rfc3339(milliseconds: row.greatestTimeMilliseconds))),
        ]
      }
    case .claim:
      guard let claim = try? ClaimChunk(payload: chunk.payload) else { return }
      rows = claim.rows.map { row in
        [
          ("customer", .text(Self.text(row.customer))), ("meter", .text(Self.text(row.meter))),
          ("value", .text(row.value.description)), ("events", .number(row.events)),
          ("timestamp", .text(Timestamp.rfc3339(milliseconds: row.timestampMilliseconds))),
        ]
      }
    case .snapshot: break
    }
  }

  private mutating func set(_ cut: CutSeal) {
    type = "CUT"
    add("number", Int64(clamping: cut.number))
    add("from", cut.from)
    add("to", cut.to)
    add("rows", Int64(cut.rows))
    add("consumed", cut.counters.consumed)
    add("counted", cut.counters.counted)
    add("duplicate", cut.counters.duplicate)
    add("quarantined", cut.counters.quarantinedTotal)
    add("clock", cut.clockMilliseconds == .min ? "-" : Timestamp.rfc3339(milliseconds: cut.clockMilliseconds))
    add("configuration", Self.hexadecimal(cut.configuration))
    if cut.isAcceptedLoss { fields.append(("accepted_loss", .flag(true))) }
    if let from = cut.indexFromOffset { add("index_from", from) }
  }

  private mutating func set(_ claim: ClaimSeal) {
    type = "CLAIM"
    add("sink", claim.sink)
    add("number", Int64(clamping: claim.number))
    add("first_cut", Int64(clamping: claim.firstCut))
    add("last_cut", Int64(clamping: claim.lastCut))
    add("rows", Int64(claim.rows))
    add("skipped", claim.skipped.description)
  }

  private mutating func set(_ done: Done) {
    type = "DONE"
    add("sink", done.sink)
    add("sending", Self.name(done.sending))
    for outcome in [RowOutcome.delivered, .alreadyDelivered, .rejected, .uncertain] {
      let rows = done.rows.filter { $0.outcome == outcome }
      if !rows.isEmpty { add("\(outcome)", Self.list(rows.map(\.reference))) }
    }
    let codes = Set(done.rows.map(\.code)).subtracting([""]).sorted()
    if !codes.isEmpty { add("codes", codes.joined(separator: ",")) }
  }

  private mutating func set(_ resolve: Resolve) {
    type = "RESOLVE"
    switch resolve.decision {
    case .retry(let sink, let row, let state, _): addRow("retry", sink, row, state)
    case .settle(let sink, let row, let state): addRow("settle", sink, row, state)
    case .drop(let sink, let row, let state): addRow("drop", sink, row, state)
    case .stop(let reason, let offset, let argument):
      add("decision", "stop")
      add("reason", reason)
      add("offset", offset)
      add("argument", argument)
    }
    add("why", resolve.why)
  }

  private mutating func addRow(_ decision: String, _ sink: String, _ row: RowReference, _ state: Int64) {
    add("decision", decision)
    add("sink", sink)
    add("row", Self.name(row))
    add("state", state)
  }

  private mutating func add(_ name: String, _ text: String) { fields.append((name, .text(text))) }
  private mutating func add(_ name: String, _ number: Int64) { fields.append((name, .number(number))) }

  // MARK: Texts

  static func name(_ row: RowReference) -> String { "\(row.claim).\(row.row)" }
  static func name(_ identity: RecordIdentity) -> String {
    String(identity.nonce, radix: 16) + "/" + String(identity.sequence)
  }
  static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
  static func hexadecimal(_ digest: Digest) -> String { hexadecimal(digest.high) + hexadecimal(digest.low) }
  static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
  private static func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
  private static func list(_ rows: [RowReference]) -> String {
    rows.count <= 5
      ? rows.map(name).joined(separator: ",")
      : rows.prefix(4).map(name).joined(separator: ",") + ",… (\(rows.count))"
  }
}
