internal import Glibc

/// Blocking socket calls belong on threads of their own, not on a pool that tests share.
package enum OwnThread {
  private final class Work {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  package static func detach(_ run: @escaping @Sendable () -> Void) {
    var id = pthread_t()
    let context = Unmanaged.passRetained(Work(run)).toOpaque()
    let code = pthread_create(
      &id, nil,
      { context in
        if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run() }
        return nil
      }, context)
    precondition(code == 0, "a thread")
    pthread_detach(id)
  }
}

/// Sends these bytes on a fresh connection, and reads until the server closes, or `until` has been seen.
package func rawExchange(port: Int, _ request: String, until: String? = nil) async -> String {
  await withCheckedContinuation { continuation in
    OwnThread.detach {
      let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(connection) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      address.sin_port = UInt16(port).bigEndian
      let connected = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      precondition(connected == 0, "the server under test takes connections")
      let bytes = Array(request.utf8)
      send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
      var reply: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 65_536)
      while true {
        let count = recv(connection, &chunk, chunk.count, 0)
        guard count > 0 else { break }
        reply.append(contentsOf: chunk[..<count])
        if let until, String(decoding: reply, as: UTF8.self).contains(until) { break }
      }
      continuation.resume(returning: String(decoding: reply, as: UTF8.self))
    }
  }
}
