internal import CMicroHTTPD
internal import Glibc

/// Opens, binds and listens on `host:port`; the socket and the port that it got.
///
/// libmicrohttpd could do it, but says only that it failed, not why.
func openListener(_ listen: String) throws(HTTPServerError) -> (socket: Int32, port: Int) {
  guard let colon = listen.lastIndex(of: ":"), let port = UInt16(listen[listen.index(after: colon)...]) else {
    throw .invalidAddress(listen: listen)
  }
  var host = String(listen[..<colon])
  if host.hasPrefix("["), host.hasSuffix("]") {
    host = String(host.dropFirst().dropLast())
  } else if host.contains(":") {
    throw .invalidAddress(listen: listen)
  }

  var hints = addrinfo()
  hints.ai_family = AF_UNSPEC
  hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
  if host.isEmpty || host == "*" {
    host = ""
    hints.ai_family = AF_INET
  }
  var list: UnsafeMutablePointer<addrinfo>?
  let code = getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &list)
  defer { if let list { freeaddrinfo(list) } }
  guard code == 0, let address = list?.pointee else {
    throw .unknownHost(listen: listen, detail: String(cString: gai_strerror(code)))
  }

  let descriptor = socket(
    address.ai_family, address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
  guard descriptor >= 0 else { throw .setup(listen: listen, detail: String(cString: strerror(errno))) }
  var on: Int32 = 1
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
  guard bind(descriptor, address.ai_addr, address.ai_addrlen) == 0, Glibc.listen(descriptor, 1024) == 0 else {
    let problem = errno
    close(descriptor)
    let detail = String(cString: strerror(problem))
    switch problem {
    case EADDRINUSE: throw .addressInUse(listen: listen)
    case EACCES, EPERM, EADDRNOTAVAIL: throw .notPermitted(listen: listen, detail: detail)
    default: throw .setup(listen: listen, detail: detail)
    }
  }

  var bound = sockaddr_storage()
  var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
  let chosen = withUnsafeMutablePointer(to: &bound) { storage in
    storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) == 0 }
      // sin_port and sin6_port lie at the same place.
      ? storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { Int(UInt16(bigEndian: $0.pointee.sin_port)) }
      : Int(port)
  }
  return (descriptor, chosen)
}

/// The address in numbers, without the port.
func numericHost(_ address: UnsafePointer<sockaddr>?) -> String {
  guard let address else { return "" }
  let size =
    address.pointee.sa_family == sa_family_t(AF_INET6)
    ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
  var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
  let code = getnameinfo(address, socklen_t(size), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
  return code == 0 ? String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
}
