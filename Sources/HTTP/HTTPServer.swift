internal import CMicroHTTPD
internal import Dispatch
internal import Glibc

/// How a server listens and what it bears.
public struct HTTPServerOptions: Sendable {
  /// Threads that run handlers and move bytes. At least 1.
  public var threads: Int
  /// Most bytes of a request's body; a longer one is answered with 413, unseen by the handler.
  public var maxBodyBytes: Int
  /// Most connections at a time; further ones wait in the kernel's queue.
  public var maxConnections: Int
  /// A connection on which nothing moves for as long is closed; not while an answer is pending. Whole seconds, at least 1.
  public var idleTimeout: Duration

  public init(
    threads: Int = 2, maxBodyBytes: Int = 1 << 20, maxConnections: Int = 1024, idleTimeout: Duration = .seconds(60)
  ) {
    self.threads = threads
    self.maxBodyBytes = maxBodyBytes
    self.maxConnections = maxConnections
    self.idleTimeout = idleTimeout
  }
}

/// An HTTP/1.1 server whose answers may come later, from any thread.
///
/// libmicrohttpd's threads call the handler once a request is complete; a handler may answer at once, or keep the
/// ``Responder`` and answer later: the connection is suspended meanwhile and costs no thread. Handlers must not block
/// for long: they hold up the other connections of their thread.
public final class HTTPServer: Sendable {
  /// The port that it listens on, also where 0 was asked for.
  public let port: Int
  private let core: HTTPServerCore
  private let handles: Locked<Handles?>

  /// What must be given back, once. `@unchecked Sendable`: the daemon's pointer is only passed around under the lock.
  private struct Handles: @unchecked Sendable {
    let daemon: OpaquePointer
    let socket: Int32
  }

  /// Listens on `host:port` (`127.0.0.1:9464`, `[::1]:0`, `localhost:80`; an empty host or `*` means every address;
  /// port 0 lets the system choose) and begins to serve.
  public init(
    listen: String, options: HTTPServerOptions = HTTPServerOptions(),
    handler: @escaping @Sendable (ServerRequest, Responder) -> Void
  ) throws(HTTPServerError) {
    let (socket, port) = try openListener(listen)
    core = HTTPServerCore(maxBodyBytes: options.maxBodyBytes, handler: handler)
    self.port = port
    let context = Unmanaged.passUnretained(core).toOpaque()
    let daemon = meterd_mhd_start(
      socket, UInt32(max(1, options.threads)), UInt32(max(1, options.maxConnections)),
      UInt32(max(1, options.idleTimeout.components.seconds)), context, mhdHandleRequest, mhdRequestBegun,
      mhdRequestCompleted)
    guard let daemon else {
      Glibc.close(socket)
      throw HTTPServerError.setup(listen: listen, detail: "libmicrohttpd could not start (threads, file descriptors?)")
    }
    handles = Locked(Handles(daemon: daemon, socket: socket))
  }

  deinit { stop(grace: .zero) }

  /// Takes no more connections, waits up to `grace` for the requests under way to be answered, answers the rest with
  /// 503, and ends. A second call does nothing. Must not be called from a handler.
  public func stop(grace: Duration = .seconds(5)) {
    guard let handles = handles.withLock({ $0.take() }) else { return }
    MHD_quiesce_daemon(handles.daemon)
    // Quiesced, the daemon accepts no more; ended, the socket refuses rather than lets clients queue up. It is closed
    // last, so that its number cannot become another file's under a thread that is just looking at it.
    shutdown(handles.socket, Int32(SHUT_RDWR))
    core.drain(grace: grace)
    MHD_stop_daemon(handles.daemon)
    Glibc.close(handles.socket)
  }
}

/// What the callbacks need; it outlives the daemon.
final class HTTPServerCore: Sendable {
  let maxBodyBytes: Int
  let handler: @Sendable (ServerRequest, Responder) -> Void
  private let state = Locked(State())
  private let allDone = DispatchSemaphore(value: 0)

  private struct State {
    var isStopping = false
    /// What is pending, and what still arrives, gets 503: nothing may be suspended when the daemon ends.
    var isRefusing = false
    /// Requests that have begun and are not completed.
    var exchanges: [ObjectIdentifier: ServerExchange] = [:]
    /// Someone waits for `exchanges` to empty.
    var isWaited = false
  }

  init(maxBodyBytes: Int, handler: @escaping @Sendable (ServerRequest, Responder) -> Void) {
    self.maxBodyBytes = maxBodyBytes
    self.handler = handler
  }

  var isStopping: Bool { state.withLock { $0.isStopping } }

  func begin(_ exchange: ServerExchange) {
    let isRefusing = state.withLock { state in
      state.exchanges[ObjectIdentifier(exchange)] = exchange
      return state.isRefusing
    }
    if isRefusing { exchange.answer(Self.stopping) }
  }

  func end(_ exchange: ServerExchange) {
    state.withLock { state in
      state.exchanges[ObjectIdentifier(exchange)] = nil
      if state.exchanges.isEmpty, state.isWaited {
        state.isWaited = false
        allDone.signal()
      }
    }
  }

  /// Waits for answers; what is still pending then gets 503, so that no connection is left suspended.
  func drain(grace: Duration) {
    waitUntilDone(grace)
    let pending = state.withLock { state in
      state.isRefusing = true
      return Array(state.exchanges.values)
    }
    for exchange in pending { exchange.answer(Self.stopping) }
    // The refusals need a moment to go out; connections that never sent a whole request are cut.
    if !pending.isEmpty { waitUntilDone(.milliseconds(200)) }
  }

  private static let stopping = ServerExchange.Answer.response(.text(503, "the server is stopping\n"))

  private func waitUntilDone(_ limit: Duration) {
    let mustWait = state.withLock { state in
      state.isStopping = true
      state.isWaited = !state.exchanges.isEmpty
      return state.isWaited
    }
    guard mustWait else { return }
    guard allDone.wait(timeout: .now() + .milliseconds(milliseconds(limit))) == .timedOut else { return }
    // A signal may have come since: take it back, so that the semaphore's value is right.
    let signalled = state.withLock { state in
      defer { state.isWaited = false }
      return !state.isWaited
    }
    if signalled { allDone.wait() }
  }
}
