internal import Daemon

/// How far a piece of work has come. On a terminal one line that changes; elsewhere, such as in a log file, a line now and
/// then, and the last one.
struct ProgressLine {
  /// How long a line stands at least, milliseconds.
  private static let pauseMilliseconds: Int64 = Terminal.isInteractive ? 100 : 5_000
  private var shown = ""
  private var nextAt = Terminal.isInteractive ? 0 : Clock.elapsedMilliseconds() + pauseMilliseconds

  /// Shows the text, if it is time, or it is the last one.
  mutating func show(isLast: Bool = false, _ text: () -> String) {
    let now = Clock.elapsedMilliseconds()
    guard isLast || now >= nextAt else { return }
    nextAt = now + Self.pauseMilliseconds
    let text = text()
    guard text != shown else { return }
    shown = text
    if Terminal.isInteractive { Terminal.overwriteLine(text) } else { Terminal.note(text) }
  }

  /// Ends the line: what is written next stands below it.
  mutating func end() {
    if Terminal.isInteractive, !shown.isEmpty { Terminal.overwriteLine(nil) }
    shown = ""
  }
}
