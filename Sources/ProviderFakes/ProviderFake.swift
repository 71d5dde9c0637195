internal import Glibc
public import HTTP

/// What all fakes have in common.
public struct FakeServerOptions: Sendable {
  /// What goes wrong, and how often.
  public var faults: FaultSpec
  /// Where the record is appended to (INTERFACE.md, `--record`); nil for none.
  public var recordFile: String?
  /// How long each request takes to be worked on; only this makes concurrent calls meet.
  public var latency: Duration
  /// In place of a wait: is given what completes each request, to be called when a test sees fit.
  package var hold: (@Sendable (_ complete: @escaping @Sendable () -> Void) -> Void)?
  /// The provider's clock: Unix milliseconds. Windows and rates follow it; waits are real.
  public var clock: @Sendable () -> Int64

  public init(
    faults: FaultSpec = .none, recordFile: String? = nil, latency: Duration = .zero,
    clock: @escaping @Sendable () -> Int64 = { FakeServerOptions.systemClock() }
  ) {
    self.faults = faults
    self.recordFile = recordFile
    self.latency = latency
    self.clock = clock
  }

  /// The system's time in Unix milliseconds.
  public static func systemClock() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
  }
}

/// A provider's stand-in on a port of its own: it takes real requests, keeps the provider's rules, and can be told to
/// misbehave. It keeps what it booked in memory, across `stop` and `start`.
///
/// Over HTTP, for other processes, not counted and never faulty: `GET /_fake/totals`, `GET /_fake/violations`,
/// `GET /_fake/effects?key=K`, `POST /_fake/outage` `{"on": true, "mode": "unavailable"}` and `POST /_fake/faults`
/// `{"spec": "…"}`.
public protocol ProviderFake: AnyObject, Sendable {
  /// Its server, which keeps its rules.
  var host: FakeHost { get }
}

extension ProviderFake {
  /// Begins to serve on `host:port`; port 0 lets the system choose.
  public func start(listen: String) throws(HTTPServerError) { try host.start(listen: listen) }
  /// The port that it serves on; 0 while it does not.
  public var port: Int { host.port }
  /// Refuses connections from now on; what it booked stays.
  public func stop() { host.stop() }
  /// What it has booked.
  public func totals() -> [FakeTotal] { effects.totals() }
  /// All that it has seen.
  public var effects: EffectLedger { host.effects }
  /// What goes wrong: to be changed while it runs.
  public var faults: FaultInjector { host.faults }
  /// Where it serves, for a sink's base URL.
  public var baseURL: String { "http://127.0.0.1:\(port)" }
}

/// The fakes by their provider's name in a configuration.
public enum FakeCatalog {
  /// Providers that have a fake.
  public static let providers = ["stripe", "webhook"]

  /// A fake with its usual rules, as `meterd fake PROVIDER` runs it; nil for a provider without one. `secret` is the
  /// webhook's signing secret (by default signatures are not compared), or the only API key that Stripe's fake takes
  /// (by default any `sk_test_…`).
  public static func make(
    provider: String, server: FakeServerOptions, secret: String? = nil
  ) throws(RecordFileError) -> (any ProviderFake)? {
    switch provider {
    case "stripe": try StripeFake(StripeFakeOptions(secretKey: secret), server: server)
    case "webhook": try WebhookFake(WebhookFakeOptions(secret: secret), server: server)
    default: nil
    }
  }
}
