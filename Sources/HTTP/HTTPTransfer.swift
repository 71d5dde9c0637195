internal import CCurl

/// One exchange under way: the request's C memory, and what has arrived so far.
///
/// libcurl may send a request again by itself when a reused connection closes without a reply (7.88 does; it then
/// reports success). Two guards forbid that. The body comes from a read callback whose seek callback fails, so a body
/// cannot be rewound (error 65). And the pre-request callback, called before each sending, aborts the second one: it
/// also guards requests without a body. Both leave an ambiguous outcome: the first sending may have had its effect.
///
/// `@unchecked Sendable`: made on the caller's thread, handed over once under the client's lock, and from then on
/// touched by the client's thread only.
final class HTTPTransfer: @unchecked Sendable {
  let request: HTTPRequest
  let completion: @Sendable (HTTPResult) -> Void
  let started: ContinuousClock.Instant
  let maxReplyBytes: Int

  /// Room for libcurl's own message about this transfer.
  private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
  private var headerList: UnsafeMutablePointer<curl_slist>?
  private var bodySent = 0
  /// How often libcurl began to send the request: 0 proves that no byte was written; never above 1.
  private var sendings = 0
  private var resendRefused = false

  private var status = 0
  private var replyHeaders: [(String, String)] = []
  private var replyBody: [UInt8] = []
  /// A final status line and its headers arrived in full: from here on there is a reply, come what may.
  private var headersComplete = false

  init(_ request: HTTPRequest, maxReplyBytes: Int, completion: @escaping @Sendable (HTTPResult) -> Void) {
    self.request = request
    self.completion = completion
    self.maxReplyBytes = maxReplyBytes
    self.started = ContinuousClock.now
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
  }

  deinit {
    curl_slist_free_all(headerList)
    errorText.deallocate()
  }

  private var elapsed: Duration { ContinuousClock.now - started }

  /// The outcome where libcurl never saw the request.
  func notSent(_ reason: HTTPFailure.NotSentReason, _ detail: String) -> HTTPResult {
    .failure(HTTPFailure(.notSent(reason), detail: detail, duration: elapsed))
  }

  /// The outcome of a transfer that libcurl ended, or that the client ends by closing (`nil`).
  func outcome(_ code: CURLcode?) -> HTTPResult {
    if headersComplete {
      let complete = code == CURLE_OK
      return .response(
        HTTPResponse(
          status: status, headers: replyHeaders, body: replyBody, bodyIsComplete: complete, duration: elapsed))
    }
    let kind: HTTPFailure.Kind =
      sendings == 0 ? .notSent(notSentReason(code)) : .ambiguous(resendRefused ? .closed : ambiguousReason(code))
    return .failure(HTTPFailure(kind, detail: detail(code), duration: elapsed))
  }

  private func detail(_ code: CURLcode?) -> String {
    guard let code else { return "the client was closed" }
    if resendRefused { return "the server closed the connection without a reply; not sent again" }
    let text = String(cString: errorText)
    return "\(text.isEmpty ? String(cString: curl_easy_strerror(code)) : text) (libcurl \(code.rawValue))"
  }

  /// What libcurl asks for before each sending: 0 to go on.
  func beginSending() -> Int32 {
    guard sendings == 0 else {
      resendRefused = true
      return CURL_PREREQFUNC_ABORT
    }
    sendings = 1
    return CURL_PREREQFUNC_OK
  }

  func refuseRewind() -> Int32 {
    resendRefused = true
    return CURL_SEEKFUNC_FAIL
  }

  func readBody(into buffer: UnsafeMutablePointer<CChar>, _ capacity: Int) -> Int {
    let count = min(capacity, request.body.count - bodySent)
    guard count > 0 else { return 0 }
    request.body.withUnsafeBytes { body in
      UnsafeMutableRawPointer(buffer).copyMemory(from: body.baseAddress.unsafelyUnwrapped + bodySent, byteCount: count)
    }
    bodySent += count
    return count
  }

  /// Takes some of the reply's body; fewer than `bytes.count` end the transfer.
  func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Int {
    let room = maxReplyBytes - replyBody.count
    replyBody.append(contentsOf: bytes.prefix(room))
    return min(room, bytes.count)
  }

  /// Takes one header line, its line break included.
  func receiveHeader(_ line: UnsafeRawBufferPointer) {
    guard !headersComplete else { return }  // trailers
    let text = String(decoding: line, as: UTF8.self)
    let trimmed = trim(text[...])
    if trimmed.isEmpty {
      headersComplete = status >= 200
    } else if text.hasPrefix("HTTP/") {
      replyHeaders.removeAll()
      status = trimmed.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    } else if let colon = trimmed.firstIndex(of: ":") {
      replyHeaders.append((String(trimmed[..<colon]), String(trim(trimmed[trimmed.index(after: colon)...]))))
    }
  }

  /// Sets every option on the handle; an error text where the request cannot be sent.
  func configure(_ handle: UnsafeMutableRawPointer, _ options: HTTPClientOptions) -> String? {
    if let problem = problemOfRequest() { return problem }
    var worst = CURLE_OK
    func check(_ code: CURLcode) { if code != CURLE_OK { worst = code } }
    let context = Unmanaged.passUnretained(self).toOpaque()

    request.url.withCString { check(meterd_curl_set_pointer(handle, CURLOPT_URL, $0)) }
    "http,https".withCString { check(meterd_curl_set_pointer(handle, CURLOPT_PROTOCOLS_STR, $0)) }
    check(meterd_curl_set_pointer(handle, CURLOPT_PRIVATE, context))
    check(meterd_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText))
    // Never signals, redirects, HTTP/2, credentials in URLs; a proxy only where one was asked for.
    check(meterd_curl_set_long(handle, CURLOPT_NOSIGNAL, 1))
    check(meterd_curl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0))
    check(meterd_curl_set_long(handle, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)))
    check(meterd_curl_set_long(handle, CURLOPT_DISALLOW_USERNAME_IN_URL, 1))
    switch options.proxy {
    case .none: "".withCString { check(meterd_curl_set_pointer(handle, CURLOPT_PROXY, $0)) }
    case .url(let url): url.withCString { check(meterd_curl_set_pointer(handle, CURLOPT_PROXY, $0)) }
    case .environment: break
    }
    check(meterd_curl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 1))
    check(meterd_curl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 2))
    if let file = options.certificateAuthorities {
      file.withCString { check(meterd_curl_set_pointer(handle, CURLOPT_CAINFO, $0)) }
    }
    check(meterd_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.connectTimeout)))
    check(meterd_curl_set_long(handle, CURLOPT_TIMEOUT_MS, milliseconds(request.timeout)))
    check(meterd_curl_set_long(handle, CURLOPT_MAXAGE_CONN, max(1, milliseconds(options.idleLifetime) / 1000)))
    check(meterd_curl_set_long(handle, CURLOPT_TCP_KEEPALIVE, 1))

    switch request.method {
    case "GET" where request.body.isEmpty: check(meterd_curl_set_long(handle, CURLOPT_HTTPGET, 1))
    case "HEAD": check(meterd_curl_set_long(handle, CURLOPT_NOBODY, 1))
    default:
      check(meterd_curl_set_long(handle, CURLOPT_POST, 1))
      check(meterd_curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count)))
      request.method.withCString { check(meterd_curl_set_pointer(handle, CURLOPT_CUSTOMREQUEST, $0)) }
    }
    check(meterd_curl_set_read(handle, curlReadBody, context))
    check(meterd_curl_set_seek(handle, curlRefuseRewind, context))
    check(meterd_curl_set_prerequest(handle, curlBeginSending, context))
    check(meterd_curl_set_write(handle, curlReceiveBody, context))
    check(meterd_curl_set_header(handle, curlReceiveHeader, context))
    check(setHeaders(handle))
    return worst == CURLE_OK ? nil : String(cString: curl_easy_strerror(worst))
  }

  private func setHeaders(_ handle: UnsafeMutableRawPointer) -> CURLcode {
    // "Name:" takes out what libcurl would add by itself; "Name;" sends an empty value.
    var lines = ["Expect:"]
    if firstHeader(request.headers, "Content-Type") == nil { lines.append("Content-Type:") }
    for (name, value) in request.headers { lines.append(value.isEmpty ? "\(name);" : "\(name): \(value)") }
    for line in lines {
      guard let longer = curl_slist_append(headerList, line) else { return CURLE_OUT_OF_MEMORY }
      headerList = longer
    }
    return meterd_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headerList)
  }

  private func problemOfRequest() -> String? {
    guard !request.method.isEmpty, request.method.utf8.allSatisfy(isTokenByte) else {
      return "the method \"\(request.method)\" is not an HTTP token"
    }
    guard !request.url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
      return "the URL holds a space or a control character"
    }
    for (name, value) in request.headers {
      guard !name.isEmpty, name.utf8.allSatisfy(isTokenByte) else {
        return "the header name \"\(name)\" is not an HTTP token"
      }
      guard !value.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D || $0 == 0 }) else {
        return "the value of header \(name) holds a line break or NUL"
      }
    }
    return nil
  }
}

private func isTokenByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"):
    true
  default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
  }
}

private func trim(_ text: Substring) -> Substring {
  let end = text.lastIndex { !$0.isWhitespace }.map { text.index(after: $0) } ?? text.startIndex
  return text[..<end].drop { $0.isWhitespace }
}

/// Whole milliseconds, at least 1: libcurl takes 0 for "no limit".
func milliseconds(_ duration: Duration) -> Int {
  let parts = duration.components
  return max(1, Int(parts.seconds) * 1000 + Int(parts.attoseconds / 1_000_000_000_000_000))
}

private func notSentReason(_ code: CURLcode?) -> HTTPFailure.NotSentReason {
  switch code {
  case nil: .cancelled
  case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .dns
  case CURLE_COULDNT_CONNECT, CURLE_INTERFACE_FAILED, CURLE_PROXY: .connect
  case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
    CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT:
    .tls
  case CURLE_OPERATION_TIMEDOUT: .timeout
  case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_LOGIN_DENIED: .invalidRequest
  default: .other
  }
}

private func ambiguousReason(_ code: CURLcode?) -> HTTPFailure.AmbiguousReason {
  switch code {
  case nil: .cancelled
  case CURLE_OPERATION_TIMEDOUT: .timeout
  case CURLE_GOT_NOTHING: .closed
  case CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE: .reset
  case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_CONTENT_ENCODING, CURLE_WRITE_ERROR:
    .malformedReply
  default: .other
  }
}
