internal import CCurl

// What libcurl calls, on the client's thread: free functions, each with its transfer as context. The transfer is alive:
// the client keeps it until libcurl has let go of the handle.

private func transfer(_ context: UnsafeMutableRawPointer?) -> HTTPTransfer? {
  context.map { Unmanaged<HTTPTransfer>.fromOpaque($0).takeUnretainedValue() }
}

func curlReadBody(
  _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let buffer, let transfer = transfer(context) else { return Int(CURL_READFUNC_ABORT) }
  return transfer.readBody(into: buffer, size * count)
}

func curlRefuseRewind(_ context: UnsafeMutableRawPointer?, _ offset: curl_off_t, _ origin: Int32) -> Int32 {
  transfer(context)?.refuseRewind() ?? CURL_SEEKFUNC_FAIL
}

func curlBeginSending(
  _ context: UnsafeMutableRawPointer?, _ remote: UnsafeMutablePointer<CChar>?, _ local: UnsafeMutablePointer<CChar>?,
  _ remotePort: Int32, _ localPort: Int32
) -> Int32 {
  transfer(context)?.beginSending() ?? CURL_PREREQFUNC_ABORT
}

func curlReceiveBody(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let transfer = transfer(context) else { return 0 }
  return transfer.receiveBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
}

func curlReceiveHeader(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  transfer(context)?.receiveHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
  return size * count
}
