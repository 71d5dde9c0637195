internal import Daemon
internal import Glibc
internal import Operations
internal import Synchronization

/// How each sink's customers are named at its provider: as they are, by a template, or by a map file that is read again
/// when it changes.
///
/// Called by the partitions' queues while they make a claim. A file that cannot be read at a change keeps the map that
/// was good, and says so; at the start it is an error.
final class CustomerMaps: Sendable {
  private enum Rule: Sendable {
    case identity
    case template(before: [UInt8], after: [UInt8])
    case map(MapFile)
  }
  private let rules: [String: Rule]

  init(_ sinks: [Configuration.Sink], log: Log) throws(CommandFailure) {
    var rules: [String: Rule] = [:]
    for sink in sinks {
      switch sink.customers {
      case .identity: rules[sink.name] = .identity
      case .template(let text):
        let parts = Self.split(text)
        rules[sink.name] = .template(before: parts.before, after: parts.after)
      case .map(let path): rules[sink.name] = .map(try MapFile(path: path, sink: sink.name, log: log))
      }
    }
    self.rules = rules
  }

  /// The customer as the sink's provider knows it; nil where the map has no entry.
  func name(sink: String, customer: [UInt8]) -> [UInt8]? {
    switch rules[sink] {
    case .identity?, nil: customer
    case .template(let before, let after)?: before + customer + after
    case .map(let file)?: file.look(up: customer)
    }
  }

  private static func split(_ text: String) -> (before: [UInt8], after: [UInt8]) {
    let bytes = Array(text.utf8)
    let name = Array("{customer}".utf8)
    guard let at = bytes.indices.first(where: { bytes[$0...].starts(with: name) }) else { return (bytes, []) }
    return (Array(bytes[..<at]), Array(bytes[(at + name.count)...]))
  }
}

/// `customer,name` lines; a value may stand in double quotes, with `""` for a quote; `#` begins a remark line.
private final class MapFile: Sendable {
  private struct State {
    var names: [[UInt8]: [UInt8]]
    /// Nil where the file was gone.
    var stamp: Stamp?
    var checkedAt: Int64
  }
  private struct Stamp: Equatable {
    var seconds: Int
    var nanoseconds: Int
    var size: Int
    var inode: UInt
  }
  /// What is wrong with the file, and where.
  private struct Problem: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    init(_ path: String, _ code: Int32) { self.init("\(path): \(String(cString: strerror(code)))") }
  }
  private let path: String
  private let sink: String
  private let log: Log
  private let state: Mutex<State>

  init(path: String, sink: String, log: Log) throws(CommandFailure) {
    self.path = path
    self.sink = sink
    self.log = log
    do throws(Problem) {
      // Before the reading: a change during it is then seen at the next look.
      let stamp = try Self.stamp(path)
      state = Mutex(State(names: try Self.read(path), stamp: stamp, checkedAt: Clock.elapsedMilliseconds()))
    } catch {
      throw CommandFailure(.configuration, "sinks: sink \(sink): customers.map: \(error)")
    }
  }

  func look(up customer: [UInt8]) -> [UInt8]? {
    state.withLock { state in
      let now = Clock.elapsedMilliseconds()
      if now - state.checkedAt >= 1_000 {
        state.checkedAt = now
        refresh(&state)
      }
      return state.names[customer]
    }
  }

  private func refresh(_ state: inout State) {
    let stamp = try? Self.stamp(path)
    guard stamp != state.stamp else { return }
    // Also of a map that cannot be read: it is said once for each change.
    state.stamp = stamp
    do throws(Problem) {
      state.names = try Self.read(path)
    } catch {
      log.emit(
        .configurationWarning("the customer map of sink \(sink) has changed; the former one goes on: \(error)"))
    }
  }

  private static func stamp(_ path: String) throws(Problem) -> Stamp {
    var info = stat()
    guard stat(path, &info) == 0 else { throw Problem(path, errno) }
    return Stamp(
      seconds: info.st_mtim.tv_sec, nanoseconds: info.st_mtim.tv_nsec, size: Int(info.st_size), inode: UInt(info.st_ino)
    )
  }

  private static func read(_ path: String) throws(Problem) -> [[UInt8]: [UInt8]] {
    guard let file = fopen(path, "r") else { throw Problem(path, errno) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      if count == 0 { break }
      bytes += chunk[..<count]
    }
    guard ferror(file) == 0 else { throw Problem(path, errno) }
    var names: [[UInt8]: [UInt8]] = [:]
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (number, line) in zip(1..., lines) {
      let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
      guard let (customer, rest) = field(line), rest.first == UInt8(ascii: ","),
        let (name, end) = field(rest.dropFirst()), end.isEmpty || end.first == UInt8(ascii: ","), !customer.isEmpty,
        !name.isEmpty
      else { throw Problem("\(path):\(number): not customer,name") }
      if let former = names.updateValue(name, forKey: customer), former != name {
        throw Problem("\(path):\(number): the customer has another name on a line before")
      }
    }
    return names
  }

  private static func field(_ line: ArraySlice<UInt8>) -> (value: [UInt8], rest: ArraySlice<UInt8>)? {
    let quote = UInt8(ascii: "\"")
    guard line.first == quote else {
      let end = line.firstIndex(of: UInt8(ascii: ",")) ?? line.endIndex
      return (Array(line[..<end]), line[end...])
    }
    var value: [UInt8] = []
    var rest = line.dropFirst()
    while let byte = rest.popFirst() {
      guard byte == quote else {
        value.append(byte)
        continue
      }
      guard rest.first == quote else { return (value, rest) }
      rest = rest.dropFirst()
      value.append(quote)
    }
    return nil
  }
}
