internal import Glibc
internal import Synchronization

/// How much a log line matters.
public enum LogLevel: Int, Sendable, Comparable, CaseIterable {
  case debug, info, warning
  /// Data was lost, or a person must act. Nothing else is an error.
  case error

  /// The name in configuration and log lines.
  public var name: String {
    switch self {
    case .debug: "debug"
    case .info: "info"
    case .warning: "warning"
    case .error: "error"
    }
  }

  /// The level of that name.
  public init?(name: String) {
    guard let level = LogLevel.allCases.first(where: { $0.name == name }) else { return nil }
    self = level
  }

  public static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// The value of one field. There is deliberately no case that takes a ``Secret``.
public enum LogValue: Sendable, Hashable {
  case string(String)
  case integer(Int64)
  case number(Double)
  case boolean(Bool)
}

/// Something that happened, worth a line: a stable name, a level, a sentence for people and fields for programs.
///
/// Events are made by named factories, in extensions beside the code whose story they tell (LogEvents.swift has the
/// common ones), so that a name is spelt in one place only. The initializer is for those factories.
public struct LogEvent: Sendable {
  /// Stable, `area.what_happened`: alerts are built on it.
  public let name: StaticString
  public let level: LogLevel
  /// One sentence; what to do is part of it where the level is error.
  public let message: String
  /// In the order in which they are printed.
  public let fields: [(name: StaticString, value: LogValue)]
  /// What makes two of these events the same story: of those that have it in common, one in ten seconds is written, and
  /// says how many were not. nil: each is written.
  public let story: String?

  public init(
    _ name: StaticString, _ level: LogLevel, _ message: String, _ fields: [(StaticString, LogValue)] = [],
    story: String? = nil
  ) {
    self.story = story
    self.name = name
    self.level = level
    self.message = message
    self.fields = fields.map { (name: $0.0, value: $0.1) }
  }

  /// The same event, which also says how many like it were not written.
  fileprivate func with(untold: Int64) -> LogEvent {
    LogEvent(name, level, message, fields.map { ($0.name, $0.value) } + [("repeats", .integer(untold))])
  }
}

/// The one place through which log lines leave the process.
///
/// Concurrency: ``emit(_:)`` may be called from every thread; a line is formatted outside the lock and written whole
/// inside it, so lines never mix. What happens often is a metric, not an event: nothing here is for hot paths.
public final class Log: Sendable {
  public enum Format: String, Sendable, CaseIterable { case text, json }

  private let level: LogLevel
  private let format: Format
  private let secrets: [String]
  private let now: @Sendable () -> Int64
  /// A closure that itself is a mutex's value would grow a thunk with every access.
  private struct Output { var write: @Sendable ([UInt8]) -> Void }
  private let output: Mutex<Output>
  private let stories = Mutex(Stories())

  /// What was told lately, so that a broker that is away for an hour does not fill the disk.
  private struct Stories {
    private static let pauseMilliseconds: Int64 = 10_000
    private static let most = 1_000
    private struct Told {
      var at: Int64
      var untold: Int64
    }
    private var told: [String: Told] = [:]

    /// Whether to tell it now, and how often it was not told since the last time; nil: not now.
    mutating func tell(_ key: String, now: Int64) -> Int64? {
      if let last = told[key], now >= last.at, now - last.at < Self.pauseMilliseconds {
        told[key]?.untold += 1
        return nil
      }
      let untold = told[key]?.untold ?? 0
      if told.count >= Self.most { told = told.filter { now - $0.value.at < Self.pauseMilliseconds } }
      told[key] = Told(at: now, untold: 0)
      return untold
    }
  }

  /// A log.
  ///
  /// - Parameters:
  ///   - level: Events below it are dropped.
  ///   - redacting: The credentials of this process: wherever one of them would stand in a line (a provider's reply may
  ///     repeat it), `••••` does. Those of fewer than 6 characters are not looked for: they would mask half of every line.
  ///   - now: The clock, Unix milliseconds.
  ///   - write: Takes each line, its line feed included; by default to standard error.
  public init(
    level: LogLevel = .info, format: Format = .text, redacting secrets: [Secret] = [],
    now: @escaping @Sendable () -> Int64 = { Timestamp.nowMilliseconds() },
    write: @escaping @Sendable ([UInt8]) -> Void = { Log.writeToStandardError($0) }
  ) {
    self.level = level
    self.format = format
    // Longer ones first: one credential may be the start of another.
    self.secrets = secrets.map { $0.reveal() }.filter { $0.utf8.count >= 6 }.sorted { $0.utf8.count > $1.utf8.count }
    self.now = now
    self.output = Mutex(Output(write: write))
  }

  /// Whether events of that level are written: for those that are costly to make.
  public func isEnabled(_ level: LogLevel) -> Bool { level >= self.level }

  /// Writes one event.
  public func emit(_ event: LogEvent) {
    guard isEnabled(event.level) else { return }
    let now = now()
    var event = event
    if let story = event.story {
      let untold = stories.withLock { $0.tell("\(event.name) \(story)", now: now) }
      guard let untold else { return }
      if untold > 0 { event = event.with(untold: untold) }
    }
    let time = Timestamp.rfc3339(milliseconds: now)
    let line = format == .json ? json(event, time: time) : text(event, time: time)
    output.withLock { $0.write(Array(line.utf8)) }
  }

  private func json(_ event: LogEvent, time: String) -> String {
    var output = JSONText()
    output.object { output in
      output.member("time", time)
      output.member("level", event.level.name)
      output.member("event", "\(event.name)")
      output.member("message", redacted(event.message))
      for (name, value) in event.fields {
        output.name("\(name)")
        switch value {
        case .string(let text): output.value(redacted(text))
        case .integer(let number): output.value(number)
        case .number(let number): output.value(number)
        case .boolean(let flag): output.value(flag)
        }
      }
    }
    return output.string + "\n"
  }

  private func text(_ event: LogEvent, time: String) -> String {
    let level = event.level.name.uppercased()
    var line = "\(time) \(level)\(String(repeating: " ", count: 8 - level.count))\(event.name)  "
    line += Log.printable(redacted(event.message))
    for (name, value) in event.fields {
      switch value {
      case .string(let text): line += " \(name)=\(Log.quoted(redacted(text)))"
      case .integer(let number): line += " \(name)=\(number)"
      case .number(let number): line += " \(name)=\(SeriesText.number(number))"
      case .boolean(let flag): line += " \(name)=\(flag)"
      }
    }
    return line + "\n"
  }

  private func redacted(_ text: String) -> String {
    var text = text
    for secret in secrets where text.utf8.count >= secret.utf8.count {
      text = text.split(separator: secret, omittingEmptySubsequences: false).joined(separator: Secret.mask)
    }
    return text
  }

  /// A field's value: bare where it is one word, else in quotes.
  private static func quoted(_ text: String) -> String {
    let isWord =
      !text.isEmpty
      && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=") }
    if isWord { return printable(text) }
    return "\"" + printable(text).split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"")
      + "\""
  }

  /// One line, whatever a provider or an event put into it: control characters would forge lines or drive terminals.
  private static func printable(_ text: String) -> String {
    var output = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": output += "\\n"
      case "\r": output += "\\r"
      case "\t": output += "\\t"
      case _ where scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format:
        output += "\\u{\(String(scalar.value, radix: 16))}"
      default: output.unicodeScalars.append(scalar)
      }
    }
    return output
  }

  /// Writes all bytes to standard error. A log that cannot be written has nowhere to complain: what is left is dropped.
  public static func writeToStandardError(_ line: [UInt8]) {
    var written = 0
    while written < line.count {
      let count = line[written...].withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        return
      }
      written += count
    }
  }
}
