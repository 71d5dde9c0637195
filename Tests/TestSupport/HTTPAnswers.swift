package import HTTP

extension HTTPClient {
  /// Sends the request, and waits for what becomes of it.
  package func send(_ request: HTTPRequest) async -> HTTPResult {
    await withCheckedContinuation { continuation in send(request) { continuation.resume(returning: $0) } }
  }
}

extension HTTPResult {
  package var response: HTTPResponse? {
    if case .response(let response) = self { response } else { nil }
  }
  package var failure: HTTPFailure.Kind? {
    if case .failure(let failure) = self { failure.kind } else { nil }
  }
  package var status: Int? { response?.status }
}
