import Billing
import Metering

/// A provider that tests make up: a contract, and replies that are verdicts.
struct TestAdapter: ProviderAdapter {
  var contract: Contract
  var refused: Set<String> = []
  let transport = ProviderTransport.http
  let accountSource = AccountSource.fixed("acct")

  func refusal(of row: SinkRow) -> RowRefusal? {
    refused.contains(row.key) ? RowRefusal(reason: "value_not_taken", detail: "") : nil
  }
  func bodyBytes(of row: SinkRow) -> Int { row.key.utf8.count }
  /// The body names the rows, one key a line.
  func request(for rows: [SinkRow], account: String) -> ProviderRequest {
    ProviderRequest(method: "POST", url: account, body: Array(rows.map(\.key).joined(separator: "\n").utf8))
  }
  func authorize(_ request: ProviderRequest, unixSeconds: Int64) -> ProviderRequest { request }
  func interpret(_ reply: ProviderReply, rows: [SinkRow]) -> BatchVerdict {
    switch reply {
    case .notSent(let code):
      return .all(.retryLater(code: code, waitMilliseconds: nil, provenWithoutEffect: true, scope: .sink))
    case .ambiguous(let code): return .all(.ambiguous(code: code))
    case .response(let response):
      let wait = response.header("Retry-After").flatMap { Int64($0) }.map { $0 * 1_000 }
      switch response.status {
      case 200: return .all(.delivered)
      case 208: return .all(.alreadyDelivered)
      case 400: return .all(.split(code: "bad", detail: "refused"))
      case 401: return .all(.unauthorized(code: "http_401", provenWithoutEffect: true))
      case 423: return .all(.rateLimited(waitMilliseconds: wait, scope: .row))
      case 429: return .all(.rateLimited(waitMilliseconds: wait, scope: .sink))
      default:
        return .all(
          .retryLater(
            code: "http_\(response.status)", waitMilliseconds: wait, provenWithoutEffect: false, scope: .sink))
      }
    }
  }
}

func contract(
  batch: Int = 1, idempotency: Contract.Idempotency = .key(windowMilliseconds: 86_400_000),
  timestamps: Contract.TimestampRules = .init(), rates: [RateLimit] = [], concurrency: Int = 100,
  serial: Bool = false, timeout: Int64 = 30_000
) -> Contract {
  Contract(
    endpoint: "test", batch: .init(records: batch), idempotency: idempotency,
    rowRules: RowRules(stepUnits: 1, greatestUnits: nil, allowsNegative: true), timestamps: timestamps, rates: rates,
    concurrency: concurrency, isSerialPerCustomerAndMeter: serial, requestTimeoutMilliseconds: timeout)
}

/// Unix milliseconds at elapsed 0.
let epoch: Int64 = 1_761_998_096_000

func row(
  _ number: Int, claim: UInt64 = 0, customer: String = "c", meter: String = "m", timestamp: Int64? = nil,
  doubt: Doubt? = nil, mayBeKnown: Bool = false, value: Int64 = 1
) -> SinkRow {
  SinkRow(
    reference: RowReference(claim: claim, row: UInt32(number)), key: "k\(claim).\(number)",
    customer: Array(customer.utf8), meter: Array(meter.utf8), value: Quantity(value),
    timestampMilliseconds: timestamp ?? (epoch - 1_000_000 + Int64(number)), doubt: doubt, mayBeKnown: mayBeKnown)
}

/// Drives a machine by hand: a virtual clock, a ledger that answers when told to (or at once), requests to look at.
final class Harness {
  struct Request {
    var id: RequestID
    var keys: [String]
    var account: String
    var at: Int64
    var notAfter: Int64
  }

  let machine: SinkMachine
  var now: Int64 = 0
  /// Whether SENDINGs stand as soon as they are asked for.
  var answersSendings = true
  var requests: [Request] = []
  var sent: [Request] = []
  var sendings: [(partition: Int32, token: SendingToken, sending: Sending)] = []
  var unsent: [Unsent] = []
  var done: [Done] = []
  var parks: [Park] = []
  var events: [SinkEvent] = []
  var ready: [Int32: Bool] = [:]
  var drained: [Int32] = []
  var wake: Int64?
  private var sequence: UInt64 = 0

  init(_ adapter: TestAdapter, partitions: Int = 1, seed: UInt64 = 1, account: String? = "acct") {
    machine = SinkMachine(name: "sink", adapter: adapter, partitionCount: partitions, seed: seed, now: 0)
    if let account { give(.accountKnown(account)) }
  }

  convenience init(_ contract: Contract, partitions: Int = 1, seed: UInt64 = 1) {
    self.init(TestAdapter(contract: contract), partitions: partitions, seed: seed)
  }

  func open(_ partition: Int32 = 0, _ rows: [SinkRow]) {
    give(
      .partitionOpened(
        partition, rows: SinkRows(rows), anchor: LedgerAnchor(ledgerMilliseconds: epoch + now, elapsedBeforeAppend: now)
      ))
  }

  func give(_ input: SinkInput) {
    machine.handle(input, now: now)
    collect()
  }

  private func collect() {
    for action in machine.takeActions() {
      switch action {
      case .append(let partition, .sending(let token, let sending)): sendings.append((partition, token, sending))
      case .append(_, .unsent(let record)): unsent.append(record)
      case .append(_, .done(let record)): done.append(record)
      case .append(_, .park(let record)): parks.append(record)
      case .send(let id, let request, _, _, let notAfter):
        let keys = String(decoding: request.body, as: UTF8.self).split(separator: "\n").map(String.init)
        let sent = Request(id: id, keys: keys, account: request.url, at: now, notAfter: notAfter)
        requests.append(sent)
        self.sent.append(sent)
      case .readyForClaim(let partition, let isReady): ready[partition] = isReady
      case .drained(let partition): drained.append(partition)
      case .wakeAt(let instant): wake = instant
      case .event(let event): events.append(event)
      }
    }
    if answersSendings { answerSendings() }
  }

  func answerSendings(_ most: Int = .max) {
    var answered = 0
    while !sendings.isEmpty, answered < most {
      answered += 1
      let (partition, token, _) = sendings.removeFirst()
      sequence += 1
      give(
        .sendingStands(
          partition, token, identity: RecordIdentity(nonce: 7, sequence: sequence), ledgerMilliseconds: epoch + now))
    }
  }

  func reply(_ status: Int, _ headers: [(String, String)] = [], to request: Request? = nil) {
    let request = request ?? requests[0]
    requests.removeAll { $0.id == request.id }
    give(.reply(request.id, .response(.init(status: status, headers: headers.map { .init($0.0, $0.1) }))))
  }

  func reply(_ reply: ProviderReply, to request: Request? = nil) {
    let request = request ?? requests[0]
    requests.removeAll { $0.id == request.id }
    give(.reply(request.id, reply))
  }

  /// Lets time pass to `instant`, waking the machine whenever it asked for it.
  func run(until instant: Int64, _ each: () -> Void = {}) {
    each()
    while let wake, wake <= instant {
      now = max(now, wake)
      give(.tick)
      each()
    }
    now = instant
    give(.tick)
    each()
  }

  func run(for milliseconds: Int64, _ each: () -> Void = {}) { run(until: now + milliseconds, each) }

  /// Outcomes by key's row number, of all DONEs so far.
  var outcomes: [RowReference: RowOutcome] {
    var outcomes: [RowReference: RowOutcome] = [:]
    for row in done.flatMap(\.rows) { outcomes[row.reference] = row.outcome }
    return outcomes
  }
  var parked: [RowReference: String] {
    var parked: [RowReference: String] = [:]
    for park in parks { for row in park.rows { parked[row] = park.reason } }
    return parked
  }
}

func ref(_ number: Int, claim: UInt64 = 0) -> RowReference { RowReference(claim: claim, row: UInt32(number)) }
