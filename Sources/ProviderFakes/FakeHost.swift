internal import Dispatch
internal import HTTP

/// A provider's own part: its rules and its words.
protocol ProviderRules: AnyObject, Sendable {
  /// Takes a request in, or refuses it before anything is done. What it returns is given back to ``leave(_:)``.
  func enter(_ request: ServerRequest) -> FakeEntry
  /// Judges the request and books its effect, at once.
  func apply(_ request: ServerRequest) -> ServerResponse
  /// The request is over; called before its reply goes out.
  func leave(_ token: String)
  /// The rows of a request, as far as they can be read: for the record of what was refused.
  func rows(_ request: ServerRequest) -> [FakeRow]
  func tooManyRequests(retryAfterSeconds: Int) -> ServerResponse
  func internalError() -> ServerResponse
  func unavailable() -> ServerResponse
}

/// The outcome of taking a request in.
enum FakeEntry {
  case entered(token: String)
  case refused(ServerResponse, outcome: String)
}

/// The server of a fake, with all that fakes have in common: draws each request's fate, keeps the order of effect, wait and reply, and serves the admin paths.
public final class FakeHost: Sendable {
  let effects: EffectLedger
  let faults: FaultInjector
  private let rules: any ProviderRules
  private let clock: @Sendable () -> Int64
  private let latency: Duration
  private let hold: (@Sendable (_ complete: @escaping @Sendable () -> Void) -> Void)?
  private let server = Locked<HTTPServer?>(nil)
  /// Answers that an outage withholds: kept, since a dropped responder answers by itself.
  private let withheld = Locked<[Responder]>([])

  /// A host that does not serve yet, and the rules that it keeps; `makeRules` is given where they book, and their clock.
  static func make<Rules: ProviderRules>(
    _ options: FakeServerOptions, _ makeRules: (EffectLedger, @escaping @Sendable () -> Int64) -> Rules
  ) throws(RecordFileError) -> (host: FakeHost, rules: Rules) {
    var record: RecordFile?
    if let path = options.recordFile { record = try RecordFile(path: path) }
    let effects = EffectLedger(record: record)
    let rules = makeRules(effects, options.clock)
    return (FakeHost(options, effects, rules), rules)
  }

  private init(_ options: FakeServerOptions, _ effects: EffectLedger, _ rules: any ProviderRules) {
    self.effects = effects
    self.rules = rules
    faults = FaultInjector(options.faults)
    clock = options.clock
    latency = options.latency
    hold = options.hold
  }

  var port: Int { server.withLock { $0?.port ?? 0 } }

  func start(listen: String) throws(HTTPServerError) {
    let started = try HTTPServer(listen: listen, options: HTTPServerOptions(maxBodyBytes: 16 << 20)) {
      [self] request, responder in handle(request, responder, rules)
    }
    let old = server.withLock { server in
      defer { server = started }
      return server
    }
    old?.stop(grace: .zero)
  }

  func stop() {
    for responder in withheld.withLock({ responders in
      defer { responders.removeAll() }
      return responders
    }) { responder.drop() }
    server.withLock { $0.take() }?.stop(grace: .milliseconds(500))
  }

  private func handle(_ request: ServerRequest, _ responder: Responder, _ rules: any ProviderRules) {
    if request.path.hasPrefix("/_fake/") {
      responder.respond(answerAdmin(request))
      return
    }
    effects.countRequest()
    if let reason = effects.recordFailure {
      // A record with holes would prove something false: nothing more is booked.
      responder.respond(.text(503, "the record file cannot be written: \(reason)\n"))
      return
    }
    let fate = faults.decide()
    if let before = fate.before {
      refuse(request, responder, rules, fate, before)
      return
    }
    switch rules.enter(request) {
    case .refused(let reply, let outcome):
      for row in rows(rules, request) { effects.refuse(row, at: clock(), outcome: outcome) }
      finish(request, responder, fate, reply)
    case .entered(let token):
      let delay = latency + fate.delay
      guard delay > .zero || hold != nil else {
        complete(request, responder, rules, fate, token, rules.apply(request))
        return
      }
      let early = fate.effectBeforeDelay ? rules.apply(request) : nil
      let rest: @Sendable () -> Void = { [self] in
        complete(request, responder, rules, fate, token, early ?? rules.apply(request))
      }
      if let hold {
        hold(rest)
      } else {
        DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(nanoseconds(delay)), execute: rest)
      }
    }
  }

  private func refuse(
    _ request: ServerRequest, _ responder: Responder, _ rules: any ProviderRules, _ fate: FaultInjector.Decision,
    _ before: FaultInjector.Decision.Before
  ) {
    for row in rows(rules, request) { effects.refuse(row, at: clock(), outcome: fate.name ?? "fault") }
    switch before {
    case .tooManyRequests(let wait):
      let seconds = wait.components.seconds + (wait.components.attoseconds > 0 ? 1 : 0)
      finish(request, responder, fate, rules.tooManyRequests(retryAfterSeconds: Int(seconds)))
    case .error: finish(request, responder, fate, rules.internalError())
    case .outage(.unavailable): finish(request, responder, fate, rules.unavailable())
    case .outage(.dropped):
      note(request, fate, status: nil)
      responder.drop()
    case .outage(.silent):
      note(request, fate, status: nil)
      withheld.withLock { $0.append(responder) }
    case .reset:
      note(request, fate, status: nil)
      responder.drop(reset: true)
    }
  }

  private func complete(
    _ request: ServerRequest, _ responder: Responder, _ rules: any ProviderRules, _ fate: FaultInjector.Decision,
    _ token: String, _ reply: ServerResponse
  ) {
    rules.leave(token)
    switch fate.after {
    case nil: finish(request, responder, fate, reply)
    case .error: finish(request, responder, fate, rules.internalError())
    case .garbage:
      var garbled = reply
      garbled.body = [0x7B, 0x22, 0xFF, 0xFE, 0x00, 0x3C, 0x68, 0x74, 0x6D, 0x6C]
      finish(request, responder, fate, garbled)
    case .reset:
      note(request, fate, status: nil)
      responder.drop()
    }
  }

  private func finish(
    _ request: ServerRequest, _ responder: Responder, _ fate: FaultInjector.Decision, _ reply: ServerResponse
  ) {
    note(request, fate, status: reply.status)
    responder.respond(reply)
  }

  private func note(_ request: ServerRequest, _ fate: FaultInjector.Decision, status: Int?) {
    let query = request.query.isEmpty ? "" : "?" + String(decoding: FormEncoding.encode(request.query), as: UTF8.self)
    effects.note(
      FakeCall(
        at: clock(), method: request.method, path: request.rawPath + query, headers: request.headers,
        body: request.body, status: status, fault: fate.name))
  }

  /// At least one entry, so that a refused request is in the record even where no row can be read.
  private func rows(_ rules: any ProviderRules, _ request: ServerRequest) -> [FakeRow?] {
    guard request.method == "POST" else { return [] }
    let rows = rules.rows(request)
    return rows.isEmpty ? [nil] : rows
  }
}

private func nanoseconds(_ duration: Duration) -> Int {
  Int(duration.components.seconds) * 1_000_000_000 + Int(duration.components.attoseconds / 1_000_000_000)
}
