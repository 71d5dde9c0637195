import HTTP

extension HTTPClient {
  func send(_ request: HTTPRequest) async -> HTTPResult {
    await withCheckedContinuation { continuation in send(request) { continuation.resume(returning: $0) } }
  }
}

extension HTTPResult {
  var response: HTTPResponse? {
    if case .response(let response) = self { response } else { nil }
  }
  var failure: HTTPFailure.Kind? {
    if case .failure(let failure) = self { failure.kind } else { nil }
  }
}

func ok(_ body: String = "ok") -> String {
  "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
}
