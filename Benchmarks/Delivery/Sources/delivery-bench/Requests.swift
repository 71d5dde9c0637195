import Dispatch
import Glibc
import HTTP
import Synchronization

/// Requests to a server in the same process over loopback, so many at once: what the transport costs beside the rows.
enum Requests {
  /// What is asked for again and again until all are sent.
  private final class Run: Sendable {
    struct State {
      var started = 0
      var finished = 0
      var failed = 0
    }
    let state = Mutex(State())
    let done = DispatchSemaphore(value: 0)
    let client: HTTPClient
    let request: HTTPRequest
    let count: Int

    init(_ client: HTTPClient, _ request: HTTPRequest, count: Int) {
      self.client = client
      self.request = request
      self.count = count
    }

    func next() {
      let isLeft = state.withLock { state in
        guard state.started < count else { return false }
        state.started += 1
        return true
      }
      guard isLeft else { return }
      client.send(request) { [self] result in
        let isLast = state.withLock { state in
          if case .failure = result { state.failed += 1 }
          state.finished += 1
          return state.finished == count
        }
        if isLast { done.signal() } else { next() }
      }
    }
  }

  static func measure(count: Int, bytes: Int, concurrency: Int) throws {
    let server = try HTTPServer(listen: "127.0.0.1:0", options: HTTPServerOptions(maxBodyBytes: 16 << 20)) {
      request, responder in
      responder.respond(.text(200, "ok"))
    }
    defer { server.stop(grace: .zero) }
    let client = try HTTPClient(HTTPClientOptions(maxConnectionsPerHost: concurrency + 1))
    defer { client.close() }
    let request = HTTPRequest(
      method: "POST", url: "http://127.0.0.1:\(server.port)/usage", headers: [("Content-Type", "application/json")],
      body: [UInt8](repeating: UInt8(ascii: "x"), count: bytes))
    let run = Run(client, request, count: count)
    let before = (wall: ContinuousClock.now, cpu: cpuMicroseconds())
    for _ in 0..<concurrency { run.next() }
    run.done.wait()
    let elapsed = (ContinuousClock.now - before.wall).components
    let seconds = Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
    let cpu = (cpuMicroseconds() - before.cpu) / count
    let failed = run.state.withLock { $0.failed }
    print(
      "\(bytes) bytes, \(concurrency) at once: \(Int(Double(count) / seconds)) requests/s, "
        + "\(cpu) µs of CPU each (client and server together), \(failed) failed")
  }

  private static func cpuMicroseconds() -> Int {
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000
      + Int(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
  }
}
