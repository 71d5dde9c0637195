import Foundation
import Glibc

/// Sends these bytes on a fresh connection, and reads until the server closes.
func rawExchange(port: Int, _ request: String) async -> String {
  await withCheckedContinuation { continuation in
    // Blocking calls belong on a thread of their own.
    Thread.detachNewThread {
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
      precondition(connected == 0, "the fake takes connections")
      let bytes = Array(request.utf8)
      send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
      var reply: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 65_536)
      while true {
        let count = recv(connection, &chunk, chunk.count, 0)
        guard count > 0 else { break }
        reply.append(contentsOf: chunk[..<count])
      }
      continuation.resume(returning: String(decoding: reply, as: UTF8.self))
    }
  }
}
