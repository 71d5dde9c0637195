internal import Daemon
internal import Glibc

/// A configuration file that was read and found good.
public struct ConfigurationFile: Sendable {
  /// The file as it was named.
  public let file: String
  public let configuration: Configuration
  /// What is valid and yet not what a careful person would run, one sentence each, with file and line.
  public let warnings: [String]
  let root: ParsedValue

  /// What is asked of a file beside its keys.
  public struct Requirements: Sendable {
    /// At least one sink (not with `--dry-run`).
    public var sinks: Bool
    public init(sinks: Bool = true) { self.sinks = sinks }
  }

  /// Reads the file at `path`.
  public static func load(path: String, requirements: Requirements = Requirements()) throws(ConfigurationErrors)
    -> ConfigurationFile
  {
    let bytes: [UInt8]
    do {
      bytes = try readWholeFile(path)
    } catch {
      throw ConfigurationErrors([
        ConfigurationProblem(file: path, line: 0, key: "", summary: "the file cannot be read: \(error)")
      ])
    }
    return try parse(bytes, file: path, requirements: requirements)
  }

  /// Reads a configuration out of bytes; `file` is its name in errors.
  public static func parse(
    _ bytes: [UInt8], file: String, requirements: Requirements = Requirements(),
    sources: ConfigurationSources = .process
  ) throws(ConfigurationErrors) -> ConfigurationFile {
    let node: YAMLNode?
    do {
      node = try YAMLReader.read(bytes, file: file)
    } catch {
      throw ConfigurationErrors([error])
    }
    var reader = SchemaReader(file: file, sources: sources)
    let root = reader.read(.mapping(ConfigurationSchema.root), node, path: "", parentLine: 1)
    var check = CrossCheck(file: file, requirements: requirements)
    check.run(root)
    let problems = reader.problems + check.problems
    guard problems.isEmpty else { throw ConfigurationErrors(problems) }
    return ConfigurationFile(file: file, configuration: Configuration(root), warnings: check.warnings, root: root)
  }
}

extension ConfigurationSources {
  /// This process's environment and file system.
  public static let process = ConfigurationSources(
    environment: { name in getenv(name).map { String(cString: $0) } }, readFile: { try readWholeFile($0) })
}

/// Why a file could not be read, in the system's words.
struct FileError: Error, CustomStringConvertible {
  let description: String
  init(_ code: Int32) { description = String(cString: strerror(code)) }
}

/// The bytes of a small file; beyond 2 MiB the rest is left unread, and refused by whoever knows a limit.
func readWholeFile(_ path: String) throws(FileError) -> [UInt8] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw FileError(errno) }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  while bytes.count <= 2 << 20 {
    let count = read(descriptor, &chunk, chunk.count)
    if count < 0 {
      if errno == EINTR { continue }
      throw FileError(errno)
    }
    if count == 0 { break }
    bytes.append(contentsOf: chunk[0..<count])
  }
  return bytes
}
