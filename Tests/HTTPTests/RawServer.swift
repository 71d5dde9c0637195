import Glibc
import HTTP
import TestSupport

/// A server on a bare socket, which does to each request exactly what a test says: no library decides for it.
final class RawServer: Sendable {
  enum Action: Sendable {
    /// These bytes; the connection stays.
    case reply(String)
    /// These bytes, then an orderly end.
    case replyAndClose(String)
    case close
    case reset
    /// No answer; the connection stays until the server stops.
    case hang
  }

  struct Request: Sendable {
    /// Which connection it came on, from 0.
    let connection: Int
    let head: String
    let body: [UInt8]
  }

  private struct State {
    var requests: [Request] = []
    var connections: [Int32] = []
    var isStopped = false
  }

  let port: Int
  private let listener: Int32
  private let state = Locked(State())
  private let script: @Sendable (Int) -> Action

  /// `script` is given the number of the request, from 0, over all connections.
  init(_ script: @escaping @Sendable (Int) -> Action) {
    self.script = script
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { [listener] pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    precondition(bound, "a port on the loopback interface")
    port = Int(UInt16(bigEndian: address.sin_port))
    OwnThread.detach { [self] in acceptConnections() }
  }

  var url: String { "http://127.0.0.1:\(port)/" }
  var requests: [Request] { state.withLock { $0.requests } }
  var connectionCount: Int { state.withLock { $0.connections.count } }

  func stop() {
    let connections = state.withLock { state in
      state.isStopped = true
      return state.connections
    }
    shutdown(listener, Int32(SHUT_RDWR))
    for connection in connections { shutdown(connection, Int32(SHUT_RDWR)) }
  }

  private func acceptConnections() {
    while true {
      let connection = accept(listener, nil, nil)
      guard connection >= 0 else { break }
      let number = state.withLock { state in
        state.connections.append(connection)
        return state.isStopped ? nil : state.connections.count - 1
      }
      guard let number else { break }
      OwnThread.detach { [self] in serve(connection, number) }
    }
    close(listener)
  }

  private func serve(_ connection: Int32, _ number: Int) {
    var buffer: [UInt8] = []
    while let request = read(connection, number, &buffer) {
      let count = state.withLock { state in
        state.requests.append(request)
        return state.requests.count - 1
      }
      switch script(count) {
      case .reply(let text): write(connection, text)
      case .replyAndClose(let text):
        write(connection, text)
        shutdown(connection, Int32(SHUT_RDWR))
        return
      case .close:
        shutdown(connection, Int32(SHUT_RDWR))
        return
      case .reset:
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(connection, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close(connection)
        return
      case .hang: break
      }
    }
  }

  /// Reads up to the blank line, then as much as Content-Length says.
  private func read(_ connection: Int32, _ number: Int, _ buffer: inout [UInt8]) -> Request? {
    let blank = Array("\r\n\r\n".utf8)
    while true {
      if let end = buffer.indices.first(where: { buffer[$0...].starts(with: blank) }) {
        let head = String(decoding: buffer[..<end], as: UTF8.self)
        let length =
          head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
          .flatMap { Int($0.split(separator: " ").last ?? "") } ?? 0
        if buffer.count >= end + 4 + length {
          let body = Array(buffer[(end + 4)..<(end + 4 + length)])
          buffer.removeFirst(end + 4 + length)
          return Request(connection: number, head: head, body: body)
        }
      }
      var chunk = [UInt8](repeating: 0, count: 65_536)
      let count = recv(connection, &chunk, chunk.count, 0)
      guard count > 0 else { return nil }
      buffer.append(contentsOf: chunk[..<count])
    }
  }

  private func write(_ connection: Int32, _ text: String) {
    let bytes = Array(text.utf8)
    send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }
}
