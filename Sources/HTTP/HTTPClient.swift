internal import CCurl
internal import Glibc

/// How a client connects.
public struct HTTPClientOptions: Sendable {
  /// Where requests go through.
  public enum Proxy: Sendable {
    /// Straight to the server, whatever the environment says.
    case none
    /// Through this proxy.
    case url(String)
    /// As `http_proxy`, `https_proxy`, `no_proxy` say.
    case environment
  }

  /// Most connections to one host at a time; further requests wait, within their own time-out. At least 1.
  public var maxConnectionsPerHost: Int
  /// Most bytes of a reply's body that are kept; a longer one ends cut (``HTTPResponse/bodyIsComplete``).
  public var maxReplyBytes: Int
  /// A connection idle for longer is not used again. Shorter than servers' own idle time-outs, so that a request
  /// seldom meets a connection that the server is just closing. At least 1 s.
  public var idleLifetime: Duration
  public var proxy: Proxy
  /// A file of certificates in PEM form to trust in place of the system's.
  public var certificateAuthorities: String?

  public init(
    maxConnectionsPerHost: Int = 16, maxReplyBytes: Int = 1 << 20, idleLifetime: Duration = .seconds(20),
    proxy: Proxy = .none, certificateAuthorities: String? = nil
  ) {
    self.maxConnectionsPerHost = maxConnectionsPerHost
    self.maxReplyBytes = maxReplyBytes
    self.idleLifetime = idleLifetime
    self.proxy = proxy
    self.certificateAuthorities = certificateAuthorities
  }
}

/// libcurl could not be set up: out of memory or file descriptors.
public struct HTTPClientError: Error, CustomStringConvertible {
  public let description: String
}

/// Sends HTTP/1.1 requests over reused connections; each request at most once, whatever happens.
///
/// One thread of its own drives libcurl's multi interface; completions are called on it, exactly once each, and must
/// not block. All methods may be called from any thread. Redirects are replies like others; nothing is retried.
public final class HTTPClient: Sendable {
  private let loop: HTTPClientLoop
  private let thread: Locked<pthread_t?>

  /// Starts the client's thread.
  public init(_ options: HTTPClientOptions = HTTPClientOptions()) throws(HTTPClientError) {
    loop = try HTTPClientLoop(options)
    thread = Locked(nil)
    var id = pthread_t()
    let context = Unmanaged.passRetained(loop)
    let code = pthread_create(&id, nil, httpClientThread, context.toOpaque())
    guard code == 0 else {
      context.release()
      throw HTTPClientError(description: "no thread for the HTTP client: \(String(cString: strerror(code)))")
    }
    thread.withLock { $0 = id }
  }

  deinit { close() }

  /// Sends the request once. `completion` is called on the client's thread, or at once where the client is closed.
  public func send(_ request: HTTPRequest, completion: @escaping @Sendable (HTTPResult) -> Void) {
    loop.submit(request, completion)
  }

  /// Ends all exchanges under way (`cancelled`), waits for their completions, and ends the thread. From within a
  /// completion it does not wait. A second call does nothing.
  public func close() {
    guard let id = thread.withLock({ $0.take() }) else { return }
    loop.stop()
    if pthread_equal(id, pthread_self()) != 0 { pthread_detach(id) } else { pthread_join(id, nil) }
  }
}

private func httpClientThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let context else { return nil }
  Unmanaged<HTTPClientLoop>.fromOpaque(context).takeRetainedValue().run()
  return nil
}

/// What the client's thread runs.
///
/// `@unchecked Sendable`: `inbox` is behind its lock, which also orders waking against the end of the multi handle;
/// everything else belongs to the thread that runs ``run()``.
private final class HTTPClientLoop: @unchecked Sendable {
  private struct Inbox {
    var transfers: [HTTPTransfer] = []
    var isClosed = false
  }

  private let options: HTTPClientOptions
  private let inbox = Locked(Inbox())
  private let multi: UnsafeMutableRawPointer
  /// Transfers that libcurl holds, by their easy handle.
  private var active: [UnsafeMutableRawPointer: HTTPTransfer] = [:]
  /// Easy handles to use again.
  private var spare: [UnsafeMutableRawPointer] = []

  /// libcurl's process-wide set-up, once.
  private static let globalInit: CURLcode = curl_global_init(Int(CURL_GLOBAL_ALL))

  init(_ options: HTTPClientOptions) throws(HTTPClientError) {
    guard Self.globalInit == CURLE_OK, let multi = curl_multi_init() else {
      throw HTTPClientError(description: "libcurl could not be set up: out of memory or file descriptors")
    }
    self.options = options
    self.multi = multi
    let perHost = max(1, options.maxConnectionsPerHost)
    _ = meterd_curl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, perHost)
    // Idle connections kept: enough for a few hosts.
    _ = meterd_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, perHost * 4)
    _ = meterd_curl_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
  }

  deinit { curl_multi_cleanup(multi) }

  func submit(_ request: HTTPRequest, _ completion: @escaping @Sendable (HTTPResult) -> Void) {
    let transfer = HTTPTransfer(request, maxReplyBytes: options.maxReplyBytes, completion: completion)
    let accepted = inbox.withLock { inbox in
      guard !inbox.isClosed else { return false }
      // One wake-up is enough until the thread has emptied the inbox.
      if inbox.transfers.isEmpty { curl_multi_wakeup(multi) }
      inbox.transfers.append(transfer)
      return true
    }
    if !accepted { completion(transfer.notSent(.cancelled, "the client is closed")) }
  }

  func stop() {
    inbox.withLock { inbox in
      inbox.isClosed = true
      curl_multi_wakeup(multi)
    }
  }

  func run() {
    while true {
      let (arrived, isClosed) = inbox.withLock { inbox in
        defer { inbox.transfers.removeAll() }
        return (inbox.transfers, inbox.isClosed)
      }
      if isClosed {
        for transfer in arrived { transfer.completion(transfer.notSent(.cancelled, "the client was closed")) }
        break
      }
      for transfer in arrived { start(transfer) }
      var running: Int32 = 0
      curl_multi_perform(multi, &running)
      finishDone()
      // A wake-up that came since the inbox was emptied ends this wait at once. libcurl shortens it to its own timers.
      curl_multi_poll(multi, nil, 0, 60_000, nil)
    }
    for (handle, transfer) in active {
      curl_multi_remove_handle(multi, handle)
      curl_easy_cleanup(handle)
      transfer.completion(transfer.outcome(nil))
    }
    active.removeAll()
    for handle in spare { curl_easy_cleanup(handle) }
    spare.removeAll()
  }

  private func start(_ transfer: HTTPTransfer) {
    guard let handle = spare.popLast() ?? curl_easy_init() else {
      transfer.completion(transfer.notSent(.other, "out of memory for a transfer"))
      return
    }
    if let problem = transfer.configure(handle, options) {
      recycle(handle)
      transfer.completion(transfer.notSent(.invalidRequest, problem))
      return
    }
    let code = curl_multi_add_handle(multi, handle)
    guard code == CURLM_OK else {
      recycle(handle)
      transfer.completion(transfer.notSent(.other, String(cString: curl_multi_strerror(code))))
      return
    }
    active[handle] = transfer
  }

  private func finishDone() {
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
      let code = meterd_curl_message_result(message)
      curl_multi_remove_handle(multi, handle)
      let transfer = active.removeValue(forKey: handle)
      recycle(handle)
      if let transfer { transfer.completion(transfer.outcome(code)) }
    }
  }

  /// Clears the options, so that nothing of one transfer is left to the next; connections are the multi handle's.
  private func recycle(_ handle: UnsafeMutableRawPointer) {
    curl_easy_reset(handle)
    if spare.count < 64 { spare.append(handle) } else { curl_easy_cleanup(handle) }
  }
}
