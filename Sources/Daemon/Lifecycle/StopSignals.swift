internal import Dispatch
internal import Glibc
internal import Synchronization

/// SIGINT and SIGTERM as a wish to stop: the first one is told, a second one ends the process at once, which is safe.
///
/// One for a process; it lasts as long as the process.
public final class StopSignals: Sendable {
  private let isAsked = Flag()
  private let first = DispatchSemaphore(value: 0)
  private struct Sources: @unchecked Sendable {
    // Unchecked: set once, in init, and only kept alive.
    var all: [any DispatchSourceSignal] = []
  }
  private let sources: Sources
  private let name = Mutex<String?>(nil)

  /// Takes the signals over from their default, which is to end the process.
  public init() {
    let queue = DispatchQueue(label: "signals")
    var sources = Sources()
    for (number, _) in Self.watched {
      signal(number, SIG_IGN)
      sources.all.append(DispatchSource.makeSignalSource(signal: number, queue: queue))
    }
    self.sources = sources
    for (source, (number, name)) in zip(sources.all, Self.watched) {
      source.setEventHandler { [weak self] in self?.came(number, name) }
      source.resume()
    }
  }

  private static let watched: [(Int32, String)] = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM")]

  /// Whether a stop is wished.
  public var isStopAsked: Bool { isAsked.isSet }

  /// Waits for the first signal; its name.
  public func wait() -> String {
    first.wait()
    first.signal()
    return name.withLock { $0 } ?? "SIGTERM"
  }

  /// Asks for a stop as a signal would.
  public func ask(_ why: String) {
    guard isAsked.set() else { return }
    name.withLock { $0 = why }
    first.signal()
  }

  private func came(_ number: Int32, _ name: String) {
    if isAsked.isSet { _exit(128 + number) }
    ask(name)
  }
}
