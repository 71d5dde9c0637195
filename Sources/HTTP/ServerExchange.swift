internal import CMicroHTTPD
internal import Glibc

/// One request and its answer, from the request line to the last byte of the reply.
///
/// libmicrohttpd calls in on one thread at a time for one connection; the answer may come from any thread. The lock
/// orders an answer against the suspension: an answer that comes while the handler still runs is queued by the
/// connection's own thread; a later one finds the connection suspended and resumes it.
///
/// `@unchecked Sendable`: what is read of the request belongs to the connection's thread; all else is in `phase`.
final class ServerExchange: @unchecked Sendable {
  enum Answer: Sendable {
    case response(ServerResponse)
    case drop(reset: Bool)
  }

  private enum Phase {
    /// The request is arriving, or the handler runs and has not answered.
    case open
    /// Suspended until there is an answer.
    case suspended
    /// Answered; the connection's thread takes it from here.
    case answered(Answer)
    /// Handed to libmicrohttpd, or the connection is gone.
    case done
  }

  /// Let go once the request is completed: a responder that someone keeps must not keep the server's handler.
  private var core: HTTPServerCore?
  private let target: String
  private let phase = Locked(Phase.open)
  /// The connection, while `phase` says suspended: it lives as long. Touched only under that lock.
  private var suspended: OpaquePointer?
  private var hasHeaders = false
  private var isHandled = false
  private var body: [UInt8] = []
  private var received = 0

  init(_ core: HTTPServerCore, target: String) {
    self.core = core
    self.target = target
  }

  func answer(_ answer: Answer) {
    phase.withLock { phase in
      switch phase {
      case .open: phase = .answered(answer)
      case .suspended:
        phase = .answered(answer)
        MHD_resume_connection(suspended)
      case .answered, .done: break
      }
    }
  }

  private var isAnswered: Bool {
    phase.withLock { phase in
      if case .open = phase { false } else { true }
    }
  }

  /// The connection is through with this request: answers from now on are too late.
  func complete() {
    phase.withLock { $0 = .done }
    core?.end(self)
    core = nil
  }

  /// One call of libmicrohttpd: first with the headers, then with pieces of the body, then with none, and once more
  /// after a resumption.
  func proceed(
    _ connection: OpaquePointer, method: UnsafePointer<CChar>?, upload: UnsafePointer<CChar>?,
    size: UnsafeMutablePointer<Int>
  ) -> MHD_Result {
    guard let core else { return .NO }
    if !hasHeaders {
      hasHeaders = true
      let declared =
        MHD_lookup_connection_value(connection, MHD_ValueKind.HEADER_KIND, "Content-Length")
        .flatMap { UInt64(String(cString: $0)) } ?? 0
      return declared > UInt64(core.maxBodyBytes) ? queue(connection, Self.tooLarge(core)) : .YES
    }
    if size.pointee > 0 {
      received += size.pointee
      let room = core.maxBodyBytes - body.count
      body.append(contentsOf: UnsafeRawBufferPointer(start: upload, count: min(room, size.pointee)))
      size.pointee = 0
      // A chunked body that goes on and on is not read to its end.
      return received > 4 * core.maxBodyBytes + (1 << 20) ? .NO : .YES
    }
    if !isHandled {
      isHandled = true
      if received > core.maxBodyBytes { return queue(connection, Self.tooLarge(core)) }
      // Already answered: the server is stopping, and the handler must not begin what nobody will be told.
      if !isAnswered { core.handler(request(connection, method), Responder(self)) }
    }
    return finish(connection)
  }

  private func finish(_ connection: OpaquePointer) -> MHD_Result {
    let answer: Answer? = phase.withLock { phase in
      switch phase {
      case .answered(let answer):
        phase = .done
        return answer
      case .open, .suspended:
        phase = .suspended
        suspended = connection
        MHD_suspend_connection(connection)
        return nil
      case .done: return .drop(reset: false)
      }
    }
    switch answer {
    case nil: return .YES
    case .response(let response): return queue(connection, response)
    case .drop(let reset):
      if reset { setReset(connection) }
      return .NO
    }
  }

  private func queue(_ connection: OpaquePointer, _ answer: ServerResponse) -> MHD_Result {
    let response = answer.body.withUnsafeBytes { body in
      MHD_create_response_from_buffer(
        body.count, UnsafeMutableRawPointer(mutating: body.baseAddress), MHD_ResponseMemoryMode.RESPMEM_MUST_COPY)
    }
    guard let response else { return .NO }
    defer { MHD_destroy_response(response) }
    for (name, value) in answer.headers { MHD_add_response_header(response, name, value) }
    if core?.isStopping ?? true { MHD_add_response_header(response, "Connection", "close") }
    return MHD_queue_response(connection, UInt32(answer.status), response)
  }

  private func request(_ connection: OpaquePointer, _ method: UnsafePointer<CChar>?) -> ServerRequest {
    let bytes = Array(target.utf8)
    let mark = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
    let rawPath = String(decoding: bytes[..<mark], as: UTF8.self)
    let headers = HeaderList()
    MHD_get_connection_values(
      connection, MHD_ValueKind.HEADER_KIND, mhdCollectHeader, Unmanaged.passUnretained(headers).toOpaque())
    let taken = body
    body = []
    return ServerRequest(
      method: method.map { String(cString: $0) } ?? "",
      path: FormEncoding.unescape(bytes[..<mark], plusIsSpace: false) ?? rawPath, rawPath: rawPath,
      query: FormEncoding.decode(Array(bytes[min(mark + 1, bytes.endIndex)...])) ?? [],
      headers: headers.pairs, body: taken, remote: numericHost(meterd_mhd_connection_remote(connection)))
  }

  /// A zero linger makes the coming close a reset.
  private func setReset(_ connection: OpaquePointer) {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      meterd_mhd_connection_socket(connection), SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }

  private static func tooLarge(_ core: HTTPServerCore) -> ServerResponse {
    .text(413, "the body is larger than \(core.maxBodyBytes) bytes\n")
  }
}

/// Where the header callback puts what it is given; used within one call only.
final class HeaderList {
  var pairs: [(String, String)] = []
}
