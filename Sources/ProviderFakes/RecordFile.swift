internal import Glibc
internal import HTTP

/// The file of `--record` could not be opened.
public struct RecordFileError: Error, Sendable, CustomStringConvertible {
  public let path: String
  public let detail: String
  public var description: String { "cannot write the record file \(path): \(detail)" }
}

/// JSON lines, one for each row that had an effect or was refused. Each line is one `write` to a file opened for
/// appending: it is whole, and it is there once the reply goes out, whoever is killed next.
final class RecordFile: Sendable {
  private let descriptor: Int32
  private let problem = Locked<String?>(nil)

  /// Why a line could not be written; nil while all were. From then on the record proves nothing.
  var failure: String? { problem.withLock { $0 } }

  init(path: String) throws(RecordFileError) {
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw RecordFileError(path: path, detail: String(cString: strerror(errno))) }
  }

  deinit { close(descriptor) }

  func append(_ row: FakeRow?, at: Int64, outcome: String) {
    func text(_ value: String?) -> JSONText { value.map { .string($0) } ?? .null }
    var line = JSONText.object([
      ("at", .string(RFC3339.text(unixMilliseconds: at))),
      ("customer", text(row?.customer)),
      ("meter", text(row?.meter)),
      ("value", text(row?.value)),
      ("timestamp", text(row?.timestamp.map { RFC3339.text(unixMilliseconds: $0) })),
      ("key", text(row?.key)),
      ("outcome", .string(outcome)),
    ]).bytes
    line.append(0x0A)
    var rest = line[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else {
        let reason = String(cString: strerror(errno))
        problem.withLock { $0 = $0 ?? reason }
        return
      }
      rest = rest.dropFirst(written)
    }
  }
}
