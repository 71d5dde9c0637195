internal import Glibc

/// Where people and programs read: results to standard output, everything else to standard error.
enum Terminal {
  /// Whether a person looks at standard error: then progress is one line that changes.
  static let isInteractive = isatty(STDERR_FILENO) == 1 && isatty(STDOUT_FILENO) == 1

  /// Writes text that has its line ends.
  static func raw(_ text: String) { write(text, to: STDOUT_FILENO) }
  /// Writes whole lines; false where they could not be written.
  static func rawBytes(_ bytes: [UInt8]) -> Bool { write(bytes, to: STDOUT_FILENO) }
  /// Writes a result.
  static func out(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }
  /// Writes a remark.
  static func note(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

  /// Asks a question that is answered by `yes`; without a person to ask the answer is no.
  static func confirms(_ question: String) -> Bool {
    guard isatty(STDIN_FILENO) == 1 else { return false }
    write("\(question) Type yes to go on: ", to: STDERR_FILENO)
    return readLine() == "yes"
  }

  /// 1234567 → "1,234,567".
  static func grouped(_ number: Int64) -> String {
    var text = ""
    for (index, digit) in String(number.magnitude).reversed().enumerated() {
      if index > 0, index % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return (number < 0 ? "-" : "") + String(text.reversed())
  }

  /// Writes a whole file, replacing what was there; nil, or why it could not.
  static func writeFile(_ path: String, _ text: String) -> String? {
    guard let file = fopen(path, "w") else { return String(cString: strerror(errno)) }
    var copy = text
    let written = copy.withUTF8 { fwrite($0.baseAddress, 1, $0.count, file) }
    let isShort = written != text.utf8.count
    guard fclose(file) == 0, !isShort else { return String(cString: strerror(errno)) }
    return nil
  }

  /// Writes over the line that a person sees; `nil` leaves what stands there and goes to the next line.
  static func overwriteLine(_ text: String?) { write(text.map { "\r\u{1b}[2K\($0)" } ?? "\n", to: STDERR_FILENO) }

  private static func write(_ text: String, to descriptor: Int32) {
    // Where nobody reads any more there is nobody to tell.
    _ = write(Array(text.utf8), to: descriptor)
  }

  private static func write(_ all: [UInt8], to descriptor: Int32) -> Bool {
    var bytes = all[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        return false
      }
      bytes = bytes.dropFirst(count)
    }
    return true
  }
}
