internal import CMicroHTTPD

// What libmicrohttpd calls, on its own threads: free functions. A request's context is its exchange, retained from the
// request line until the completion callback.

func mhdRequestBegun(
  _ context: UnsafeMutableRawPointer?, _ uri: UnsafePointer<CChar>?, _ connection: OpaquePointer?
) -> UnsafeMutableRawPointer? {
  guard let context, let uri else { return nil }
  let core = Unmanaged<HTTPServerCore>.fromOpaque(context).takeUnretainedValue()
  let exchange = ServerExchange(core, target: String(cString: uri))
  core.begin(exchange)
  return Unmanaged.passRetained(exchange).toOpaque()
}

func mhdHandleRequest(
  _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ url: UnsafePointer<CChar>?,
  _ method: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?, _ upload: UnsafePointer<CChar>?,
  _ size: UnsafeMutablePointer<Int>?, _ request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
  guard let connection, let size, let exchange = request?.pointee else { return .NO }
  return Unmanaged<ServerExchange>.fromOpaque(exchange).takeUnretainedValue()
    .proceed(connection, method: method, upload: upload, size: size)
}

func mhdRequestCompleted(
  _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
  _ request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ why: MHD_RequestTerminationCode
) {
  guard let request, let exchange = request.pointee else { return }
  request.pointee = nil
  Unmanaged<ServerExchange>.fromOpaque(exchange).takeRetainedValue().complete()
}

func mhdCollectHeader(
  _ context: UnsafeMutableRawPointer?, _ kind: MHD_ValueKind, _ name: UnsafePointer<CChar>?,
  _ value: UnsafePointer<CChar>?
) -> MHD_Result {
  guard let context, let name else { return .NO }
  Unmanaged<HeaderList>.fromOpaque(context).takeUnretainedValue().pairs
    .append((String(cString: name), value.map { String(cString: $0) } ?? ""))
  return .YES
}
