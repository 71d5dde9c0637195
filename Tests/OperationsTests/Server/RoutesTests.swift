import Daemon
import Foundation
import HTTP
import Operations
import Testing

private struct Fixed: StatusSource {
  let value: DaemonStatus
  func status() -> DaemonStatus { value }
}

@Suite struct RoutesTests {
  private func answer(_ path: String, _ status: DaemonStatus = SampleStatus.healthy, method: String = "GET")
    -> ServerResponse
  {
    OperatorRoutes(status: Fixed(value: status), metrics: MeterdMetrics()).response(method: method, path: path)
  }

  private func text(_ response: ServerResponse) -> String { String(decoding: response.body, as: UTF8.self) }

  private func header(_ response: ServerResponse, _ name: String) -> String? {
    response.headers.first { $0.0 == name }?.1
  }

  @Test func health() {
    #expect(answer("/healthz/live", SampleStatus.empty).status == 200)
    #expect(answer("/healthz/ready").status == 200)
    #expect(text(answer("/healthz/ready")) == "{\"ready\":true,\"reasons\":[]}")
    let waiting = answer("/healthz/ready", SampleStatus.empty)
    #expect(waiting.status == 503)
    #expect(header(waiting, "Content-Type") == "application/json")
    #expect(text(waiting) == "{\"ready\":false,\"reasons\":[\"not yet a member of the group\"]}")
  }

  @Test func metricsAreTheTextFormat() {
    let metrics = answer("/metrics")
    #expect(metrics.status == 200)
    #expect(header(metrics, "Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
    #expect(text(metrics).contains("# TYPE process_cpu_seconds_total counter\n"))
  }

  @Test(arguments: SampleStatus.all.map(\.name))
  func theStatusReadsBack(_ name: String) throws {
    let status = try #require(SampleStatus.all.first { $0.name == name }?.status)
    let reply = answer("/v1/status", status)
    #expect(header(reply, "Content-Type") == "application/json")
    #expect(try JSONDecoder().decode(DaemonStatus.self, from: Data(reply.body)) == status)
  }

  @Test func theStatusHasTheContractsNames() throws {
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(answer("/v1/status", SampleStatus.stopped).body)) as? [String: Any])
    #expect(
      Set(object.keys) == [
        "version", "instance", "started_at", "ready", "reasons", "kafka", "partitions", "sinks", "conservation",
      ])
    let kafka = try #require(object["kafka"] as? [String: Any])
    #expect(Set(kafka.keys) == ["cluster_id", "topic", "group"])
    let partition = try #require((object["partitions"] as? [[String: Any]])?[2])
    #expect(
      Set(partition.keys) == ["partition", "state", "position", "head", "lag_records", "open_rows", "stop"])
    #expect(Set(try #require(partition["stop"] as? [String: Any]).keys) == ["reason", "offset", "detail", "remedy"])
    let sink = try #require((object["sinks"] as? [[String: Any]])?[0])
    #expect(
      Set(sink.keys) == [
        "name", "provider", "account", "circuit", "rows", "oldest_unsettled_age_seconds", "next_send_in_seconds",
      ])
    #expect(
      Set(try #require(sink["rows"] as? [String: Any]).keys) == ["in_flight", "parked", "uncertain", "deferred"])
    let conservation = try #require(object["conservation"] as? [String: Any])
    #expect(conservation["events"] as? Int == 0)
    #expect((conservation["quantity"] as? [String: String])?["books"] == "0")
  }

  @Test func statesHaveTheContractsNames() {
    #expect(
      PartitionStatus.State.allCases.map(\.rawValue) == [
        "recovering", "rebuilding", "counting", "blocked_by_transaction", "draining", "stopped",
      ])
    #expect(SinkStatus.Circuit.allCases.map(\.rawValue) == ["closed", "open", "probing"])
  }

  @Test func whatIsNotThereSaysWhatIs() {
    let missing = answer("/status")
    #expect(missing.status == 404)
    #expect(
      text(missing) == "There is nothing here. There is: /, /healthz/live, /healthz/ready, /metrics, /v1/status\n")
    let posted = answer("/v1/status", method: "POST")
    #expect(posted.status == 405)
    #expect(header(posted, "Allow") == "GET, HEAD")
    #expect(answer("/", method: "HEAD").status == 200)
  }

  @Test func thePageSaysHowItIs() {
    #expect(text(answer("/")).contains("All is well"))
    #expect(text(answer("/")).contains("Counting 4 partitions, reporting to 2 sinks, 51 records behind."))
    let stopped = text(answer("/", SampleStatus.stopped))
    #expect(stopped.contains("2 things need a person"))
    #expect(stopped.contains("Partition 2 stopped"))
    #expect(
      stopped.contains(
        "<pre><code>meterd ledger resolve 2 --reason window_not_retained --why TEXT --config /etc/meterd/meterd.yaml</code></pre>"
      ))
    #expect(stopped.contains("3 rows refused by stripe-live"))
    let open = text(answer("/", SampleStatus.circuitOpen))
    #expect(open.contains("Working, and waiting for others"))
    #expect(open.contains("stripe-live does not answer"))
    #expect(text(answer("/", SampleStatus.starting)).contains("read 12.0 of 40.1 million events of the window"))
    #expect(text(answer("/", SampleStatus.empty)).contains("not yet a member of the group"))
    #expect(!text(answer("/", SampleStatus.empty)).contains("Nothing lost"))
    #expect(
      text(answer("/", SampleStatus.many)).contains("61 counting, 1 blocked by a transaction, 1 draining, 1 stopped"))
  }

  @Test func brokenConservationIsTheFirstThing() throws {
    var status = SampleStatus.stopped
    status.conservation.events = -2
    status.conservation.quantity["books"] = "0.5"
    let page = text(answer("/", status))
    let events = try #require(page.firstRange(of: "The events do not add up")).lowerBound
    let books = try #require(page.firstRange(of: "The quantity at books does not add up")).lowerBound
    let partition = try #require(page.firstRange(of: "Partition 2 stopped")).lowerBound
    #expect(events < books && books < partition)
    #expect(page.contains("4 things need a person"))
    #expect(!status.conservation.holds)
  }

  @Test func nothingOnThePageIsMarkupButThePages() {
    let page = text(answer("/", SampleStatus.hostile))
    #expect(!page.contains("<script>alert"))
    #expect(!page.contains("alert('x')"))
    #expect(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&#39;&amp;"))
    #expect(page.split(separator: "<script").count == 2)
  }

  @Test func thePageAsksNoOtherHostForAnything() throws {
    let reply = answer("/")
    let page = text(reply)
    for outside in ["http://", "https://", "//cdn", "@import", "url("] {
      // The sample's webhook has an address of its own, as text.
      #expect(!page.split(separator: "https://books.example.com").joined().contains(outside), "\(outside)")
    }
    let policy = try #require(header(reply, "Content-Security-Policy"))
    let nonce = try #require(policy.split(separator: "'nonce-").dropFirst().first?.prefix { $0 != "'" })
    #expect(page.contains("<style nonce=\"\(nonce)\">") && page.contains("<script nonce=\"\(nonce)\">"))
    #expect(header(answer("/"), "Content-Security-Policy") != policy)
    #expect(header(reply, "Cache-Control") == "no-store")
  }

  @Test func theServerServesThem() async throws {
    let routes = OperatorRoutes(status: Fixed(value: SampleStatus.healthy), metrics: MeterdMetrics())
    let server = try HTTPServer(listen: "127.0.0.1:0") { routes.handle($0, $1) }
    defer { server.stop() }
    let client = try HTTPClient()
    defer { client.close() }
    for path in ["/", "/metrics", "/healthz/live", "/healthz/ready", "/v1/status"] {
      let result = await withCheckedContinuation { continuation in
        client.send(HTTPRequest(method: "GET", url: "http://127.0.0.1:\(server.port)\(path)")) {
          continuation.resume(returning: $0)
        }
      }
      guard case .response(let reply) = result else {
        Issue.record("\(path): \(result)")
        continue
      }
      #expect(reply.status == 200 && reply.body.count > 2, "\(path)")
      #expect(reply.header("Cache-Control") == "no-store")
    }
  }

  /// Writes the pages of all samples where METERD_STATUS_PAGES says, to be looked at in a browser.
  @Test(
    .enabled(if: ProcessInfo.processInfo.environment["METERD_STATUS_PAGES"] != nil, "METERD_STATUS_PAGES is not set"))
  func pagesToLookAt() throws {
    let folder = try #require(ProcessInfo.processInfo.environment["METERD_STATUS_PAGES"])
    for (name, status) in SampleStatus.all {
      try Data(answer("/", status).body).write(to: URL(fileURLWithPath: "\(folder)/\(name).html"))
    }
  }
}
