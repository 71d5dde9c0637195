internal import Dispatch
internal import Glibc
internal import HTTP
internal import Metering

/// Whom a runner talks to. All are called on the runner's queue, in order, and must not block.
public struct SinkRunnerHandlers: Sendable {
  /// A record that the partition shall append.
  public var append: @Sendable (Int32, SinkAppend) -> Void
  /// Whether the sink takes a further claim of this partition.
  public var readyForClaim: @Sendable (Int32, Bool) -> Void
  public var drained: @Sendable (Int32) -> Void
  public var event: @Sendable (SinkEvent) -> Void

  public init(
    append: @escaping @Sendable (Int32, SinkAppend) -> Void,
    readyForClaim: @escaping @Sendable (Int32, Bool) -> Void, drained: @escaping @Sendable (Int32) -> Void,
    event: @escaping @Sendable (SinkEvent) -> Void
  ) {
    self.append = append
    self.readyForClaim = readyForClaim
    self.drained = drained
    self.event = event
  }
}

/// A sink machine with a clock, a timer and a network: one for each configured sink of a process.
///
/// One serial queue owns the machine. ``enqueue(_:)`` may be called from any thread; inputs are taken in order.
///
/// `@unchecked Sendable`: everything mutable is touched on `queue` only (checked by `dispatchPrecondition`).
public final class SinkRunner: @unchecked Sendable {
  public let name: String
  private let adapter: any ProviderAdapter
  private let handlers: SinkRunnerHandlers
  private let queue: DispatchQueue
  private let client: HTTPClient?
  private let machine: SinkMachine
  private let timer: any DispatchSourceTimer
  private var replies: [(RequestID, ProviderReply)] = []
  private var accountBackoff: Backoff
  private var accountFailures = 0
  private var isStopped = false

  /// A runner that has not begun: ``start()`` it once.
  ///
  /// - Parameters:
  ///   - partitionCount: of the usage topic.
  ///   - seed: of the jitter; any number.
  /// - Throws: `HTTPClientError` where libcurl cannot be set up.
  public init(
    _ sink: ConfiguredSink, partitionCount: Int, seed: UInt64, handlers: SinkRunnerHandlers
  ) throws {
    name = sink.configuration.name
    adapter = sink.adapter
    self.handlers = handlers
    queue = DispatchQueue(label: "sink." + sink.configuration.name)
    timer = DispatchSource.makeTimerSource(queue: queue)
    machine = SinkMachine(
      name: name, adapter: adapter, partitionCount: partitionCount, seed: seed, now: Self.elapsedMilliseconds())
    accountBackoff = Backoff(seed: seed ^ 0xACC0)
    if case .http = sink.adapter.transport {
      // A request must never wait for a connection: its first byte could then start after its lease.
      client = try HTTPClient(HTTPClientOptions(maxConnectionsPerHost: sink.adapter.contract.concurrency + 1))
    } else {
      client = nil
    }
    timer.setEventHandler { [weak self] in self?.take(.tick) }
    timer.resume()
  }

  deinit { timer.cancel() }

  /// Milliseconds of CLOCK_BOOTTIME, which counts suspension.
  public static func elapsedMilliseconds() -> Int64 { milliseconds(CLOCK_BOOTTIME) }

  private static func milliseconds(_ clock: clockid_t) -> Int64 {
    var now = timespec()
    clock_gettime(clock, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
  }

  /// Learns the account; sends can begin then.
  public func start() { queue.async { self.askForAccount() } }

  /// Asks for the account again, after its credentials were replaced.
  public func refreshAccount() { start() }

  /// Hands an input to the machine, in order, from any thread.
  public func enqueue(_ input: SinkInput) { queue.async { self.take(input) } }

  /// The machine as it is now. Not to be called from a handler.
  public func status() -> SinkStatus {
    dispatchPrecondition(condition: .notOnQueue(queue))
    return queue.sync { machine.status() }
  }

  /// Ends exchanges under way and takes no more inputs. Partitions should be drained before. Not to be called from a
  /// handler.
  public func stop() {
    dispatchPrecondition(condition: .notOnQueue(queue))
    queue.sync {
      isStopped = true
      timer.schedule(deadline: .distantFuture)
    }
    client?.close()
  }

  // MARK: On the queue

  private func take(_ input: SinkInput) {
    dispatchPrecondition(condition: .onQueue(queue))
    guard !isStopped else { return }
    machine.handle(input, now: Self.elapsedMilliseconds())
    perform()
    // What a local sink has answered meanwhile.
    while !replies.isEmpty, !isStopped {
      let answered = replies
      replies.removeAll()
      for (request, reply) in answered { machine.handle(.reply(request, reply), now: Self.elapsedMilliseconds()) }
      perform()
    }
  }

  private func perform() {
    for action in machine.takeActions() {
      switch action {
      case .append(let partition, let append): handlers.append(partition, append)
      case .send(let id, let request, let timeout, let connectTimeout, let notAfter):
        send(id, request, timeout: timeout, connectTimeout: connectTimeout, notAfter: notAfter)
      case .readyForClaim(let partition, let isReady): handlers.readyForClaim(partition, isReady)
      case .drained(let partition): handlers.drained(partition)
      case .wakeAt(let instant): schedule(instant)
      case .event(let event): handlers.event(event)
      }
    }
  }

  private func schedule(_ instant: Int64?) {
    guard let instant else { return timer.schedule(deadline: .distantFuture) }
    let wait = max(0, instant - Self.elapsedMilliseconds())
    timer.schedule(deadline: .now() + .milliseconds(Int(min(wait, 86_400_000))), leeway: .milliseconds(1))
  }

  private func send(
    _ id: RequestID, _ request: ProviderRequest, timeout: Int64, connectTimeout: Int64, notAfter: Int64
  ) {
    switch adapter.transport {
    case .local(let deliver): replies.append((id, deliver(request)))
    case .http:
      let authorized = adapter.authorize(request, unixSeconds: Self.milliseconds(CLOCK_REALTIME) / 1_000)
      // The last look at the clock before the bytes go: a process that was stopped in between must not send.
      guard Self.elapsedMilliseconds() <= notAfter else {
        return replies.append((id, .notSent(code: "lease_over")))
      }
      exchange(authorized, timeout: timeout, connectTimeout: connectTimeout) { [weak self] reply in
        self?.enqueue(.reply(id, reply))
      }
    }
  }

  private func exchange(
    _ request: ProviderRequest, timeout: Int64, connectTimeout: Int64,
    completion: @escaping @Sendable (ProviderReply) -> Void
  ) {
    guard let client else { return completion(.notSent(code: "no_client")) }
    let handlers = handlers
    let queue = queue
    client.send(
      HTTPRequest(
        method: request.method, url: request.url, headers: request.headers.map { ($0.name, $0.value) },
        body: request.body, connectTimeout: .milliseconds(connectTimeout), timeout: .milliseconds(timeout))
    ) { result in
      let reply = ProviderReply(result)
      if case .failure(let failure) = result, let code = reply.failureCode {
        queue.async { handlers.event(.requestFailed(code: code, detail: failure.detail)) }
      }
      completion(reply)
    }
  }

  // MARK: The account

  private func askForAccount() {
    guard !isStopped else { return }
    switch adapter.accountSource {
    case .fixed(let account): take(.accountKnown(account))
    case .fetched(let request, let read):
      let contract = adapter.contract
      let authorized = adapter.authorize(request, unixSeconds: Self.milliseconds(CLOCK_REALTIME) / 1_000)
      exchange(
        authorized, timeout: contract.requestTimeoutMilliseconds, connectTimeout: contract.connectTimeoutMilliseconds
      ) { [weak self] reply in
        let account = Result { () throws(AccountUnknown) in try read(reply) }
        self?.queue.async { [weak self] in self?.accountAnswered(account) }
      }
    }
  }

  private func accountAnswered(_ answer: Result<String, AccountUnknown>) {
    guard !isStopped else { return }
    switch answer {
    case .success(let account):
      accountFailures = 0
      take(.accountKnown(account))
    case .failure(let unknown):
      accountFailures += 1
      handlers.event(.accountUnknown(unknown.description))
      let wait = unknown.isTransient ? accountBackoff.wait(failure: accountFailures) : Backoff.longestMilliseconds
      queue.asyncAfter(deadline: .now() + .milliseconds(Int(wait))) { [weak self] in self?.askForAccount() }
    }
  }
}

extension ProviderReply {
  init(_ result: HTTPResult) {
    switch result {
    case .response(let response):
      self = .response(
        Response(
          status: response.status, headers: response.headers.map { .init($0.0, $0.1) }, body: response.body,
          bodyIsComplete: response.bodyIsComplete))
    case .failure(let failure):
      switch failure.kind {
      case .notSent(let reason): self = .notSent(code: Self.code(reason.rawValue))
      case .ambiguous(let reason): self = .ambiguous(code: Self.code(reason.rawValue))
      }
    }
  }

  fileprivate var failureCode: String? {
    switch self {
    case .response: nil
    case .notSent(let code), .ambiguous(let code): code
    }
  }

  /// `malformedReply` as metrics spell it: `malformed_reply`.
  private static func code(_ name: String) -> String {
    name.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
  }
}
