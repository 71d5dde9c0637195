internal import Daemon
internal import Glibc
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
    Self.raiseFileLimit()
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
    var pages: HTTPServer?
    if let listen {
      do throws(HTTPServerError) {
        pages = try HTTPServer(listen: listen) { routes.handle($0, $1) }
      } catch {
        let problem = "http.listen: \(error)"
        // A dry run beside the daemon that it was made for: its port is taken, and nobody waits for its pages.
        guard settings.isDryRun else { throw CommandFailure(.configuration, problem) }
        log.emit(.configurationWarning("\(problem); this dry run has no pages"))
      }
    }
    server = pages
    if let pages, let listen {
      let host = listen.lastIndex(of: ":").map { String(listen[..<$0]) } ?? listen
      address = "\(host):\(pages.port)"
      log.emit(.httpListening(address: address))
    } else {
      address = ""
    }
    do throws(StartError) {
      try daemon.start()
    } catch {
      server?.stop(grace: .zero)
      throw error
    }
  }

  /// Each sealed segment of each partition is an open file: what a shell or systemd gives a process (1,024) is too little
  /// for some ninety partitions, and whoever set a hard limit meant that one. Where it cannot be raised, a partition that
  /// meets it says so.
  private static func raiseFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
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
