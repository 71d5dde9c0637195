internal import Daemon
internal import HTTP
internal import Kafka
internal import Operations

/// A daemon with its HTTP pages, as `run` and `demo` have it.
final class RunningDaemon: Sendable {
  let daemon: MeteringDaemon
  let metrics: MeterdMetrics
  /// Where the pages are; empty without them.
  let address: String
  private let log: Log
  private let server: HTTPServer?

  /// Starts both.
  ///
  /// - Parameter listen: `http.listen`; nil for no pages.
  init(
    _ settings: DaemonSettings, listen: String?, log: Log, onFatal: @escaping @Sendable (StartError) -> Void
  ) throws {
    self.log = log
    let metrics = MeterdMetrics()
    self.metrics = metrics
    metrics.buildInfo[
      BuildLabels(version: Version.meterd, librdkafka: Version.librdkafka, lmdb: Version.lmdb)
    ].set(1)
    let daemon = MeteringDaemon(settings: settings, log: log, metrics: metrics, onFatal: onFatal)
    self.daemon = daemon
    // Before the port: a second meterd on the same folder shall hear of the folder.
    try daemon.takeStorage()
    metrics.registry.addCollector { [weak daemon] in daemon?.collect() }
    let routes = OperatorRoutes(status: daemon, metrics: metrics)
    if let listen {
      do throws(HTTPServerError) {
        server = try HTTPServer(listen: listen) { routes.handle($0, $1) }
      } catch {
        throw CommandFailure(.configuration, "http.listen: \(listen): \(error)")
      }
      let host = listen.lastIndex(of: ":").map { String(listen[..<$0]) } ?? listen
      address = "\(host):\(server?.port ?? 0)"
      log.emit(.httpListening(address: address))
    } else {
      server = nil
      address = ""
    }
    do throws(StartError) {
      try daemon.start()
    } catch {
      server?.stop(grace: .zero)
      throw error
    }
  }

  /// Stops gracefully within the time.
  func stop(signal: String, graceMilliseconds: Int64) {
    let begin = Clock.elapsedMilliseconds()
    log.emit(.daemonStopping(signal: signal, graceSeconds: Double(graceMilliseconds) / 1_000))
    daemon.stop(graceMilliseconds: graceMilliseconds)
    server?.stop(grace: .milliseconds(200))
    log.emit(.daemonStopped(seconds: Double(Clock.elapsedMilliseconds() - begin) / 1_000))
  }
}
